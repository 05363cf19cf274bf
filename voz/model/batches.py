"""The clips of a dataset as batches for the GPT trainer.

Every clip comes exactly once an epoch. Order and conditioning slice follow from (seed, epoch, clip id) alone: not from a
global generator, not from the file system, not from where a run was interrupted, not from which other clips there are.
The one exception: where other clips condition, a clip's reference is the next clip of the order.
A clip that cannot be used is an error that names it; it is never swapped for another one.
"""

import hashlib
import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from voz.audio import limits, wav
from voz.model.xtts import VoiceBpeTokenizer
from voz.pipeline import files
from voz.pipeline.command import UserError
from voz.pipeline.records import Example
from voz.text import tokens

STRIDE = 1024  # samples of 22 050 Hz per audio code (XttsArgs.gpt_code_stride_len)
MIN_REST = wav.SAMPLE_RATE_HZ  # a slice leaves at least this much of its clip, or it shrinks to half the clip


@dataclass(frozen=True)
class Sample:
    """One clip, ready but for its conditioning slice.

    sha256: of the clip's file, hex.
    tokens: text of the clip. int64 [L]
    length: samples at 22 050 Hz.
    codes: audio codes of the clip, empty until the DVAE has encoded it. int64 [ceil(length / 1024)]
    latents: conditioning latents of the whole clip, empty unless other clips are conditioned on it. float32 [32, C]
    """

    id: str
    path: Path
    sha256: str
    tokens: torch.Tensor
    length: int
    codes: torch.Tensor = field(default_factory=lambda: torch.empty(0, dtype=torch.int64))
    latents: torch.Tensor = field(default_factory=lambda: torch.empty(0, 0))


@dataclass(frozen=True)
class Batch:
    """Padded tensors of some clips.

    text [B, L] int64, text_lengths [B], codes [B, C] int64, wav_lengths [B] in samples, conditioning [B, S] float32 in
    [-1, 1] (each clip's slice, zeros after it), slices [B, 2] (start, end of the slice in samples of its clip), latents
    [B, 32, C] float32 (of other clips; [B, 0, 0] where the slices condition the GPT).
    """

    text: torch.Tensor
    text_lengths: torch.Tensor
    codes: torch.Tensor
    wav_lengths: torch.Tensor
    conditioning: torch.Tensor
    slices: torch.Tensor
    latents: torch.Tensor

    def to(self, device: torch.device) -> "Batch":
        """The same batch on a device."""
        return replace(self, **{name: value.to(device) for name, value in vars(self).items()})


def load(examples: Iterable[Example], wavs: Path, tokenizer: VoiceBpeTokenizer) -> list[Sample]:
    """Check every clip against the trainer's limits, in the order of their ids.

    Args:
        wavs: folder of `<id>.wav`.

    Raises:
        UserError: a clip is missing, unreadable, too short, too long, or its text holds unknown tokens; names the clip.
    """
    return [_load(example, wavs / f"{example.id}.wav", tokenizer) for example in sorted(examples, key=lambda e: e.id)]


def _load(example: Example, path: Path, tokenizer: VoiceBpeTokenizer) -> Sample:
    mend = "mend or reject the clip in the corrections file, then run `dvc repro`"
    try:
        length, sha256 = wav.samples(path), files.hash_file(path)
    except (OSError, ValueError, RuntimeError) as error:  # soundfile's own error is a RuntimeError
        raise UserError(f"{path}: unreadable ({str(error).splitlines()[0]})", "`dvc checkout data/dataset`") from error
    if not limits.MIN_SAMPLES <= length <= limits.MAX_SAMPLES:
        raise UserError(f"{path}: {length} samples; the trainer takes {limits.MIN_SAMPLES} to {limits.MAX_SAMPLES}", mend)
    ids = tokenizer.encode(example.normalized, tokens.LANGUAGE)
    unknown, stop = (tokenizer.tokenizer.token_to_id(name) for name in ("[UNK]", "[STOP]"))
    if not example.normalized.strip() or unknown in ids or stop in ids:
        raise UserError(f"{path}: its text {example.normalized!r} is empty or holds characters the base does not know", mend)
    if len(ids) > limits.MAX_TEXT_TOKENS:
        raise UserError(f"{path}: its text has {len(ids)} tokens; the trainer takes {limits.MAX_TEXT_TOKENS}", mend)
    return Sample(example.id, path, sha256, torch.tensor(ids), length)


