"""Folders as segment and transcribe write them, made from tests/fixtures/clips (espeak-ng speech, coded as Opus at 16 kb/s)."""

import csv
import hashlib
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import soundfile

from voz.audio import wav
from voz.pipeline import records

FIXTURES = Path(__file__).parent / "fixtures" / "clips"
PROMPT = "Che, ¿vos qué querés?"


@cache
def texts() -> dict[str, str]:
    """The text of each fixture, by its name."""
    with open(FIXTURES / "texts.csv", encoding="utf-8", newline="") as file:
        return {row["name"]: row["text"] for row in csv.DictReader(file)}


@cache
def pcm(name: str) -> np.ndarray:
    """A fixture at 22 050 Hz, float32. [T]"""
    source, rate_hz = soundfile.read(FIXTURES / f"{name}.ogg", dtype="float32")
    return wav.resample(source, rate_hz, wav.SAMPLE_RATE_HZ)


def clip_of(note: str, samples: np.ndarray) -> records.Clip:
    """The record of a clip that is a whole note, with the levels of clean speech. float32 [T]"""
    length_s = len(samples) / wav.SAMPLE_RATE_HZ
    note_id = hashlib.sha256(note.encode()).hexdigest()[:12]
    speech_s = max(0.1, length_s - 0.5)
    name = f"{note_id}-0000000-{round(length_s * 1000):07d}"
    return records.Clip(name, note_id, 0.0, length_s, length_s, speech_s, -20.0, -60.0, -60.0, -60.0)


def transcript_of(clip: records.Clip, text: str, **changes: object) -> records.Transcript:
    """The transcript of a Whisper that is sure of it, except for `changes`."""
    sure = records.Transcript(clip.id, text, -0.2, 0.01, 1.2, 0.0, "es", 0.99)
    return replace(sure, **changes)


def write_clips(folder: Path, sounds: dict[str, np.ndarray], **changes: records.Clip) -> dict[str, records.Clip]:
    """Write `<clip id>.wav` and the manifest, and return the records by the sounds' names; `changes` replaces some of them."""
    folder.mkdir(parents=True, exist_ok=True)
    clips = {name: changes.get(name, clip_of(name, samples)) for name, samples in sounds.items()}
    for name, clip in clips.items():
        wav.write(folder / f"{clip.id}.wav", sounds[name])
    records.write(folder, clips.values())
    return clips
