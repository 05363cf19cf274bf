"""A voice: the folder of an XTTS model or of an adapter, and a reference recording. It speaks lines; known ones come from the cache."""

import functools
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from voz.audio import wav
from voz.model import device, generation, stored, synthesis, xtts
from voz.model.generation import Sampling
from voz.pipeline import cache, cache_folders, files, parallel
from voz.pipeline.command import UserError
from voz.pipeline.language import later, tr
from voz.text import normalize, tokens

STEP_VERSION = 3  # raise when the same line gets other samples; tests/test_voice.py holds golden ones
CONDITIONING_VERSION = 1  # raise when the same recording conditions otherwise
REFERENCE = "reference.wav"
_PCM = "pcm.npy"  # in an entry of the cache, float32 at 24 000 Hz: a wav's 16 bits would round


class Voice:
    """A model and its reference recording. The model is loaded when something is new to the cache, not before.

    Args:
        reference: mono wav at 22 050 Hz.
        where: the device of this process.
        base: the folder of the base, if `folder` holds an adapter.
        made_from: SHA-256 of the recording that the reference is a copy of, if it is one: `make forget` finds by it what was spoken.
        engine: what speaks lines. This process speaks as many at a time as the device takes, others a batch each.

    Attributes:
        model_hash, reference_hash: SHA-256 of the files that decide the model, and of the reference recording.

    Raises:
        UserError: a file is missing, or the adapter belongs to another base.
    """

    def __init__(
        self,
        folder: Path,
        reference: Path,
        where: torch.device,
        *,
        base: Path | None = None,
        made_from: str = "",
        engine: parallel.Engine = parallel.HERE,
    ) -> None:
        self.folder, self.reference, self.device, self.engine = folder, reference, where, engine
        self.stored = stored.find(folder, base)
        self.tokenizer = xtts.read_tokenizer(folder)
        self.model_hash, self.reference_hash = self.stored.hash, files.hash_file(reference)
        self.reference_hashes = [self.reference_hash, *([made_from] if made_from else [])]

    @functools.cached_property
    def model(self) -> xtts.Xtts:
        """The model, loaded on first use."""
        return self.stored.load(self.device)

    @functools.cached_property
    def conditioning(self) -> xtts.Conditioning:
        """The model's conditioning on the reference recording."""
        store = cache.Cache("conditioning", CONDITIONING_VERSION, params={}, model=self.model_hash)

        def work(reference: Path, entry: Path) -> None:
            made = xtts.conditioning(self.model, wav.read(reference))
            cache_folders.save_array(entry, "latents.npy", made.latents.cpu().numpy())
            cache_folders.save_array(entry, "speaker.npy", made.speaker.cpu().numpy())

        def load(entry: Path) -> xtts.Conditioning:
            return xtts.Conditioning(*(torch.from_numpy(np.load(entry / f"{name}.npy")).to(self.device) for name in ("latents", "speaker")))

        key = store.key(*self.reference_hashes)
        (conditioning,) = store.map([self.reference], key=lambda _: key, work=work, load=load, label="reference")
        return conditioning

    def readable(self, text: str) -> str:
        """A text as the model reads it: numbers and signs in words, without what its vocabulary lacks.

        Raises:
            UserError: nothing is left, or a letter is not in the vocabulary.
        """
        ready = tokens.fit(normalize.normalize(text), self.tokenizer)
        unknown = tokens.unknown_characters(ready, self.tokenizer)
        if unknown or not any(letter.isalnum() for letter in ready):
            what = tr("the voice does not know {unknown!r}", unknown=unknown) if unknown else tr("nothing to speak")
            raise UserError("text {text!r}: {what}", "write it in Spanish words", text=text, what=what)
        return ready

    def speak(self, lines: Sequence[synthesis.Line], sampling: Sampling, *, label: str = later("speak")) -> list[np.ndarray]:
        """Speak lines as `synthesis.speak` does, to the last bit.

        Returns:
            one array per line, float32 in [-1, 1] at 24 000 Hz. [T]

        Raises:
            UserError: a text is empty, or has more tokens than the model takes.
        """
        return [synthesis.join(parts) for parts in self.speak_parts(lines, sampling, label=label)]

    def speak_parts(self, lines: Sequence[synthesis.Line], sampling: Sampling, *, label: str = later("speak")) -> list[list[np.ndarray]]:
        """Like `speak`, with the parts of each line before they are joined."""
        sampling = Sampling(**{name: getattr(sampling, name) for name in Sampling.__dataclass_fields__})  # without a subclass's fields
        store = cache.Cache("speech", STEP_VERSION, params=vars(sampling), model=self.model_hash)

        def key(part: synthesis.Line) -> cache.Key:
            numbers = json.dumps([part.seed, part.occurrence, part.retry, part.part])
            return store.key(part.id, *self.reference_hashes, part.text, numbers)

        def here(missing: list[synthesis.Line]) -> Iterator[tuple[synthesis.Line, np.ndarray]]:
            return synthesis.speak_as_done(self.model, self.conditioning, missing, sampling)

        def from_cache(parts: list[synthesis.Line]) -> list[np.ndarray]:
            entries: dict[str, Any] = {"key": key, "save": _save, "load": _load, "label": label}
            if not self.engine.ray_address:
                return store.map_as_done(parts, work=here, unit="line", **entries)
            gpu = self.engine.gpu
            work = functools.partial(speak_batch, weights=self.stored, reference=self.reference, gpu=gpu, sampling=sampling)
            return store.map_batches(parts, batches=functools.partial(batches, gpu=gpu), work=work, engine=self.engine, **entries)

        return synthesis.in_parts(lines, self.tokenizer, from_cache)


