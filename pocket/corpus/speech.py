"""Spanish speech from espeak-ng, with ⟨ll, y⟩ as [ʝ] or as [ʃ].

Sheísmo: the phonemes of each clause (`espeak-ng -x`) with the three mnemonics of ⟨ll, y⟩ replaced by that of [ʃ], put back
in double brackets. The punctuation stays as text, so the clauses keep their melody.
"""

import io
import re
import subprocess
from pathlib import Path

import numpy as np
import soundfile as sf

from pocket.corpus.voices import SHE, Voice

LANGUAGE = "es-419"  # `es` has [θ], and writes *calle* as l^
SAMPLE_RATE_HZ = 22_050  # espeak-ng's own
_YE = re.compile(r"J\^|jj|dZ")  # dZ: after a nasal (*un yate*); nothing else in Spanish has it
_CLAUSE = re.compile(r"[^.,;:!?…]+[.,;:!?…]*\s*")
_EDGE_S = 0.1  # silence kept before and after
_SILENCE_DB = -50.0  # below the clip's peak


def speak(text: str, voice: Voice, *, data: Path | None = None) -> np.ndarray:
    """Say `text`. Returns mono float32 in [-1, 1] at 22 050 Hz, [T], with at most 0.1 s of silence at each end.

    Args:
        data: espeak-ng's data folder with drawn variants (pocket/corpus/variants.py); its own without it.

    Raises:
        ValueError: espeak-ng gave no sound.
        subprocess.CalledProcessError: espeak-ng failed.
    """
    spoken = by_phonemes(text, voice.accent) if voice.accent == SHE or voice.by_phonemes else text
    options = ["-p", str(voice.pitch), "-s", str(voice.rate_wpm), "-g", str(voice.gap), "-z", "--stdout"]
    options += [f"--path={data}"] if data else []
    wav = _espeak(["-v", f"{LANGUAGE}+{voice.variant}", *options], spoken)
    pcm, rate_hz = sf.read(io.BytesIO(_with_true_length(wav)), dtype="float32")
    if not pcm.size or rate_hz != SAMPLE_RATE_HZ:
        raise ValueError(f"espeak-ng gave {pcm.size} samples at {rate_hz} Hz for {text!r} as {voice.name}")
    return _trim(pcm)


def phonemes(text: str) -> list[str]:
    """espeak-ng's mnemonics of `text`, one string per clause."""
    return _espeak(["-v", LANGUAGE, "-x", "-q"], text).decode().split("\n")[:-1]


def by_phonemes(text: str, accent: str) -> str:
    """`text` with the clauses that hold ⟨ll, y⟩ written as phonemes of the accent."""
    return "".join(_clause_by_phonemes(clause, accent) for clause in _CLAUSE.findall(text.replace("¿", "").replace("¡", "")))


def _clause_by_phonemes(clause: str, accent: str) -> str:
    spoken = " ".join(line.strip() for line in phonemes(clause))
    if not _YE.search(spoken):
        return clause
    end = re.search(r"[.,;:!?…]*\s*$", clause)
    return f"[[{_YE.sub('S', spoken) if accent == SHE else spoken}]]{end.group() if end else ''}"


def _espeak(arguments: list[str], text: str) -> bytes:
    return subprocess.run(["espeak-ng", *arguments], input=text.encode(), capture_output=True, check=True).stdout


def _with_true_length(wav: bytes) -> bytes:
    """espeak-ng cannot seek in a pipe: its header claims 2 GB of samples. Write the true sizes."""
    data = wav.index(b"data")
    riff = (len(wav) - 8).to_bytes(4, "little")
    return wav[:4] + riff + wav[8 : data + 4] + (len(wav) - data - 8).to_bytes(4, "little") + wav[data + 8 :]


def _trim(pcm: np.ndarray) -> np.ndarray:
    loud = np.flatnonzero(np.abs(pcm) > np.abs(pcm).max() * 10 ** (_SILENCE_DB / 20))
    edge = int(_EDGE_S * SAMPLE_RATE_HZ)
    return pcm[max(0, int(loud[0]) - edge) : int(loud[-1]) + edge]
