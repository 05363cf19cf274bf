"""The figures of `evaluate` in words: in what the fine-tuned voice is better than the base, in what worse, and what to try next."""

from collections.abc import Sequence
from dataclasses import dataclass

from voz.metrics.figures import Row
from voz.pipeline.language import later, tr
from voz.pipeline.records import DIFFERENCE

LEAST_NOTES = 6  # a difference that all of five notes share is still chance in 2 / 2^5 = 6 % of the cases (sign test)
LEAST_MINUTES = 10.0  # of training speech: README.md, "Your own notes"
CLEAR, QUALITY = "clear", "quality"
ASPECTS = {  # what a person hears, and the figures that tell it: the first that was measured decides, so an independent judge goes first
    CLEAR: (later("clear words"), ("cer_judge", "cer")),
    "likeness": (later("likeness to the speaker"), ("similarity_resemblyzer", "similarity")),
    QUALITY: (later("quality of the signal"), ("distillmos",)),
    "accent": (later("accent (⟨ll, y⟩ as [ʃ])"), ("sheismo",)),
    "melody": (later("range of pitch"), ("f0_range_st",)),
    "spectrum": (later("likeness of the spectrum to the recordings"), ("mcd_db",)),
}


@dataclass(frozen=True)
class Training:
    """What the advice depends on beside the figures.

    minutes: of speech that it learnt from.
    select: what chose the epoch: loss, cer or similarity.
    last_is_best: whether the last epoch was chosen.
    improved: whether the chosen epoch has a lower loss than the base on the eval clips.
    overfitting: whether the training saw signs of it.
    """

    minutes: float
    select: str
    last_is_best: bool
    improved: bool
    overfitting: bool


@dataclass(frozen=True)
class Verdict:
    """sentence: better, not distinguishable and worse in what; advice: what to try, the most likely to help first."""

    sentence: str
    advice: list[str]


def verdict(table: Sequence[Row], notes: int, training: Training) -> Verdict | None:
    """The verdict in the current language; None if nothing was measured of both voices.

    Args:
        table: of base and fine-tuned (`figures.table`).
        notes: how many test notes the spoken lines come from.
    """
    rows = {aspect: row for aspect, (_, names) in ASPECTS.items() if (row := _deciding(table, names))}
    if not rows:
        return None
    if not any(row.cells[DIFFERENCE].range for row in rows.values()):
        sentence = tr("No verdict: all test lines are of one note, so a difference cannot be told from chance.")
        return Verdict(sentence, advice({}, notes, training))
    parts = (
        (later("better in {aspects}"), "fine_tuned"),
        (later("not distinguishable in {aspects}"), ""),
        (later("worse in {aspects}"), "base"),
    )
    said = []
    for message, better in parts:
        if named := [_name(aspect, row) for aspect, row in rows.items() if row.better == better]:
            said.append(tr(message, aspects=", ".join(named)))
    sentence = tr("Compared with the base, the fine-tuned voice is {parts}.", parts="; ".join(said))
    return Verdict(sentence, advice({aspect: row.better for aspect, row in rows.items()}, notes, training))


def advice(outcomes: dict[str, str], notes: int, training: Training) -> list[str]:
    """What to try next.

    Args:
        outcomes: `Row.better` of each aspect that was measured.
    """
    found = []
    if notes < LEAST_NOTES:
        found.append(
            tr(
                "There are few test notes ({notes}): under {least}, even a difference that all share may be chance. "
                "Add notes, or raise `curate.test_share`.",
                notes=notes,
                least=LEAST_NOTES,
            )
        )
    if not training.improved:
        found.append(tr("The training did not lower the loss on the eval clips: correct texts with `make review`, or lower `train.lr`."))
    elif training.overfitting:
        found.append(tr("The training overfits: fewer epochs (`train.epochs`, or `train.patience: 2`), or a lower `train.lr`."))
    elif training.last_is_best and set(outcomes.values()) != {"fine_tuned"}:
        found.append(tr("The last epoch was the best one: more epochs (`train.epochs`) may bring more."))
    if outcomes.get(CLEAR) == "base":
        if training.select != "cer":
            found.append(tr("Words were lost: let them choose the epoch (`train.select: cer`)."))
        found.append(tr("Words were lost: correct texts with `make review`, or lower `train.lower_layers_alpha`."))
    if outcomes.get(QUALITY) == "base":
        found.append(tr("The signal got worse: leave noisy clips out (a higher `curate.min_snr_db`)."))
    if training.minutes < LEAST_MINUTES:
        found.append(tr("More notes: {minutes:.1f} minutes of training speech are few; ten are a start.", minutes=training.minutes))
    return found or [tr("The figures ask for nothing more. Do the blind test: it tells whether you hear the difference.")]


def _deciding(table: Sequence[Row], names: Sequence[str]) -> Row | None:
    """The first of the figures that was measured of both voices."""
    measured = {row.name: row for row in table if row.cells[DIFFERENCE].measured}
    return next((measured[name] for name in names if name in measured), None)


def _name(aspect: str, row: Row) -> str:
    name = tr(ASPECTS[aspect][0])
    return tr("{aspect} (own judge alone)", aspect=name) if row.figure.judge == "own" else name
