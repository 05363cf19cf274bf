"""1 200 voices beside espeak-ng's own: variants drawn at random from the ranges that its own variants span.

Fifty vocal tracts are too few for a model to generalise to another. espeak-ng reads variants from its data folder, so a copy of
that folder, Spanish alone, holds some of them and is given as `--path`. The keywords are explained in espeak-ng's docs/voices.md.
"""

import os
import random
import shutil
import subprocess
import tempfile
from pathlib import Path

COUNT = 1200
OF_FOLDER = 300  # espeak-ng 1.51 reads 349 voices of one folder at most
PREFIX = "drawn"
TRACT = (0.88, 1.14)  # all formants together: length of the vocal tract
JITTER = 0.04  # each formant beside that


def name(number: int) -> str:
    """What espeak-ng calls a drawn variant."""
    return f"{PREFIX}{number:03d}"


def text(number: int) -> str:
    """The variant file of one drawn voice."""
    rng = random.Random(f"variant {number}")
    tract = rng.uniform(*TRACT)
    low_hz = round(65 * 3.2 ** rng.random())  # 65 to 208
    lines = ["language variant", f"name {name(number)}", f"pitch {low_hz} {round(low_hz * rng.uniform(1.2, 1.7))}"]
    for formant in range(9):
        place = 100 * (tract if formant else 1) * (1 + rng.uniform(-JITTER, JITTER))
        strength = rng.uniform(40, 125) if formant >= 3 else rng.uniform(70, 140)
        if formant >= 7 and rng.random() < 0.4:
            strength = 0
        lines.append(f"formant {formant} {place:.0f} {strength:.0f} {rng.uniform(55, 125):.0f}")
    lines += [line for chance, line in _extras(rng) if rng.random() < chance]
    return "\n".join(lines) + "\n"


def _extras(rng: random.Random) -> list[tuple[float, str]]:
    """(how likely, line) of what only some variants have."""

    def draw(low: int, high: int) -> int:
        return rng.randint(low, high)

    return [
        (0.4, f"echo {draw(10, 120)} {draw(10, 45)}"),
        (0.5, f"voicing {draw(60, 140)}"),
        (0.5, f"consonants {draw(60, 125)} {draw(60, 125)}"),
        (0.4, f"tone 600 {draw(120, 255)} 1200 {draw(60, 255)} 2000 {draw(60, 255)}"),
        (0.3, f"flutter {draw(0, 8)}"),
        (0.3, f"roughness {draw(0, 4)}"),
        (0.4, f"intonation {draw(1, 4)}"),
        (0.2, f"stressAdd {draw(0, 30)} {draw(0, 30)} 0 0 0 0 {draw(-30, 60)} {draw(-30, 60)}"),
        (0.1, f"breath 0 {draw(5, 30)} {draw(5, 30)} {draw(5, 20)} 0 0"),
        (0.06, f"klatt {draw(1, 4)}"),
    ]


def folder_of(variant: str) -> str:
    """The one of the folders that `write` makes in which a drawn variant lies."""
    return str(int(variant.removeprefix(PREFIX)) // OF_FOLDER)


def write(folder: Path) -> None:
    """Make folders of what espeak-ng's `--path` takes, its data and some of the drawn variants each, unless they are there."""
    if folder.is_dir():
        return
    shown = subprocess.run(["espeak-ng", "--version"], capture_output=True, check=True, text=True).stdout
    installed = shown.rpartition("Data at:")[2].strip()
    draft = Path(tempfile.mkdtemp(dir=folder.parent))
    for first in range(0, COUNT, OF_FOLDER):
        data = shutil.copytree(installed, draft / folder_of(name(first)) / "espeak-ng-data")
        for other in (*(data / "lang").rglob("*"), *(data / "voices").rglob("*")):
            if other.is_file() and not other.name.startswith("es"):
                other.unlink()
        for number in range(first, first + OF_FOLDER):
            (data / "voices" / "!v" / name(number)).write_text(text(number), encoding="utf-8")
    os.replace(draft, folder)
