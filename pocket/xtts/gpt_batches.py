"""Batches for the GPT: sentences of similar length, with conditioning for each voice. A step's batch depends on its number alone."""

import bisect
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from pocket.xtts import base, fast_gpt
from pocket.xtts.packed import PackedCorpus, mel_transform

TOKENS = 2600  # per step, text and codes
VOICES = {"gpt": 1, "asr": 1, "varied": 4}  # per step, by role; each voice's conditioning is computed once
MAX_ROW_TOKENS = 330  # of two sentences in a row


@dataclass(frozen=True)
class GptRow:
    """One sentence, ready for the GPT; see pocket/xtts/encode.py."""

    id: str
    voice: str
    role: str
    codes: torch.Tensor
    text: torch.Tensor
    places: torch.Tensor

    @property
    def tokens(self) -> int:
        return len(self.codes) + len(self.text) + 3


def read_rows(build: Path, split: str, *, accent: str = "ye") -> list[GptRow]:
    """Sentences of one split and accent, short ones first. The GPT is trained on [ʝ] only: [ʃ] is what fine-tuning has to bring."""
    found = torch.load(build / f"codes-{accent}.pt", weights_only=True)["rows"]
    rows = [GptRow(r["id"], r["voice"], r["role"], r["codes"].long(), r["text"].long(), r["places"]) for r in found if r["split"] == split]
    return in_order(rows)


def in_order(rows: list[GptRow]) -> list[GptRow]:
    """By length, so that neighbours make a batch."""
    return sorted(rows, key=lambda row: (row.tokens, row.id))


def as_batch(mels: torch.Tensor, rows: list[GptRow]) -> fast_gpt.GptBatch:
    """Rows with the conditioning of their voices. [K, 80, S]"""
    return fast_gpt.GptBatch(mels, [r.text for r in rows], [r.codes for r in rows], [r.places for r in rows])


class Sampler:
    """Batches of sentences of similar length, voice by voice, the same for the same step."""

    def __init__(self, rows: list[GptRow], corpus: PackedCorpus, *, steps: int) -> None:
        self.steps, self.corpus, self.mel = steps, corpus, mel_transform(2048)
        self.rows = rows
        self.of_voice = {voice: [row for row in rows if row.voice == voice] for voice in sorted({row.voice for row in rows})}
        self.lengths = {voice: [row.tokens for row in own] for voice, own in self.of_voice.items()}
        self.of_role = {role: sorted({row.voice for row in rows if row.role == role}) for role in VOICES}
        self.clips = {voice: [row for row in corpus.rows if row.voice == voice] for voice in self.of_voice}

    def batch(self, step: int) -> fast_gpt.GptBatch:
        """The batch of a step. Up to 70 tokens at first, all lengths after a third of the steps, joined pairs after half."""
        rng = np.random.default_rng((base.SEED, step))
        limit = 70 + (MAX_ROW_TOKENS - 70) * min(1.0, 3 * step / self.steps)
        allowed = bisect.bisect_right([row.tokens for row in self.rows], limit)
        length = self.rows[int(rng.integers(0, allowed))].tokens
        pair = step > self.steps / 2 and rng.random() < 0.3
        voices = [str(voice) for role, count in VOICES.items() for voice in rng.permutation(self.of_role[role])[:count]]
        share = max(1, round(TOKENS / len(voices) / (length * (2 if pair else 1))))
        rows = [row for voice in voices for row in self.near(rng, voice, length, share * (2 if pair else 1))]
        if pair:
            rows = [join(a, b) for a, b in zip(rows[::2], rows[1::2], strict=True)]
        samples = int(rng.uniform(1.2, 2.0 if step < self.steps / 3 else 4.0) * 22050)
        return as_batch(self.conditioning(rng, voices, samples), rows)

    def conditioning(self, rng: np.random.Generator, voices: Iterable[str], samples: int) -> torch.Tensor:
        """The mel of a random recording of each voice. [K, 80, S]"""
        return self.mel(torch.cat([self.corpus.slices(rng, 1, samples, rows=self.clips[voice]) for voice in voices]))

    def some_conditioning(self, count: int) -> torch.Tensor:
        """Always the same recordings of 3 s, of so many voices. [count, 80, S]"""
        return self.conditioning(np.random.default_rng(0), list(self.clips)[:count], 3 * 22050)

    def near(self, rng: np.random.Generator, voice: str, length: int, count: int) -> list[GptRow]:
        """Sentences of a voice whose length is nearest to `length`, drawn from a window a few times as wide as needed."""
        own = self.of_voice[voice]
        centre = bisect.bisect_left(self.lengths[voice], length)
        # Of few sentences, no more than are needed: their lengths differ, and the batch's longest row is computed for each.
        half_window = max(-(-count // 2), min(max(6, 2 * count), len(own) // 4))
        low = max(0, min(centre - half_window, len(own) - 2 * half_window))
        window = own[low : low + 2 * half_window]
        return [window[i] for i in rng.choice(len(window), count, replace=len(window) < count)]


def join(a: GptRow, b: GptRow) -> GptRow:
    """Two sentences of a voice, one after the other; the language token comes once."""
    space = torch.tensor([base.SPECIAL.index("[SPACE]")])
    text = torch.cat([a.text, space, b.text[1:]])
    return GptRow(a.id, a.voice, a.role, torch.cat([a.codes, b.codes]), text, torch.cat([a.places, b.places + len(a.text)]))
