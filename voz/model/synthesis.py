"""Lines of text -> speech, many lines in one generation loop.

coqui's `Xtts.inference` speaks one sentence at a time and runs the GPT a second time for the latents. Here a batch of
lines of different lengths shares one loop: prefixes (conditioning, text, start code) are padded on the left and masked,
the logits processors are Hugging Face's own in the order `generate` applies them, and the latents that the loop
computes anyway go to the decoder. Greedy codes equal coqui's line by line; latents within 1e-4.

A line's samples do not depend on its neighbours or their order: every batch has `BATCH_ROWS` rows and one of a few pad
widths, chosen by the line's own length; what is missing is filled with dummies, finished rows stay; each line draws
from its own generator.
"""

import hashlib
import json
import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch.nn.utils import parametrize
from transformers import (
    Cache,
    LogitsProcessorList,
    RepetitionPenaltyLogitsProcessor,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)
from transformers.cache_utils import DynamicLayer

from voz.audio.wav import OUTPUT_RATE_HZ, SAMPLE_RATE_HZ
from voz.model.xtts import Conditioning, Xtts
from voz.pipeline import parallel
from voz.pipeline.command import UserError
from voz.text import tokens

BATCH_ROWS = 8  # full size on 2 cores: 8 rows cost 281 ms a step, 1 row 234
TEXT_WIDTHS = (128, 256, 404)  # text positions a batch is padded to; the last is all that XTTS has (402 + start + stop)
ROOM = 128  # positions the cache grows by
PAUSE_S = 0.2  # between the parts of a text that was split
PREFIX_ID = 1  # what coqui gives `generate` in place of the prefix: the repetition penalty therefore always hits code 1
SHORT_WORDS = 2  # texts this short make XTTS go on talking (coqui-ai/TTS #3516)
SLOWEST_CHARS_PER_S = 4.0  # nobody reads slower; with LEAD_S it bounds how long a line may become
LEAD_S = 2.0


@dataclass(frozen=True)
class Line:
    """A text to be spoken and what its random numbers come from: same line, same samples, whatever else is spoken."""

    text: str
    seed: int
    occurrence: int = 0  # how many lines of the same text stand before it
    retry: int = 0
    part: int = 0  # of a text that was split


@dataclass(frozen=True)
class Sampling:
    """How codes are drawn.

    Raises:
        ValueError: a value outside what the processors take.
    """

    temperature: float  # 0 = greedy: the other two do not matter
    top_p: float
    top_k: int
    repetition_penalty: float

    def __post_init__(self) -> None:
        if self.temperature < 0:
            raise ValueError(f"temperature: {self.temperature} is below 0")
        if not 0 < self.top_p <= 1:
            raise ValueError(f"top_p: {self.top_p} is not in (0, 1]")
        if self.top_k < 1:
            raise ValueError(f"top_k: {self.top_k} is below 1")
        if self.repetition_penalty <= 0:
            raise ValueError(f"repetition_penalty: {self.repetition_penalty} is not above 0")

    def processors(self) -> LogitsProcessorList:
        """Hugging Face's processors in the order `generate` applies them."""
        chain = LogitsProcessorList([RepetitionPenaltyLogitsProcessor(self.repetition_penalty)])
        if self.temperature > 0:
            chain += [TemperatureLogitsWarper(self.temperature), TopKLogitsWarper(self.top_k), TopPLogitsWarper(self.top_p)]
        return chain


@dataclass(frozen=True)
class Generated:
    """What the GPT made of one line.

    codes: audio codes, the last one the stop code unless the limit came first. [N]
    latents: for the decoder, one for each code. [N, C]
    """

    codes: torch.Tensor
    latents: torch.Tensor


class RoomyLayer(DynamicLayer):
    """A layer's cache with room ahead: transformers' own copies all keys and values at each step, as costly as the attention itself."""

    def update(self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any) -> tuple[torch.Tensor, torch.Tensor]:
        """Append keys and values, return all of them. [B, heads, n, C] -> [B, heads, N, C]"""
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
class Row:
    """A line made ready: its prefix, its random numbers and its longest length.

    prefix: conditioning, text and start code, embedded. [P, C]
    uniform: one number in [0, 1) for each code that may come. [max codes]
    """

    prefix: torch.Tensor
    width: int  # the prefix is padded to this
    uniform: torch.Tensor
    limit: int  # codes


def number(texts: Iterable[str], *, seed: int) -> list[Line]:
    """Lines of texts, each with its occurrence."""
    seen: Counter[str] = Counter()
    lines = []
    for each in texts:
        lines.append(Line(text=each, seed=seed, occurrence=seen[each]))
        seen[each] += 1
    return lines