def epoch(samples: Sequence[Sample], *, batch_size: int, seed: int, number: int, other_clip: bool) -> list["PlannedBatch"]:
    """The batches of epoch `number`, not yet read from disk: every sample once, the last batch may be smaller.

    Args:
        other_clip: each clip is conditioned on the next one of the epoch's order (its `latents`, which must be there) instead of
            on a slice of itself; then none of its codes is masked.
    """
    ordered = sorted(samples, key=lambda s: hashlib.sha256(f"{seed}:{number}:{s.id}".encode()).digest())
    references = ordered[1:] + ordered[:1] if other_clip else []
    clips = [(s, (0, 0) if other_clip else training_slice(s, seed=seed, epoch=number)) for s in ordered]
    return [PlannedBatch(clips[i : i + batch_size], references[i : i + batch_size]) for i in range(0, len(clips), batch_size)]


@dataclass(frozen=True)
class PlannedBatch:
    """The clips of a batch with their conditioning slices (start, end in samples), or the clips that condition them instead."""

    clips: list[tuple[Sample, tuple[int, int]]]
    references: Sequence[Sample] = ()

    def read(self) -> Batch:
        """Read the slices and pad everything. Each file is read once; none where other clips condition."""
        samples, slices = [sample for sample, _ in self.clips], [where for _, where in self.clips]
        return Batch(
            text=_pad([sample.tokens for sample in samples]),
            text_lengths=torch.tensor([len(sample.tokens) for sample in samples]),
            codes=_pad([sample.codes for sample in samples]),
            wav_lengths=torch.tensor([sample.length for sample in samples]),
            conditioning=torch.empty(len(samples), 0) if self.references else self._slices(),
            slices=torch.tensor(slices),
            latents=torch.stack([sample.latents for sample in self.references or samples]),
        )

    def _slices(self) -> torch.Tensor:
        pcms = [torch.from_numpy(wav.read(sample.path)[start:end]) for sample, (start, end) in self.clips]
        return _pad(pcms, limits.MAX_CONDITIONING_SAMPLES)


def training_slice(sample: Sample, *, seed: int, epoch: int) -> tuple[int, int]:
    """The slice of a clip that conditions the GPT, (start, end) in samples: 3 to 6 s anywhere in it.

    coqui's rule (`get_prompt_slice`), with its own generator, and one difference: where the slice would leave less than a
    second of the clip, not only where it is longer than the clip, half the clip is taken. Otherwise the prompt mask would
    leave nothing of such a clip to learn from.
    """
    drawn = random.Random(f"{seed}:{epoch}:{sample.id}")
    length = drawn.randint(limits.MIN_CONDITIONING_SAMPLES, limits.MAX_CONDITIONING_SAMPLES)
    if sample.length - length < MIN_REST:
        length = sample.length // 2
    start = drawn.randint(0, sample.length - length)
    return start, start + length


def eval_slice(sample: Sample) -> tuple[int, int]:
    """coqui's slice for evaluation: from the start, of middle length (4.5 s), half the clip where that is too long."""
    length = (limits.MIN_CONDITIONING_SAMPLES + limits.MAX_CONDITIONING_SAMPLES) // 2
    return 0, length if length <= sample.length else sample.length // 2


def singles(samples: Sequence[Sample]) -> Iterator[tuple[Sample, Batch]]:
    """Each sample as a batch of its own for evaluation, so that a clip's loss does not depend on its neighbours."""
    for sample in samples:
        yield sample, PlannedBatch([(sample, eval_slice(sample))]).read()


def pcm(sample: Sample) -> np.ndarray:
    """The whole clip. float32 [T]"""
    return wav.read(sample.path)


def _pad(rows: list[torch.Tensor], width: int = 0) -> torch.Tensor:
    """Stack rows, zeros after the shorter ones. [B, max length or `width`]"""
    width = width or max(len(row) for row in rows)
    return torch.stack([F.pad(row, (0, width - len(row))) for row in rows])
