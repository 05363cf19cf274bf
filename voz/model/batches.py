"""The clips of a dataset as batches for the GPT trainer.

Every clip comes exactly once an epoch. Its place in the order and its conditioning slice follow from (seed, epoch, clip id) alone:
neither a global generator, nor the file system, nor an interruption, nor the other clips change them. The only exception is
`conditioning: other_clip`, where a clip is conditioned on the next clip of the order.
A clip that cannot be used is an error that names it; coqui's dataset would silently return another one.
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
from voz.pipeline.language import later
from voz.pipeline.records import Example
from voz.text import tokens

MIN_REST = wav.SAMPLE_RATE_HZ  # samples of a clip outside its slice; see `training_slice`


@dataclass(frozen=True)
class Sample:
    """One clip and its text.

    sha256: of the clip's file, hex.
    tokens: of the text. int64 [L]
    length: samples at 22 050 Hz.
    codes: audio codes, see `clip_features.with_codes`; empty before. int64 [ceil(length / 1024)]
    latents: conditioning latents of the whole clip, see `clip_features.with_latents`; empty before. float32 [32, C]
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
    """Padded tensors of some clips. Lengths and slices are always on the CPU.

    text: tokens. int64 [B, L]
    text_lengths: tokens of each text. int64 [B]
    codes: audio codes. int64 [B, C]
    wav_lengths: samples of each clip. int64 [B]
    conditioning: the slice of each clip, zeros after it; [B, 0] with latents. float32 in [-1, 1] [B, S]
    slices: start and end of each slice in its clip, in samples. int64 [B, 2]
    latents: conditioning latents of other clips; [B, 0, 0] where the slices condition the GPT. float32 [B, 32, C]
    """

    text: torch.Tensor
    text_lengths: torch.Tensor
    codes: torch.Tensor
    wav_lengths: torch.Tensor
    conditioning: torch.Tensor
    slices: torch.Tensor
    latents: torch.Tensor

    def to(self, device: torch.device) -> "Batch":
        """The same batch, with what the model reads on a device."""
        return replace(self, **{name: getattr(self, name).to(device) for name in ("text", "codes", "conditioning", "latents")})


def load(examples: Iterable[Example], wavs: Path, tokenizer: VoiceBpeTokenizer) -> list[Sample]:
    """Check every clip against the trainer's limits, in the order of their ids.

    Args:
        wavs: folder of `<id>.wav`.

    Raises:
        UserError: a clip is missing, unreadable, too short, too long, or its text holds unknown tokens; names the clip.
    """
    return [_load(example, wavs / f"{example.id}.wav", tokenizer) for example in sorted(examples, key=lambda e: e.id)]


def _load(example: Example, path: Path, tokenizer: VoiceBpeTokenizer) -> Sample:
    """The sample of one clip, see `load`."""
    fix = later("correct or reject the clip in the corrections file, then run `dvc repro`")
    length, sha256 = wav.samples(path), files.hash_file(path)
    if not limits.MIN_SAMPLES <= length <= limits.MAX_SAMPLES:
        raise UserError(
            "{path}: {length} samples; the trainer takes {least} to {most}",
            fix,
            path=path,
            length=length,
            least=limits.MIN_SAMPLES,
            most=limits.MAX_SAMPLES,
        )
    ids = tokenizer.encode(example.normalized, tokens.LANGUAGE)
    unknown, stop = (tokenizer.tokenizer.token_to_id(name) for name in ("[UNK]", "[STOP]"))
    if not example.normalized.strip() or unknown in ids or stop in ids:
        raise UserError(
            "{path}: its text {text!r} is empty or holds characters the base does not know", fix, path=path, text=example.normalized
        )
    if len(ids) > limits.MAX_TEXT_TOKENS:
        raise UserError(
            "{path}: its text has {count} tokens; the trainer takes {most}", fix, path=path, count=len(ids), most=limits.MAX_TEXT_TOKENS
        )
    return Sample(example.id, path, sha256, torch.tensor(ids), length)


def epoch(samples: Sequence[Sample], *, batch_size: int, seed: int, number: int, other_clip: bool) -> list["PlannedBatch"]:
    """The batches of epoch `number`, whose clips are not read yet: every sample once; the last batch may be smaller.

    Args:
        other_clip: condition each clip on the `latents` of the next clip of the order instead of on a slice of itself. No code is
            masked then.
    """
    ordered = sorted(samples, key=lambda s: hashlib.sha256(f"{seed}:{number}:{s.id}".encode()).digest())
    references = ordered[1:] + ordered[:1] if other_clip else []
    clips = [(s, (0, 0) if other_clip else training_slice(s, seed=seed, epoch=number)) for s in ordered]
    return [PlannedBatch(clips[i : i + batch_size], references[i : i + batch_size]) for i in range(0, len(clips), batch_size)]


@dataclass(frozen=True)
class PlannedBatch:
    """A batch that is not read yet.

    clips: with the slice (start, end in samples) of each that conditions the GPT.
    references: the clips that condition them instead, one each, if there are any.
    """

    clips: list[tuple[Sample, tuple[int, int]]]
    references: Sequence[Sample] = ()

    def read(self) -> Batch:
        """Read the slices and pad all rows. With references no file is read."""
        samples, slices = [sample for sample, _ in self.clips], [slice_ for _, slice_ in self.clips]
        return Batch(
            text=_pad([sample.tokens for sample in samples]),
            text_lengths=torch.tensor([len(sample.tokens) for sample in samples]),
            codes=_pad([sample.codes for sample in samples]),
            wav_lengths=torch.tensor([sample.length for sample in samples]),
            conditioning=torch.empty(len(samples), 0) if self.references else self._slices(),
            slices=torch.tensor(slices),
            latents=torch.stack([each.latents for each in self.references]) if self.references else torch.empty(len(samples), 0, 0),
        )

    def _slices(self) -> torch.Tensor:
        """The slices of the clips. float32 [B, S]"""
        pcms = [torch.from_numpy(wav.read(sample.path)[start:end]) for sample, (start, end) in self.clips]
        return _pad(pcms, limits.MAX_CONDITIONING_SAMPLES)


def training_slice(sample: Sample, *, seed: int, epoch: int) -> tuple[int, int]:
    """The slice of a clip that conditions the GPT in training, (start, end) in samples: 3 to 6 s anywhere in it.

    coqui's rule (`get_prompt_slice`), with a generator of its own and one difference: coqui takes half the clip where the slice is
    longer than the clip; here also where the slice leaves less than a second of it, because the prompt mask would leave almost no
    code of such a clip in the loss.
    """
    drawn = random.Random(f"{seed}:{epoch}:{sample.id}")
    length = drawn.randint(limits.MIN_CONDITIONING_SAMPLES, limits.MAX_CONDITIONING_SAMPLES)
    if sample.length - length < MIN_REST:
        length = sample.length // 2
    start = drawn.randint(0, sample.length - length)
    return start, start + length


def eval_slice(sample: Sample) -> tuple[int, int]:
    """coqui's slice for evaluation, (start, end) in samples: the first 4.5 s, or half of a clip that is shorter."""
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
    """Stack rows, with zeros after the shorter ones. [L] each -> [B, longest L or `width`]"""
    width = width or max(len(row) for row in rows)
    return torch.stack([F.pad(row, (0, width - len(row))) for row in rows])
