"""Figures of a line that follow from its samples, as recorded or as a model speaks it; kept in the cache."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from voz.audio import wav
from voz.metrics import espeak, measures, pitch
from voz.metrics.accent import summary as accent
from voz.model import xtts
from voz.pipeline import cache, cache_folders

STEP_VERSION = 3  # raise when the same samples give other figures; tests/test_line_scores.py holds golden ones

Figures = dict[str, float]  # by name; a figure that cannot be measured is left out


@dataclass(frozen=True)
class LineAudio:
    """A line as one voice speaks it.

    id: of the clip that the text belongs to.
    pcm: float32 in [-1, 1] at 22 050 Hz. [T]
    recording: the same text as recorded, at 22 050 Hz; None if `pcm` is that recording. [R]
    """

    id: str
    text: str
    pcm: np.ndarray
    recording: np.ndarray | None


@dataclass(frozen=True)
class LineAnalysis:
    """What is measured of one line.

    figures: mcd_db, f0_mean_hz, f0_range_hz, f0_mean_st, f0_range_st, and those of voz/metrics/accent/summary.py.
    speaker_embedding: of XTTS's own encoder, unit length. float32 [512]
    """

    figures: Figures
    speaker_embedding: np.ndarray


def analyse_lines(lines: Sequence[LineAudio], model: Callable[[], xtts.Xtts], model_hash: str, *, label: str) -> list[LineAnalysis]:
    """Analyse lines. `model`, whose speaker encoder is used, is called only if a line is new to the cache."""
    store = cache.Cache("line_scores", STEP_VERSION, params={"espeak": espeak.version()}, model=model_hash)

    def key(line: LineAudio) -> cache.Key:
        recorded = "" if line.recording is None else wav.hash_samples(line.recording)
        return store.key(line.id, line.text, wav.hash_samples(line.pcm), recorded)

    def work(line: LineAudio, entry: Path) -> None:
        cache_folders.save_json(entry, "figures.json", figures_of(line))
        cache_folders.save_array(entry, "speaker_embedding.npy", xtts.speaker_embedding(model(), line.pcm))

    def load(entry: Path) -> LineAnalysis:
        return LineAnalysis(cache_folders.load_json(entry, "figures.json"), np.load(entry / "speaker_embedding.npy"))

    return store.map(lines, key=key, work=work, load=load, label=label, unit="line")


def figures_of(line: LineAudio) -> Figures:
    """The figures of a line: distortion only of a spoken one, accent only with espeak-ng and as far as the text has the sounds."""
    hz = pitch.track(line.pcm)
    figures = accent.measure(line.text, line.pcm, hz) if espeak.available() else {}
    if line.recording is not None:
        figures["mcd_db"] = measures.mcd_db(line.pcm, line.recording)
    f0 = measures.f0(hz)
    return figures | ({} if f0 is None else {f"f0_{key}": value for key, value in asdict(f0).items()})
