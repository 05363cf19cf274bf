"""The GPT of an XTTS as a generation loop needs it: a line's prefix at once, then a position of several lines at each step.

The layers are GPT-2's (transformers `GPT2Block`), with the weights of the model. Each line's keys and values begin at place 0 of its row,
and every sum over places begins there, so what lies after a line's last place, zeros or another line's leftovers, does not change its
digits. So where oneDNN multiplies, a line's numbers depend on itself alone: not on the lines beside it, nor on how many there are.
"""

import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from voz.model import device
from voz.model.packed import DTYPES, Precision, Product, packs
from voz.pipeline.command import UserError

ROOM = 128  # places by which a row's keys and values grow

Attend = Callable[[int, torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]


@dataclass(frozen=True)
class _Layer:
    """What one layer of GPT-2 does to its rows."""

    before_attention: torch.nn.Module
    query_key_value: Product
    out: Product
    before_feed_forward: torch.nn.Module
    up: Product
    down: Product


@dataclass(frozen=True)
class Past:
    """Keys and values of the places so far, by layer. [heads, places, C / heads] each"""

    keys: list[torch.Tensor]
    values: list[torch.Tensor]

    @property
    def places(self) -> int:
        """How many."""
        return self.keys[0].shape[1] if self.keys else 0


class Decoder:
    """The layers of a GPT, in one precision. Between the products all is float32, except keys and values."""

    def __init__(self, gpt: torch.nn.Module, precision: Precision) -> None:
        blocks = list(gpt.gpt.h)
        self.layers = [_layer(block, precision) for block in blocks]
        self.norms = (gpt.gpt.ln_f, gpt.final_norm)
        self.head = Product(gpt.mel_head, precision)
        self.heads, self.size = blocks[0].attn.num_heads, blocks[0].attn.head_dim
        self.scale = self.size**-0.5
        self.dtype = DTYPES[precision]

    def start(self, prefixes: Sequence[torch.Tensor], pasts: Sequence[Past]) -> tuple[torch.Tensor, list[Past]]:
        """All places of some prefixes at once, each after a past of its own. [P, C] each

        Returns:
            The latents of their last places, [N, C], and their pasts with these places added.
        """
        lengths = [len(prefix) for prefix in prefixes]
        hidden = [
            torch.ones(length, past.places + length, dtype=torch.bool, device=prefixes[0].device).triu(past.places + 1)
            for length, past in zip(lengths, pasts, strict=True)
        ]
        after = [Past([], []) for _ in prefixes]

        def attend(layer: int, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
            parts = zip(*(self._by_head(each).transpose(0, 1).split(lengths, dim=1) for each in (query, key, value)), strict=True)
            return torch.cat([attend_alone(layer, index, *part) for index, part in enumerate(parts)])

        def attend_alone(layer: int, index: int, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
            """[heads, P, C / heads] each -> [P, C]"""
            if pasts[index].places:
                key, value = torch.cat([pasts[index].keys[layer], key], dim=1), torch.cat([pasts[index].values[layer], value], dim=1)
            after[index].keys.append(key)
            after[index].values.append(value)
            scores = ((query * self.scale) @ key.transpose(1, 2)).float().masked_fill_(hidden[index], -torch.inf)
            return (scores.softmax(-1).to(self.dtype) @ value).transpose(0, 1).flatten(1)

        latents = self._through(torch.cat(list(prefixes)).float(), attend)
        return torch.stack([part[-1] for part in latents.split(lengths)]), after

    def step(self, embedded: torch.Tensor, rows: "Rows") -> torch.Tensor:
        """The next place of each row. [N, C] -> latents [N, C]"""
        count, places = len(embedded), int(rows.places.max()) + 1
        rows.make_room(places)
        hidden = (torch.arange(places, device=embedded.device) > rows.places[:, None])[:, None]  # [N, 1, places]
        each = torch.arange(count, device=embedded.device)

        def attend(layer: int, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
            keys, values = rows.keys[layer], rows.values[layer]
            keys[each, :, rows.places], values[each, :, rows.places] = self._by_head(key), self._by_head(value)
            keys, values = keys[:count, :, :places], values[:count, :, :places]
            scores = (keys @ (self._by_head(query) * self.scale)[..., None])[..., 0].float().masked_fill_(hidden, -torch.inf)
            return (values.transpose(2, 3) @ scores.softmax(-1).to(self.dtype)[..., None]).flatten(1)

        latents = self._through(embedded.float(), attend)
        rows.places += 1
        return latents

    def _through(self, rows: torch.Tensor, attend: Attend) -> torch.Tensor:
        """All layers, then both norms. [N, C] -> [N, C]"""
        for index, layer in enumerate(self.layers):
            query, key, value = layer.query_key_value(layer.before_attention(rows)).to(self.dtype).chunk(3, dim=-1)
            rows = rows + layer.out(attend(index, query, key, value))
            rows = rows + layer.down(layer.up(layer.before_feed_forward(rows)))
        for norm in self.norms:
            rows = norm(rows)
        return rows

    def _by_head(self, rows: torch.Tensor) -> torch.Tensor:
        """[N, C] -> [N, heads, C / heads]"""
        return rows.unflatten(1, (self.heads, self.size))


class Rows:
    """The lines in flight.

    keys, values: by layer. [capacity, heads, room, C / heads] each
    places: how many each row has. int64 [N]
    """

    def __init__(self, decoder: Decoder, capacity: int, device: torch.device) -> None:
        shape = (capacity, decoder.heads, 0, decoder.size)
        self.keys, self.values = (
            [torch.zeros(shape, dtype=decoder.dtype, device=device) for _ in decoder.layers] for _ in ("keys", "values")
        )
        self.places = torch.zeros(0, dtype=torch.int64, device=device)

    def make_room(self, places: int) -> None:
        """Let each row have so many places."""
        room = self.keys[0].shape[2]
        if places <= room:
            return
        for kind in (self.keys, self.values):
            for layer, old in enumerate(kind):
                kind[layer] = torch.nn.functional.pad(old, (0, 0, 0, places + ROOM - room))

    def add(self, past: Past) -> None:
        """Put a line after the last row."""
        self.make_room(past.places)
        row = len(self.places)
        for kind, added in ((self.keys, past.keys), (self.values, past.values)):
            for layer, each in enumerate(added):
                kind[layer][row, :, : past.places] = each
        self.places = torch.cat([self.places, self.places.new_tensor([past.places])])

    def drop(self, row: int) -> None:
        """Take a line out; the last row takes its place."""
        last = len(self.places) - 1
        if row < last:
            for each in (*self.keys, *self.values):
                each[row] = each[last]
            self.places[row] = self.places[last]
        self.places = self.places[:last].clone()


def _layer(block: torch.nn.Module, precision: Precision) -> _Layer:
    return _Layer(
        before_attention=block.ln_1,
        query_key_value=Product(block.attn.c_attn, precision),
        out=Product(block.attn.c_proj, precision),
        before_feed_forward=block.ln_2,
        up=Product(block.mlp.c_fc, precision, gelu=True),
        down=Product(block.mlp.c_proj, precision),
    )


_DECODERS: "weakref.WeakKeyDictionary[torch.nn.Module, tuple[tuple[object, ...], Decoder]]" = weakref.WeakKeyDictionary()


def of(gpt: torch.nn.Module, precision: Precision) -> Decoder:
    """The decoder of a GPT with its present weights. It is kept until they change, or `release`. (What is written through `.data`, as by
    peft's `merge`, goes unseen: `release` then.)

    Raises:
        UserError: the device has no arithmetic for the precision.
    """
    state = (precision, *((weight.data_ptr(), weight._version) for weight in gpt.parameters()))
    found = _DECODERS.get(gpt)
    if found is None or found[0] != state:
        where = gpt.mel_head.weight.device
        device.require_precision(precision, where)
        if where.type == "cpu" and not packs(DTYPES[precision]) and precision == "bf16":
            raise UserError("params.yaml: precision: bf16: this processor has no arithmetic for it", "write fp32")
        _DECODERS.pop(gpt, None)  # before the new one is made: each is as large as the weights
        found = _DECODERS[gpt] = (state, Decoder(gpt, precision))
    return found[1]


def release(gpt: torch.nn.Module) -> None:
    """Forget the decoder of a GPT: it holds a second copy of the weights."""
    _DECODERS.pop(gpt, None)
