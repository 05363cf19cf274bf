"""The generation loop: prefixes of several lines -> audio codes and latents.

coqui's `generate` takes one line, and its latents need a second pass through the GPT. Here lines of different lengths share one
loop: prefixes (conditioning, text, start code) are padded on the left and masked, the logits processors are Hugging Face's own in
the order in which `generate` applies them, and the latents are those that the loop computes anyway. Greedy codes equal coqui's line
by line; latents are within 1e-4.
"""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from pydantic import Field
from torch.nn.attention import SDPBackend, sdpa_kernel
from transformers import (
    Cache,
    LogitsProcessorList,
    RepetitionPenaltyLogitsProcessor,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)
from transformers.cache_utils import DynamicLayer

from voz.model.xtts import Xtts
from voz.pipeline.checked import section

BATCH_ROWS = 8  # full size on 2 cores: 8 rows cost 281 ms a step, 1 row 234
ROOM = 128  # positions by which the key-value cache grows
PREFIX_ID = 1  # coqui gives `generate` this id in place of each prefix position, so the repetition penalty always applies to code 1


@section
class Sampling:
    """How codes are drawn: the settings of `synthesize` and `evaluate` in params.yaml.

    Raises:
        ValueError: a value that the logits processors do not take.
    """

    temperature: float = Field(ge=0)  # 0 = greedy: top_p and top_k have no effect
    top_p: float = Field(gt=0, le=1)
    top_k: int = Field(ge=1)
    repetition_penalty: float = Field(gt=0)

    def processors(self) -> LogitsProcessorList:
        """Hugging Face's processors in the order in which `generate` applies them."""
        chain = LogitsProcessorList([RepetitionPenaltyLogitsProcessor(self.repetition_penalty)])
        if self.temperature > 0:
            chain += [TemperatureLogitsWarper(self.temperature), TopKLogitsWarper(self.top_k), TopPLogitsWarper(self.top_p)]
        return chain


@dataclass(frozen=True)
class Generated:
    """What the GPT generated for one line.

    codes: audio codes; the last is the stop code unless the limit came first. int64 [N]
    latents: input of the decoder, one per code. [N, C]
    """

    codes: torch.Tensor
    latents: torch.Tensor


class RoomyLayer(DynamicLayer):
    """A layer's key-value cache with spare room. transformers' own copies all keys and values at every step: as costly as the attention."""

    def update(self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any) -> tuple[torch.Tensor, torch.Tensor]:
        """Append keys and values and return all of them. [B, heads, n, C] -> [B, heads, N, C]"""
        used = self.get_seq_length()
        self.keys = self._append("_key_room", used, key_states)
        self.values = self._append("_value_room", used, value_states)
        self.is_initialized = True
        return self.keys, self.values

    def _append(self, name: str, used: int, new: torch.Tensor) -> torch.Tensor:
        room, needed = getattr(self, name, None), used + new.shape[2]
        if room is None or room.shape[2] < needed:
            larger = new.new_empty(*new.shape[:2], needed + ROOM, new.shape[3])
            if room is not None:
                larger[:, :, :used] = room[:, :, :used]
            setattr(self, name, larger)
            room = larger
        room[:, :, used:needed] = new
        return room[:, :, :needed]


@dataclass(frozen=True)
class PreparedLine:
    """The input of the generation loop for one line.

    prefix: conditioning, text and start code, embedded. [P, C]
    width: the prefix is padded to this many positions.
    uniform: a random number in [0, 1) for each code. [max codes]
    limit: number of codes at most.
    """

    prefix: torch.Tensor
    width: int
    uniform: torch.Tensor
    limit: int


def generate(model: Xtts, lines: Sequence[PreparedLine], sampling: Sampling) -> list[Generated]:
    """Generate the codes and latents of up to `BATCH_ROWS` lines of one width."""
    codes, latents = (torch.stack(each, dim=1) for each in zip(*steps(model, lines, sampling), strict=True))
    return trim(codes, latents, [line.limit for line in lines], model.gpt.stop_audio_token)