def speak(model: Xtts, conditioning: Conditioning, lines: Sequence[Line], sampling: Sampling, *, label: str = "speak") -> list[np.ndarray]:
    """Speak lines; a text over the model's limit is split at sentence ends and joined with a short pause.

    Returns:
        one array per line, float32 in [-1, 1] at 24 000 Hz. [T]

    Raises:
        UserError: a text is empty, or has more tokens than the model takes.
    """
    split = [split_line(model, line) for line in lines]
    spoken = iter(speak_parts(model, conditioning, [part for parts in split for part in parts], sampling, label=label))
    return [join([next(spoken) for _ in parts]) for parts in split]


def split_line(model: Xtts, line: Line) -> list[Line]:
    """The line in parts that the model takes (its tokenizer's limit of characters), with random numbers of their own."""
    parts = tokens.split_sentences(line.text.strip(), model.tokenizer.char_limits[tokens.LANGUAGE])
    return [replace(line, text=part, part=index) for index, part in enumerate(parts)] or [line]


def join(parts: Sequence[np.ndarray]) -> np.ndarray:
    """Parts of a line, one after the other with `PAUSE_S` between them. [T] each -> [T]"""
    pause = np.zeros(round(PAUSE_S * OUTPUT_RATE_HZ), dtype=np.float32)
    return np.concatenate([piece for part in parts for piece in (pause, part)][1:])


@torch.inference_mode()
def speak_parts(
    model: Xtts, conditioning: Conditioning, lines: Sequence[Line], sampling: Sampling, *, label: str = "speak"
) -> list[np.ndarray]:
    """Like `speak`, for lines that are within the model's limit."""
    rows = [prepare(model, conditioning, line) for line in lines]
    order = sorted(range(len(rows)), key=lambda i: (rows[i].width, len(rows[i].prefix), i))  # alike lengths end at alike times
    batches = [[i for i in order if rows[i].width == width] for width in sorted({row.width for row in rows})]
    batches = [batch[at : at + BATCH_ROWS] for batch in batches for at in range(0, len(batch), BATCH_ROWS)]
    spoken: dict[int, np.ndarray] = {}
    for batch in parallel.progress(batches, total=len(batches), label=label, unit="batch"):
        generated = generate(model, [rows[i] for i in batch], sampling)
        spoken |= {i: vocode(model, each.latents, conditioning.speaker) for i, each in zip(batch, generated, strict=True)}
    return [spoken[i] for i in range(len(rows))]


def prepare(model: Xtts, conditioning: Conditioning, line: Line) -> Row:
    """Embed a line's prefix and draw its random numbers.

    Raises:
        UserError: the text is empty, or has more tokens than the model takes.
    """
    tokens = encode(model, line.text)
    gpt, width = model.gpt, next(w for w in TEXT_WIDTHS if w >= len(tokens))
    embedded = gpt.text_embedding(tokens) + gpt.text_pos_embedding.emb(torch.arange(len(tokens), device=tokens.device))
    start = gpt.mel_embedding.weight[gpt.start_audio_token] + gpt.mel_pos_embedding.emb.weight[0]
    latents = conditioning.latents[0].to(embedded)
    return Row(
        prefix=torch.cat([latents, embedded, start[None]]),
        width=len(latents) + width + 1,
        uniform=torch.rand(gpt.max_gen_mel_tokens, generator=generator(line)),
        limit=min(gpt.max_gen_mel_tokens, longest(line.text)),
    )


def encode(model: Xtts, words: str) -> torch.Tensor:
    """Text tokens as coqui's `inference` makes them, between start and stop. [N]

    A text of one or two words gets a full stop where it has no end: without one XTTS talks on.
    """
    words = words.strip().lower()
    if not any(letter.isalnum() for letter in words):
        raise UserError(f"text {words!r}: nothing to speak", "write words")
    if len(words.split()) <= SHORT_WORDS and words[-1].isalnum():
        words += "."
    ids = model.tokenizer.encode(words, lang=tokens.LANGUAGE)
    if len(ids) >= model.args.gpt_max_text_tokens:
        raise UserError(f"text {words[:40]!r}…: {len(ids)} tokens, the model takes {model.args.gpt_max_text_tokens - 1}", "shorten it")
    return torch.tensor([model.gpt.start_text_token, *ids, model.gpt.stop_text_token], device=model.device)


