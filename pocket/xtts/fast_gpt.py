"""The GPT of XTTS, computed for speed: the same parameters and the same function as coqui's `GPT.forward`, less waste.

One conditioning serves all sentences of its voice in the batch, and its 32 vectors pass through the layers once. Text and
codes follow each other without padding in between, so that causality is the only mask (coqui's own mask hits the batch's
last row alone). All but attention is computed without the padding at the end, which is half of a batch and more.
tests/test_pocket_xtts.py compares its latents with coqui's.
"""

import copy
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F

from voz.model.xtts import coqui_xtts

GPT = coqui_xtts.GPT
GUIDED_HEADS = {1: 0, 2: 0, 3: 0}  # layer: head whose attention is guided along the text
FIRST_LAYERS = 4  # the others start as identities and join later
MIN_SPREAD = 1e-3  # of the voices' conditioning latents; about 0.1 untrained, 0 after the perceiver's norm overflowed


@dataclass
class GptBatch:
    """Sentences of K voices, M of each, voice by voice.

    cond_mels: [K, 80, S]; text and codes: K * M tensors of token ids; places: K * M tensors, see pocket/xtts/encode.py.
    """

    cond_mels: torch.Tensor
    text: list[torch.Tensor]
    codes: list[torch.Tensor]
    places: list[torch.Tensor]

    def of_process(self, rank: int, world: int) -> "GptBatch":
        """The sentences of every `world`-th voice, from the `rank`-th on."""
        voices, rows = len(self.cond_mels), len(self.text)
        mine = [i for i in range(rows) if i // (rows // voices) % world == rank]
        text, codes, places = ([part[i] for i in mine] for part in (self.text, self.codes, self.places))
        return GptBatch(self.cond_mels[rank::world], text, codes, places)


@dataclass
class Packed:
    """[START] text [STOP] [START_AUDIO] codes, padded at the end.

    tokens: [B, T] text ids, or codes offset by the size of the text vocabulary; position: [B, T] within text or codes;
    is_code: [B, T]; code_target: [B, T], -1 where no code is predicted; place: [B, T], expected index in the text.
    """

    tokens: torch.Tensor
    position: torch.Tensor
    is_code: torch.Tensor
    code_target: torch.Tensor
    text_target: torch.Tensor
    place: torch.Tensor
    text_length: torch.Tensor


@dataclass(frozen=True)
class Rows:
    """Where the N tokens of B rows lie among their B * T places. where: [N], ascending; shape: (B, T)"""

    where: torch.Tensor
    shape: tuple[int, int]

    @classmethod
    def full(cls, rows: int, length: int) -> "Rows":
        """Rows without padding."""
        return cls(torch.arange(rows * length), (rows, length))

    def spread(self, tokens: torch.Tensor) -> torch.Tensor:
        """[N, D] -> [B, T, D], 0 in the padding"""
        placed = tokens.new_zeros(self.shape[0] * self.shape[1], tokens.shape[1]).index_copy(0, self.where, tokens)
        return placed.view(*self.shape, -1)

    def collect(self, placed: torch.Tensor) -> torch.Tensor:
        """[B, T, D] -> [N, D]"""
        return placed.flatten(0, 1).index_select(0, self.where)


def rows_of(packed: Packed) -> Rows:
    """The rows of a batch: what is text or code is no padding."""
    text = torch.arange(packed.tokens.shape[1]) < packed.text_length[:, None]
    return Rows((packed.is_code | text).flatten().nonzero()[:, 0], (len(packed.tokens), packed.tokens.shape[1]))


def pack(gpt: GPT, batch: GptBatch) -> Packed:
    """Lay a batch out in memory."""
    vocabulary = gpt.number_text_tokens
    length = max(len(t) + len(c) + 3 for t, c in zip(batch.text, batch.codes, strict=True))
    rows = len(batch.text)
    made = Packed(
        *(torch.zeros(rows, length, dtype=torch.long) for _ in range(3)),
        *(torch.full((rows, length), -1) for _ in range(2)),
        torch.zeros(rows, length),
        torch.tensor([len(t) + 2 for t in batch.text]),
    )
    made.is_code = made.is_code.bool()
    for i, (text, codes, place) in enumerate(zip(batch.text, batch.codes, batch.places, strict=True)):
        n, m = len(text), len(codes)
        made.tokens[i, 0], made.tokens[i, 1 : n + 1], made.tokens[i, n + 1] = gpt.start_text_token, text, gpt.stop_text_token
        made.tokens[i, n + 2], made.tokens[i, n + 3 : n + 3 + m] = gpt.start_audio_token + vocabulary, codes.long() + vocabulary
        made.position[i, : n + 2], made.position[i, n + 2 : n + 3 + m] = torch.arange(n + 2), torch.arange(m + 1)
        made.is_code[i, n + 2 : n + 3 + m] = True
        made.text_target[i, :n], made.text_target[i, n] = text, gpt.stop_text_token
        made.code_target[i, n + 2 : n + 2 + m], made.code_target[i, n + 2 + m] = codes, gpt.stop_audio_token
        made.place[i, n + 2 : n + 2 + m], made.place[i, n + 2 + m] = place, n + 1
    return made


def swap_codes(packed: Packed, *, share: float, seed: int) -> None:
    """Swap a share of the input codes, not of the targets, for others of the batch: at inference the GPT reads its own errors."""
    generator = torch.Generator().manual_seed(seed)
    inner = packed.is_code & (packed.position > 0)
    chosen = inner & (torch.rand(inner.shape, generator=generator) < share)
    others = packed.tokens[inner]
    packed.tokens[chosen] = others[torch.randint(len(others), (int(chosen.sum()),), generator=generator)]


def embed(gpt: GPT, packed: Packed, rows: Rows) -> torch.Tensor:
    """Token plus position embeddings. [N, C]"""
    tokens = torch.cat([gpt.text_embedding.weight, gpt.mel_embedding.weight])
    positions = torch.cat([gpt.text_pos_embedding.emb.weight, gpt.mel_pos_embedding.emb.weight])
    offset = packed.is_code.long() * gpt.text_pos_embedding.emb.num_embeddings
    token, position = (values.flatten()[rows.where] for values in (packed.tokens, packed.position + offset))
    return F.embedding(token, tokens) + F.embedding(position, positions)


def layer(
    block: torch.nn.Module, x: torch.Tensor, rows: Rows, mask: torch.Tensor, past: tuple[torch.Tensor, torch.Tensor] | None, heads: int
):
    """One GPT-2 block. [N, C] -> (x [N, C], (keys, values) of these T [B, H, T, D], attention [B, H, T, P + T])"""
    (b, t), c = rows.shape, x.shape[1]
    h = block.ln_1(x)
    spread = rows.spread(h @ block.attn.c_attn.weight + block.attn.c_attn.bias)
    q, k, v = spread.view(b, t, 3, heads, c // heads).permute(2, 0, 3, 1, 4)
    all_k, all_v = (k, v) if past is None else (torch.cat([past[0], k], dim=2), torch.cat([past[1], v], dim=2))
    with torch.autocast("cpu", enabled=False):  # in bfloat16 a quarter of the time of torch's fused attention
        attention = torch.softmax((q @ all_k.transpose(2, 3)) * (c // heads) ** -0.5 + mask.to(q.dtype), -1)
        mixed = rows.collect((attention @ all_v).transpose(1, 2).reshape(b, t, c))
    x = x + (mixed @ block.attn.c_proj.weight + block.attn.c_proj.bias)
    h = F.gelu(block.ln_2(x) @ block.mlp.c_fc.weight + block.mlp.c_fc.bias, approximate="tanh")
    return x + (h @ block.mlp.c_proj.weight + block.mlp.c_proj.bias), (k, v), attention


def guidance(attention: torch.Tensor, packed: Packed, sigma: float) -> torch.Tensor:
    """How far one head's attention is from the expected places: mean of -log of its mass near them.

    Args:
        attention: [B, T, P + T] with P vectors of conditioning in front; sigma: width of what counts as near, in characters.
    """
    places = int(packed.text_length.max())
    prefix = attention.shape[2] - attention.shape[1]
    index = torch.arange(places)
    written = index[None, None, :] < packed.text_length[:, None, None]
    near = torch.exp(-((index - packed.place[:, :, None]) ** 2) / (2 * sigma**2)) * written
    mass = (attention[:, :, prefix : prefix + places] * near.to(attention.dtype)).sum(-1).float()
    return -torch.log(mass[packed.code_target >= 0] + 1e-4).mean()


def latents_and_guidance(
    gpt: GPT, packed: Packed, cond: torch.Tensor, *, sigma: float | None, layers: int | None = None
) -> tuple[torch.Tensor, torch.Tensor]:
    """Returns (final latents [B, T, C], 0 in the padding, mean guidance loss over the guided heads, 0 without `sigma`).

    Args:
        cond: conditioning latents, one per voice; the batch's sentences lie voice by voice. [K, 32, C]
        layers: how many to pass through, all by default.
    """
    share, heads = len(packed.tokens) // len(cond), gpt.heads
    rows, (voices, p) = rows_of(packed), cond.shape[:2]
    x, prefix, t = embed(gpt, packed, rows), cond.flatten(0, 1), rows.shape[1]
    mask, prefix_mask = torch.full((t, p + t), float("-inf")).triu(p + 1), torch.full((p, p), float("-inf")).triu(1)
    lost = []
    for number, block in enumerate(gpt.gpt.h[:layers]):
        prefix, kept, _ = layer(block, prefix, Rows.full(voices, p), prefix_mask, None, heads)
        past = (kept[0].repeat_interleave(share, 0), kept[1].repeat_interleave(share, 0))
        x, _, attention = layer(block, x, rows, mask, past, heads)
        if sigma is not None and number in GUIDED_HEADS:
            lost.append(guidance(attention[:, GUIDED_HEADS[number]], packed, sigma))
    return rows.spread(gpt.final_norm(gpt.gpt.ln_f(x))), torch.stack(lost).mean() if lost else x.new_zeros(())


def losses(
    gpt: GPT, batch: GptBatch, *, sigma: float | None, layers: int | None = None, swapped: float = 0.0, seed: int = 0
) -> dict[str, torch.Tensor]:
    """Cross-entropy of codes and of text, guidance loss, share of codes predicted right; `uniform`: codes against a uniform target."""
    packed = pack(gpt, batch)
    if swapped:
        swap_codes(packed, share=swapped, seed=seed)
    with torch.autocast("cpu", torch.bfloat16):
        cond = gpt.get_style_emb(batch.cond_mels).transpose(1, 2)
    latents, guided = latents_and_guidance(gpt, packed, cond.to(gpt.mel_head.weight.dtype), sigma=sigma, layers=layers)
    wanted = packed.code_target >= 0
    logits = gpt.mel_head(latents[wanted]).float()
    target = packed.code_target[wanted]
    written = packed.text_target >= 0
    text = F.cross_entropy(gpt.text_head(latents[written]).float(), packed.text_target[written])
    right = (logits.argmax(-1) == target).float().mean()
    log_odds = torch.log_softmax(logits, -1)
    return {"codes": F.nll_loss(log_odds, target), "text": text, "guided": guided, "right": right, "uniform": -log_odds.mean()}


@torch.no_grad()
def initialise(gpt: GPT, *, codes_per_character: float) -> None:
    """Set initial values under which attention finds the text early.

    coqui leaves token embeddings at standard deviation 1 beside positions at 0.02, which drowns the positions. Here both are
    0.1, and positions are sinusoids on one scale for text and codes: a code's index is counted in characters.
    """
    generator = torch.Generator().manual_seed(1)
    for table in (gpt.text_embedding, gpt.mel_embedding):
        table.weight.copy_(torch.randn(table.weight.shape, generator=generator) * 0.1)
    for table, pace in ((gpt.text_pos_embedding.emb, 1.0), (gpt.mel_pos_embedding.emb, 1 / codes_per_character)):
        place = np.arange(table.num_embeddings)[:, None] * pace
        angle = place * np.exp(-np.log(1000.0) * np.arange(gpt.model_dim // 2) / (gpt.model_dim // 2))
        table.weight.copy_(torch.from_numpy(np.concatenate([np.sin(angle), np.cos(angle)], 1) * 0.14).float())
    for block in gpt.gpt.h[FIRST_LAYERS:]:
        for projection in (block.attn.c_proj, block.mlp.c_proj):
            projection.weight.zero_()
            projection.bias.zero_()


def conditioning_modules(gpt: GPT) -> torch.nn.ModuleList:
    """The modules that turn a recording into conditioning latents."""
    return torch.nn.ModuleList([gpt.conditioning_encoder, gpt.conditioning_perceiver])


@torch.no_grad()
def reset_conditioning(gpt: GPT) -> None:
    """Give the conditioning new weights, scaled down to the size of an embedding: a GPT that was trained without is not disturbed."""
    torch.manual_seed(2)
    fresh = GPT(layers=1, model_dim=gpt.model_dim, heads=gpt.heads, use_perceiver_resampler=True)
    conditioning_modules(gpt).load_state_dict(conditioning_modules(fresh).state_dict())
    gpt.conditioning_perceiver.norm.gamma.fill_(0.1)


@torch.no_grad()
def voice_spread(gpt: GPT, mels: torch.Tensor) -> float:
    """How far the conditioning latents of voices differ: their distance from the mean over the voices, relative to their norm.

    Args:
        mels: one recording of each voice. [K, 80, S]
    """
    latents = gpt.get_style_emb(mels).float()
    return float((latents - latents.mean(0)).norm() / latents.norm().clamp(min=1e-9))


class Bfloat16Copy:
    """A bfloat16 copy that computes the gradients of the float32 weights: less memory traffic than autocast."""

    def __init__(self, gpt: GPT) -> None:
        self.gpt, self.copy = gpt, copy.deepcopy(gpt).bfloat16()
        conditioning_modules(self.copy).float()  # coqui's norms compute in float32
        self.pairs = list(zip(gpt.parameters(), self.copy.parameters(), strict=True))

    @torch.no_grad()
    def refresh(self) -> GPT:
        """Copy the float32 weights; returns the copy."""
        for own, fast in self.pairs:
            fast.copy_(own)
            fast.grad = None
        return self.copy

    @torch.no_grad()
    def return_gradients(self) -> None:
        """Hand the copy's gradients to the float32 weights."""
        for own, fast in self.pairs:
            own.grad = None if fast.grad is None else fast.grad.float()