@torch.inference_mode()
def steps(model: Xtts, lines: Sequence[PreparedLine], sampling: Sampling) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Generate step by step: the next code and latent of each row, until every line has its stop code or is at its limit.

    The rows after the lines are copies that fill the batch up. Yields int64 [B], [B, C].
    """
    gpt, stop = model.gpt, model.gpt.stop_audio_token
    rows = [*lines, *[lines[0]] * (BATCH_ROWS - len(lines))]
    inputs, mask = pad(rows)
    uniform = torch.stack([row.uniform for row in rows])
    limits = torch.tensor([row.limit if i < len(lines) else 0 for i, row in enumerate(rows)])
    ids = torch.tensor([[PREFIX_ID, gpt.start_audio_token]] * BATCH_ROWS)  # scores are processed on the CPU: same on every device
    finished, processors, cache = limits <= 0, sampling.processors(), Cache(layer_class_to_replicate=RoomyLayer)
    for step in range(int(limits.max())):
        with reproducible_attention(inputs.device):
            hidden = gpt.gpt(inputs_embeds=inputs, attention_mask=mask, past_key_values=cache, use_cache=True).last_hidden_state
        latents = gpt.final_norm(hidden[:, -1])
        scores = processors(ids, gpt.mel_head(latents).float().cpu())
        codes = draw(scores, uniform[:, step], greedy=sampling.temperature == 0).masked_fill(finished, stop)
        yield codes, latents
        ids = torch.cat([ids, codes[:, None]], dim=1)
        finished = finished | (codes == stop) | (limits <= step + 1)
        if bool(finished.all()):
            break
        inputs = (gpt.mel_embedding(codes.to(inputs.device)) + gpt.mel_pos_embedding.emb.weight[step + 1])[:, None]
        mask = torch.cat([mask, mask.new_ones(BATCH_ROWS, 1)], dim=1)


def reproducible_attention(device: torch.device) -> AbstractContextManager[None]:
    """Attention whose result for a row does not depend on the row's place in the batch.

    torch's flash attention on a CPU gives each thread a buffer that is not aligned: at 2 threads, rows 4 to 7 of 8 differ from
    rows 0 to 3 in the last digits (torch 2.13, AMD EPYC, 87 of 114 shapes; its plain attention differs in none, and one call takes
    0.8 instead of 0.5 ms). An accelerator keeps its own choice.
    """
    return sdpa_kernel(SDPBackend.MATH) if device.type == "cpu" else nullcontext()


def pad(rows: Sequence[PreparedLine]) -> tuple[torch.Tensor, torch.Tensor]:
    """Prefixes padded on the left to their width, and the mask that hides the padding. -> [B, W, C], [B, W]"""
    short = [row.width - len(row.prefix) for row in rows]
    inputs = torch.stack([torch.nn.functional.pad(row.prefix, (0, 0, n, 0)) for row, n in zip(rows, short, strict=True)])
    positions = torch.arange(inputs.shape[1], device=inputs.device)
    return inputs, (positions >= torch.tensor(short, device=inputs.device)[:, None]).long()


def draw(scores: torch.Tensor, uniform: torch.Tensor, *, greedy: bool) -> torch.Tensor:
    """A code for each row: the likeliest, or the one where `uniform` falls in the cumulative distribution. [B, V], [B] -> [B]"""
    if greedy:
        return scores.argmax(dim=-1)
    cumulative = scores.double().softmax(dim=-1).cumsum(dim=-1)
    at = uniform.double()[:, None] * cumulative[:, -1:]
    return torch.searchsorted(cumulative, at, right=True)[:, 0].clamp(max=scores.shape[1] - 1)


def trim(codes: torch.Tensor, latents: torch.Tensor, limits: Sequence[int], stop: int) -> list[Generated]:
    """Cut each row after its stop code (coqui too gives that code's latent to the decoder) or at its limit. [B, N], [B, N, C]"""
    trimmed = []
    for row, limit in enumerate(limits):
        stops = (codes[row, :limit] == stop).nonzero()
        end = int(stops[0]) + 1 if len(stops) else min(limit, codes.shape[1])
        trimmed.append(Generated(codes[row, :end], latents[row, :end]))
    return trimmed