def longest(words: str) -> int:
    """How many codes a text may take at the slowest reading: what runs on beyond it is no speech of this text."""
    return math.ceil((LEAD_S + len(words) / SLOWEST_CHARS_PER_S) * SAMPLE_RATE_HZ / 1024)  # a code is 1024 samples


def generator(line: Line) -> torch.Generator:
    """The line's own random numbers, on the CPU so that they are the same on every device."""
    key = json.dumps([line.seed, line.text, line.occurrence, line.retry, line.part])
    return torch.Generator().manual_seed(int.from_bytes(hashlib.sha256(key.encode()).digest()[:8]) >> 1)


@torch.inference_mode()
def generate(model: Xtts, rows: Sequence[Row], sampling: Sampling) -> list[Generated]:
    """Generate the codes and latents of up to `BATCH_ROWS` rows of one width."""
    gpt, stop = model.gpt, model.gpt.stop_audio_token
    filled = [*rows, *[rows[0]] * (BATCH_ROWS - len(rows))]
    inputs, mask = pad(filled)
    uniform = torch.stack([row.uniform for row in filled])
    limits = torch.tensor([row.limit if i < len(rows) else 0 for i, row in enumerate(filled)])
    ids = torch.tensor([[PREFIX_ID, gpt.start_audio_token]] * BATCH_ROWS)  # scores are processed on the CPU: same on every device
    finished, processors, cache = limits <= 0, sampling.processors(), Cache(layer_class_to_replicate=RoomyLayer)
    latents: list[torch.Tensor] = []
    for step in range(int(limits.max())):
        hidden = gpt.gpt(inputs_embeds=inputs, attention_mask=mask, past_key_values=cache, use_cache=True).last_hidden_state
        latents.append(gpt.final_norm(hidden[:, -1]))
        scores = processors(ids, gpt.mel_head(latents[-1]).float().cpu())
        codes = draw(scores, uniform[:, step], greedy=sampling.temperature == 0).masked_fill(finished, stop)
        ids = torch.cat([ids, codes[:, None]], dim=1)
        finished = finished | (codes == stop) | (limits <= step + 1)
        if bool(finished.all()):
            break
        inputs = (gpt.mel_embedding(codes.to(inputs.device)) + gpt.mel_pos_embedding.emb.weight[step + 1])[:, None]
        mask = torch.cat([mask, mask.new_ones(BATCH_ROWS, 1)], dim=1)
    return trim(ids[:, 2:], torch.stack(latents, dim=1), limits.tolist()[: len(rows)], stop)


def pad(rows: Sequence[Row]) -> tuple[torch.Tensor, torch.Tensor]:
    """Prefixes padded on the left to their width, and the mask that hides the padding. -> [B, W, C], [B, W]"""
    short = [row.width - len(row.prefix) for row in rows]
    inputs = torch.stack([torch.nn.functional.pad(row.prefix, (0, 0, n, 0)) for row, n in zip(rows, short, strict=True)])
    positions = torch.arange(inputs.shape[1], device=inputs.device)
    return inputs, (positions >= torch.tensor(short, device=inputs.device)[:, None]).long()


def draw(scores: torch.Tensor, uniform: torch.Tensor, *, greedy: bool) -> torch.Tensor:
    """Pick a code for each row: the best, or where `uniform` falls in the cumulative distribution. [B, V], [B] -> [B]"""
    if greedy:
        return scores.argmax(dim=-1)
    cumulative = scores.double().softmax(dim=-1).cumsum(dim=-1)
    at = uniform.double()[:, None] * cumulative[:, -1:]
    return torch.searchsorted(cumulative, at, right=True)[:, 0].clamp(max=scores.shape[1] - 1)


def trim(codes: torch.Tensor, latents: torch.Tensor, limits: Sequence[int], stop: int) -> list[Generated]:
    """Cut each row after its stop code (coqui's decoder gets that code's latent too) or at its limit. [B, N], [B, N, C]"""
    trimmed = []
    for row, limit in enumerate(limits):
        stops = (codes[row, :limit] == stop).nonzero()
        end = int(stops[0]) + 1 if len(stops) else min(limit, codes.shape[1])
        trimmed.append(Generated(codes[row, :end], latents[row, :end]))
    return trimmed


@torch.inference_mode()
def vocode(model: Xtts, latents: torch.Tensor, speaker: torch.Tensor) -> np.ndarray:
    """Latents of one line -> float32 at 24 000 Hz. [N, C] -> [T]"""
    with parametrize.cached():  # weight norm is computed once for each convolution
        wav: torch.Tensor = model.hifigan_decoder(latents[None], g=speaker.to(latents))
    return wav.flatten().float().cpu().numpy()
