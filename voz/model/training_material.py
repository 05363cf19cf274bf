"""The clips that a training learns from and is judged on, and what the base makes of them once before it."""

import hashlib
import itertools
import json
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from voz.model import batches, clip_features, dvae, xtts
from voz.model.gpt_trainer import Trainer
from voz.pipeline import files, records
from voz.pipeline.command import UserError


@dataclass(frozen=True)
class Material:
    """The data of a training.

    examples: of the train and the eval split.
    clips: of each split, how many, by name; of the train split those that are learnt from.
    minutes: the same of their speech.
    train, held_out: the samples of the train and the eval split.
    data_hash: of the clips and texts of both splits.
    base_hash: of the base's files.
    dvae_hash: of those that decide the codes.
    """

    examples: list[records.Example]
    clips: dict[str, int]
    minutes: dict[str, float]
    train: list[batches.Sample]
    held_out: list[batches.Sample]
    data_hash: str
    base_hash: str
    dvae_hash: str

    @property
    def held_out_examples(self) -> list[records.Example]:
        """Those of the eval split."""
        return [example for example in self.examples if example.split == "eval"]

    def encoded(self, base: Path, where: torch.device) -> "Material":
        """The material with the audio codes of all clips."""
        samples = clip_features.with_codes([*self.train, *self.held_out], base, self.dvae_hash, where)
        return replace(self, train=samples[: len(self.train)], held_out=samples[len(self.train) :])

    def conditioned(self, trainer: Trainer, conditioning: str) -> "Material":
        """The material with the latents that `conditioning: other_clip` needs; unchanged for same_clip. The conditioning encoder is
        frozen."""
        trainer.learning(False)
        if conditioning == "same_clip":
            return self
        return replace(self, train=clip_features.with_latents(self.train, trainer.xtts, self.base_hash))


def gather(dataset: Path, base: Path, *, min_minutes: float, max_minutes: float = 0.0) -> Material:
    """Read and check the train and eval clips.

    Args:
        max_minutes: of the train split, see `first_minutes`; 0 is all.

    Raises:
        UserError: a split is empty, the train split has less than `min_minutes`, or a clip cannot be used (it is named).
    """
    tokenizer = xtts.read_tokenizer(base)
    everything = records.read(dataset, records.Example)
    splits: dict[str, list[records.Example]] = {name: [e for e in everything if e.split == name] for name in records.SPLITS}
    for name, found in splits.items():
        if not found:
            raise UserError(
                "{dataset}: no clip in the {name} split", "add notes, or see reports/ledger/curate.csv", dataset=dataset, name=name
            )
    if minutes_of(splits["train"]) < min_minutes:
        raise UserError(
            "{dataset}: {minutes:.1f} min of training speech, and train.min_minutes is {least:g}",
            "add notes (see reports/ledger/curate.csv for what was left out), or lower it for a trial",
            dataset=dataset,
            minutes=minutes_of(splits["train"]),
            least=min_minutes,
        )
    if max_minutes:
        splits["train"] = first_minutes(splits["train"], max_minutes)
    train, held_out = (batches.load(splits[name], dataset / "wavs", tokenizer) for name in ("train", "eval"))
    used = {e.id for e in (*splits["train"], *splits["eval"])}
    examples = [e for e in everything if e.id in used]
    hashes = {name: files.hash_file(base / name) for name in xtts.BASE_FILES}
    dvae_hash = files.combined_hash({name: hashes[name] for name in dvae.FILES})
    clips = {name: len(found) for name, found in splits.items()}
    minutes = {name: minutes_of(found) for name, found in splits.items()}
    data_hash = hash_of(examples, [*train, *held_out])
    return Material(examples, clips, minutes, train, held_out, data_hash, files.combined_hash(hashes), dvae_hash)


def minutes_of(examples: list[records.Example]) -> float:
    """Their speech in minutes."""
    return sum(example.duration_s for example in examples) / 60


def first_minutes(examples: list[records.Example], minutes: float) -> list[records.Example]:
    """So many minutes of them, note by note; at least one clip. Less is always a part of more.

    The order is that of the ids, which are hashes of the notes: a draw, and the same each time.
    """
    ordered = sorted(examples, key=lambda e: e.id)
    lengths_s = itertools.accumulate(example.duration_s for example in ordered)
    return ordered[: max(1, sum(length_s <= 60 * minutes for length_s in lengths_s))]


def hash_of(examples: list[records.Example], samples: list[batches.Sample]) -> str:
    """Of clips and their texts."""
    sha256 = {sample.id: sample.sha256 for sample in samples}
    lines = [json.dumps([e.id, e.split, e.normalized, sha256[e.id]]) for e in sorted(examples, key=lambda e: e.id)]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
