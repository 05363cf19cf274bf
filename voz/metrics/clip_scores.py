"""How each clip sounds and who speaks in it: measured once, then kept in scratch."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from voz.audio import wav
from voz.metrics import filters
from voz.model import device, xtts
from voz.pipeline import cache, parallel, params, records

if TYPE_CHECKING:
    from TTS.tts.models.xtts import Xtts

STEP_VERSION = 1  # raise when the same samples measure otherwise; tests/test_curate.py holds a golden output


@dataclass(frozen=True)
class Heard:
    """Sound and speaker of a clip. embedding: unit length. [512]"""

    sound: filters.Sound
    embedding: np.ndarray


def measure(folder: Path, clips: list[records.Clip], base: Path, compute: params.Compute) -> list[Heard]:
    """Measure `<clip id>.wav` of `folder`, in the order of `clips`. The base is loaded only if something is new."""
    memo = cache.Scratch("curate", STEP_VERSION, params={}, model=cache.hash_files(base, ["config.json", "model.pth"]))
    keys = [memo.key(clip.id, cache.hash_file(folder / f"{clip.id}.wav")) for clip in clips]
    new = [at for at, key in enumerate(keys) if memo.get(key) is None]
    if new:
        model = xtts.load_model(base, device=device.pick(compute.device))
        for at in parallel.progress(new, total=len(new), label="curate", unit="clip"):
            pcm = wav.read(folder / f"{clips[at].id}.wav")
            with memo.put(keys[at]) as entry:
                _store(entry, Heard(filters.listen(pcm), embed(model, pcm)))
    cache.log("curate", computed=len(new), reused=len(clips) - len(new), device=compute.device)
    return [_stored(memo.path(key)) for key in keys]


@torch.inference_mode()
def embed(model: "Xtts", pcm: np.ndarray) -> np.ndarray:
    """Who speaks, by the base's own speaker encoder: unit length. float32 [T] at 22 050 Hz -> [512]"""
    samples = torch.from_numpy(pcm)[None].to(model.device)
    vector: np.ndarray = model.get_speaker_embedding(samples, wav.SAMPLE_RATE_HZ).flatten().float().cpu().numpy()
    return vector


def _store(entry: Path, heard: Heard) -> None:
    np.save(entry / "envelope.npy", heard.sound.envelope)
    np.save(entry / "embedding.npy", heard.embedding)
    numbers = {name: value for name, value in asdict(heard.sound).items() if name != "envelope"}
    cache.write_json(entry, "sound.json", numbers)


def _stored(entry: Path) -> Heard:
    numbers = json.loads((entry / "sound.json").read_text(encoding="utf-8"))
    return Heard(filters.Sound(**numbers, envelope=np.load(entry / "envelope.npy")), np.load(entry / "embedding.npy"))
