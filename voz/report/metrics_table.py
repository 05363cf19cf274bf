"""The table of metrics on the report page: real, base, fine-tuned, and which of the last two is better."""

from dataclasses import dataclass
from typing import Any

from voz.pipeline.records import DIFFERENCE, VOICES

MEASURES = {  # of evaluate.json: label, unit, decimals, which direction is better (-1 lower, 1 higher, 0 nearer to the real one)
    "loss": ("Loss on test clips", "nats", 3, -1),
    "cer": ("Character error rate of Whisper's transcript", "share", 3, -1),
    "similarity": ("Similarity to the speaker", "cosine", 3, 1),
    "sheismo": ("⟨ll, y⟩ spoken as [ʃ]", "share", 2, 0),
    "zheismo": ("⟨ll, y⟩ spoken as [ʒ]", "share", 2, 0),
    "s_coda": ("/s/ before a consonant kept", "share", 2, 0),
    "s_final": ("/s/ before a pause kept", "share", 2, 0),
    "vowel_share": ("Vowels in the speech (%V)", "share", 2, 0),
    "varco": ("Unevenness of the vowels (VarcoV)", "share", 2, 0),
    "npvi": ("Unevenness of neighbouring vowels (nPVI)", "share", 2, 0),
    "last_vowel": ("Last vowel, over the others", "ratio", 2, 0),
    "mcd_db": ("Mel-cepstral distortion", "dB", 2, -1),
    "f0_mean_hz": ("Pitch, mean", "Hz", 0, 0),
    "f0_range_hz": ("Pitch, range", "Hz", 0, 0),
    "f0_mean_st": ("Pitch, mean", "semitones over 100 Hz", 1, 0),
    "f0_range_st": ("Pitch, range", "semitones", 1, 0),
}
AIMS = {-1: "lower", 1: "higher", 0: "as the real one"}


@dataclass(frozen=True)
class Cell:
    """A mean as shown on the page, with its 95 % interval or an empty text."""

    mean: str
    range: str


@dataclass(frozen=True)
class Measure:
    """A row of the table.

    cells: by voice (records.VOICES) and for DIFFERENCE.
    better: "base" or "fine_tuned" if the interval of their difference excludes zero, else an empty text.
    """

    key: str
    name: str
    unit: str
    aim: str
    cells: dict[str, Cell]
    better: str


def measures(metrics: dict[str, Any]) -> list[Measure]:
    """The table from the values of `evaluate.json`: those of MEASURES that any voice has."""
    found = []
    for key, (label, unit, decimals, aim) in MEASURES.items():
        estimates = {voice: metrics.get(voice, {}).get(key) for voice in (*VOICES, DIFFERENCE)}
        if any(estimates.values()):
            cells = {voice: _cell(estimate, decimals, signed=voice == DIFFERENCE) for voice, estimate in estimates.items()}
            found.append(Measure(key, label, unit, AIMS[aim], cells, _better(estimates[DIFFERENCE], aim)))
    return found


def _cell(estimate: dict[str, float] | None, decimals: int, *, signed: bool) -> Cell:
    if estimate is None:
        return Cell("–", "")
    style = f"{'+' if signed else ''}.{decimals}f"
    return Cell(f"{estimate['mean']:{style}}", f"{estimate['low']:{style}} to {estimate['high']:{style}}" if "low" in estimate else "")


def _better(difference: dict[str, float] | None, aim: int) -> str:
    """See `Measure.better`; empty too where neither direction is better."""
    if difference is None or "low" not in difference or aim == 0 or difference["low"] <= 0 <= difference["high"]:
        return ""
    return "fine_tuned" if difference["mean"] * aim > 0 else "base"
