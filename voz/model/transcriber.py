"""What Whisper transcribes of speech that a model made, each recording once."""

import functools
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from voz.audio import wav
from voz.model import whisper
from voz.pipeline import cache, cache_folders, files
from voz.pipeline.language import later

GREEDY_VERSION = 2  # raise when `Transcriber` gives another text for the same samples; tests/test_transcribe.py holds golden ones


class Transcriber:
    """Transcribes speech that a model made: greedily, and without a prompt, whose words would hide mistakes.

    Recordings that were transcribed before come from the cache. The checkpoint is loaded when one is new to it, not before.

    Raises:
        UserError: there is no checkpoint.
    """

    def __init__(self, path: Path, device: torch.device) -> None:
        whisper.require(path)
        self.path, self.device, self.hash = path, device, files.hash_file(path)

    @functools.cached_property
    def model(self) -> whisper.Whisper:
        """The model, loaded on first use."""
        return whisper.load(self.path, self.device)

    def release(self) -> None:
        """Free the model's memory; the next use loads it again."""
        self.__dict__.pop("model", None)

    def texts(self, pcms: Sequence[np.ndarray], *, rate_hz: int, ids: Sequence[str], label: str = later("whisper")) -> list[str]:
        """The text of each recording.

        Args:
            pcms: float32 in [-1, 1] at `rate_hz`, of any length. [T] each
            ids: of the clip or the record that each belongs to.
        """
        store = cache.Cache("whisper", GREEDY_VERSION, params={"rate_hz": rate_hz}, model=self.hash)

        def work(batch: list[tuple[str, np.ndarray]]) -> list[str]:
            resampled = [wav.resample(pcm, rate_hz, wav.ASR_RATE_HZ) for _, pcm in batch]
            seeds = [whisper.seed_of(name) for name, _ in batch]
            return [each.text for each in whisper.transcribe(self.model, resampled, prompt="", temperatures=[0.0], seeds=seeds)]

        return store.map_batches(
            list(zip(ids, pcms, strict=True)),
            key=lambda item: store.key(item[0], wav.hash_samples(item[1])),
            batches=lambda missing: [missing[start : start + whisper.BATCH] for start in range(0, len(missing), whisper.BATCH)],
            work=work,
            save=lambda entry, text: cache_folders.save_json(entry, "transcription.json", {"text": text}),
            load=lambda entry: str(cache_folders.load_json(entry, "transcription.json")["text"]),
            label=label,
        )
