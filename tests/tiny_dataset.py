"""A dataset of a few seconds, as curate writes it: one espeak-ng voice, one clip per note."""

import hashlib
import subprocess
from pathlib import Path

from voz.audio import wav
from voz.data import consent
from voz.pipeline import records

TRAIN = (
    "bueno muchachos, gracias por la bancada.",
    "che, vos sabés que ayer llovía muchísimo en la calle.",
    "mirá, yo ya te dije que no puedo ir mañana.",
    "dale, avisame cuando llegues y te abro la puerta.",
    "me parece que el colectivo ya pasó, caminemos un poco.",
)
EVAL = ("no sé, fijate vos qué te conviene más.", "la verdad que estuvo muy lindo el asado.")
TEST = ("después te cuento bien cómo fue todo.",)


def make(folder: Path, *, train: int = len(TRAIN)) -> list[records.Example]:
    """Write `manifest.jsonl`, `wavs/` and `consent.yaml`; `train` of the sentences are in the train split."""
    (folder / "wavs").mkdir(parents=True)
    texts = [("train", t) for t in TRAIN[:train]] + [("eval", t) for t in EVAL] + [("test", t) for t in TEST]
    examples = [_example(folder / "wavs", split, text) for split, text in texts]
    records.write(folder, examples)
    words = consent.Consent("Voz de prueba", "2026-05-12", consent.STATEMENT, consent.SCOPE)
    consent.write(folder, words)
    return examples


def _example(wavs: Path, split: str, text: str) -> records.Example:
    note = hashlib.sha256(text.encode()).hexdigest()[:12]
    spoken = wavs / "spoken.wav"
    subprocess.run(["espeak-ng", "-v", "es-419", "-s", "150", "-w", str(spoken), text], check=True)
    pcm = wav.read(spoken)
    spoken.unlink()
    length_s = len(pcm) / wav.SAMPLE_RATE_HZ
    name = f"{note}-0000000-{round(length_s * 1000):07d}"
    wav.write(wavs / f"{name}.wav", pcm)
    return records.Example(name, note, split, text, text, length_s, True, {"snr_db": 30.0})