def _save(entry: Path, pcm: np.ndarray) -> None:
    cache_folders.save_array(entry, _PCM, pcm)


def _load(entry: Path) -> np.ndarray:
    pcm: np.ndarray = np.load(entry / _PCM)
    return pcm


def batches(lines: Sequence[synthesis.Line], *, gpu: bool) -> list[list[synthesis.Line]]:
    """As many lines as a device speaks at a time, of similar length, the longest first."""
    ordered, size = sorted(lines, key=lambda line: -len(line.text)), generation.ROWS_ON_ACCELERATOR if gpu else generation.ROWS_ON_CPU
    return [ordered[start : start + size] for start in range(0, len(ordered), size)]


def speak_batch(
    lines: list[synthesis.Line], *, weights: stored.StoredModel, reference: Path, gpu: bool, sampling: Sampling
) -> list[np.ndarray]:
    """Speak parts of lines in a process of a cluster, which keeps the model. float32 in [-1, 1] at 24 000 Hz, [T] each"""
    spoken = dict(synthesis.speak_as_done(*_loaded(weights, reference, gpu), lines, sampling))
    return [spoken[line] for line in lines]


@functools.lru_cache(maxsize=1)
def _loaded(weights: stored.StoredModel, reference: Path, gpu: bool) -> tuple[xtts.Xtts, xtts.Conditioning]:
    model = weights.load(device.pick("cuda" if gpu else "cpu"))
    return model, xtts.conditioning(model, wav.read(reference))


def load_voice(
    folder: Path,
    where: torch.device,
    *,
    base: Path | None = None,
    reference: Path | None = None,
    made_from: str = "",
    engine: parallel.Engine = parallel.HERE,
) -> Voice:
    """The voice in a folder: what `stages/train.py` wrote, or any fine-tuned XTTS_v2 with its `config.json` and `vocab.json`.

    Args:
        base: the folder of the base. Only an adapter (`train.method: lora`) needs it.
        reference: mono wav at 22 050 Hz; the default is the folder's own.
        made_from, engine: see `Voice`.

    Raises:
        UserError: there is no voice in the folder, its vocabulary is damaged, or it is an adapter to another base.
    """
    wanted = stored.ADAPTED if stored.is_adapted(folder) else stored.WHOLE
    missing = [name for name in wanted if not (folder / name).is_file()]
    if missing:
        raise UserError(
            "{folder}: no voice ({missing} missing)", "{fix}", folder=folder, missing=", ".join(missing), fix=_cure(folder, missing)
        )
    if reference is None and not (folder / REFERENCE).is_file():
        raise UserError(
            "{folder}: no {reference} in it",
            "name a recording of the speaker, 6 s or more: `make speak SPEAKER_WAV=...`",
            folder=folder,
            reference=REFERENCE,
        )
    return Voice(folder, reference or folder / REFERENCE, where, base=base, made_from=made_from, engine=engine)


def _cure(folder: Path, missing: Sequence[str]) -> str:
    """What to do about missing model files."""
    checkpoints = sorted(path.name for path in folder.glob("best_model*.pth"))
    if "model.pth" in missing and checkpoints:
        return tr("rename {name} to model.pth", name=checkpoints[-1])
    if folder.name == "voice":
        return tr("run `dvc repro train`, or `dvc pull`")
    return tr("put the checkpoint there as model.pth, with the config.json and vocab.json that it was trained with")
