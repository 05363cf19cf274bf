"""What the figures of `evaluate` mean, in one place: label, unit, which direction is better, who judges; and their table for people."""

from dataclasses import dataclass
from typing import Any, Literal

from voz.pipeline.language import later, tr
from voz.pipeline.records import DIFFERENCE, VOICES

Judge = Literal["own", "independent", "signal"]
JUDGES: dict[Judge, str] = {
    "own": later("by models that made or chose the voice"),
    "independent": later("by models that neither made nor chose the voice"),
    "signal": later("computed from the samples"),
}
SHOWN_JUDGES = (later("own"), later("independent"), later("signal"))  # as pages and tables name them, by `tr`
NOT_MEASURED = "–"
AIMS = {-1: later("lower"), 1: later("higher"), 0: later("as the real one")}


@dataclass(frozen=True)
class Figure:
    """A figure of a line or of a clip.

    aim: -1 lower is better, 1 higher, 0 nearer to the real one.
    headline: True if the fine-tuned voice's mean belongs into `reports/summary.json`.
    """

    label: str
    unit: str
    decimals: int
    aim: int
    judge: Judge
    meaning: str
    headline: bool = False


FIGURES = {  # by name in `evaluate.json`, in the order of all tables
    "cer": Figure("Character errors, own Whisper", "share", 3, -1, "own", "of the Whisper that also transcribed the notes", True),
    "cer_judge": Figure("Character errors, judge", "share", 3, -1, "independent", "of the Whisper named as judge in params.yaml", True),
    "similarity": Figure("Similarity, XTTS", "cosine", 3, 1, "own", "to the speaker's other notes, by the voice's own encoder", True),
    "similarity_resemblyzer": Figure(
        "Similarity, Resemblyzer", "cosine", 3, 1, "independent", "to the speaker's other notes, by another encoder", True
    ),
    "distillmos": Figure("Signal quality, DistillMOS", "1 to 5", 2, 1, "independent", "noise, codec, vocoder, not naturalness", True),
    "sheismo": Figure("⟨ll, y⟩ spoken as [ʃ]", "share", 2, 0, "signal", "the accent of Buenos Aires", True),
    "zheismo": Figure("⟨ll, y⟩ spoken as [ʒ]", "share", 2, 0, "signal", "voiced friction"),
    "s_coda": Figure("/s/ before a consonant kept", "share", 2, 0, "signal", "the rest is aspirated or lost"),
    "s_final": Figure("/s/ before a pause kept", "share", 2, 0, "signal", "the rest is aspirated or lost"),
    "vowel_share": Figure("Vowels in the speech (%V)", "share", 2, 0, "signal", "rhythm"),
    "varco": Figure("Unevenness of the vowels (VarcoV)", "share", 2, 0, "signal", "rhythm"),
    "last_vowel": Figure("Last vowel, over the others", "ratio", 2, 0, "signal", "rhythm"),
    "final_slope": Figure("Pitch at the end of statements", "semitones per second", 1, 0, "signal", "melody; below 0 it falls"),
    "questions_rise": Figure("Questions that rise at the end", "share", 2, 0, "signal", "melody; the others fall or stay level"),
    "early_peaks": Figure("Pitch highest in the stressed vowel", "share", 2, 0, "signal", "melody; in the others, in the next vowel"),
    "mcd_db": Figure("Mel-cepstral distortion", "dB", 2, -1, "signal", "distance of the sound from the recording", True),
    "f0_mean_hz": Figure("Pitch, mean", "Hz", 0, 0, "signal", ""),
    "f0_range_hz": Figure("Pitch, range", "Hz", 0, 0, "signal", "5th to 95th percentile"),
    "f0_mean_st": Figure("Pitch, mean", "semitones over 100 Hz", 1, 0, "signal", ""),
    "f0_range_st": Figure("Pitch, range", "semitones", 1, 0, "signal", "melody; 5th to 95th percentile", True),
    "loss": Figure("Loss on test clips", "nats", 3, -1, "own", "how well the model predicts the recordings' codes", True),
}


@dataclass(frozen=True)
class Cell:
    """A mean as shown, "–" if it was not measured, with its 95 % interval or an empty text."""

    mean: str
    range: str

    @property
    def measured(self) -> bool:
        """Whether there is a mean."""
        return self.mean != NOT_MEASURED


@dataclass(frozen=True)
class Row:
    """A row of the table.

    cells: by voice (records.VOICES) and for DIFFERENCE.
    better: "base" or "fine_tuned" if the interval of their difference excludes zero, and for a figure that aims at the real one, if
        anywhere in the interval the same voice is nearer to it; else an empty text.
    """

    name: str
    figure: Figure
    aim: str
    cells: dict[str, Cell]
    better: str


def table(metrics: dict[str, Any]) -> list[Row]:
    """The table from the values of `evaluate.json`: the figures that any voice has."""
    found = []
    for name, figure in FIGURES.items():
        estimates = {voice: metrics.get(voice, {}).get(name) for voice in (*VOICES, DIFFERENCE)}
        if any(estimates.values()):
            cells = {voice: _cell(estimate, figure.decimals, signed=voice == DIFFERENCE) for voice, estimate in estimates.items()}
            found.append(Row(name, figure, AIMS[figure.aim], cells, _better(estimates, figure.aim)))
    return found


def summary(metrics: dict[str, Any]) -> dict[str, float]:
    """The headline numbers of the fine-tuned voice, for `dvc metrics show` and `dvc exp show`."""
    means = metrics["fine_tuned"]
    return {name: means[name]["mean"] for name, figure in FIGURES.items() if figure.headline and name in means}


def _cell(estimate: dict[str, float] | None, decimals: int, *, signed: bool) -> Cell:
    if estimate is None:
        return Cell(NOT_MEASURED, "")
    style = f"{'+' if signed else ''}.{decimals}f"
    interval = {end: f"{estimate[end]:{style}}" for end in ("low", "high") if end in estimate}
    return Cell(f"{estimate['mean']:{style}}", tr("{low} to {high}", **interval) if interval else "")


def _better(estimates: dict[str, dict[str, float] | None], aim: int) -> str:
    """See `Row.better`."""
    difference = estimates[DIFFERENCE]
    if difference is None or "low" not in difference or difference["low"] <= 0 <= difference["high"]:
        return ""
    if aim != 0:
        return "fine_tuned" if difference["mean"] * aim > 0 else "base"
    real, base = estimates["real"], estimates["base"]
    if real is None or base is None:
        return ""
    from_real = base["mean"] - real["mean"]
    nearer = {abs(from_real + difference[end]) < abs(from_real) for end in ("low", "high")}
    return "" if len(nearer) > 1 else "fine_tuned" if nearer == {True} else "base"
