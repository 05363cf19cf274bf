"""The verdict in words: each way that base and fine-tuned can compare, and what is advised."""

from dataclasses import replace

import pytest

from voz.metrics import figures, verdict
from voz.pipeline import language

Interval = tuple[float, float]
FINE = verdict.Training(minutes=60.0, select="cer", last_is_best=False, improved=True, overfitting=False)
MEANS = {
    "cer": 0.2,
    "cer_judge": 0.3,
    "similarity": 0.7,
    "similarity_resemblyzer": 0.7,
    "distillmos": 3.0,
    "sheismo": 0.2,
    "f0_range_st": 4.0,
}
REAL = {"sheismo": 0.9, "f0_range_st": 6.0}
NOTHING = "The figures ask for nothing more. Do the blind test: it tells whether you hear the difference."


def table(**differences: Interval | None) -> list[figures.Row]:
    """The table of figures whose difference, fine-tuned minus base, has this interval; None: measured on one note."""
    values: dict[str, dict[str, dict[str, float]]] = {kind: {} for kind in ("real", "base", "fine_tuned", "difference")}
    for name, interval in differences.items():
        mean = sum(interval) / 2 if interval else 0.1
        values["base"][name] = {"mean": MEANS[name]}
        values["fine_tuned"][name] = {"mean": MEANS[name] + mean}
        values["difference"][name] = {"mean": mean} | ({"low": interval[0], "high": interval[1]} if interval else {})
        values["real"] |= {name: {"mean": REAL[name]}} if name in REAL else {}
    return figures.table(values)


def told(rows: list[figures.Row], notes: int = 8, training: verdict.Training = FINE) -> verdict.Verdict:
    found = verdict.verdict(rows, notes, training)
    assert found is not None
    return found


def test_better_not_distinguishable_and_worse_are_named() -> None:
    rows = table(
        cer=(-0.2, -0.1),
        cer_judge=(-0.1, 0.1),
        similarity_resemblyzer=(0.1, 0.2),
        distillmos=(-0.4, -0.1),
        sheismo=(0.5, 0.7),
        f0_range_st=(-2, -1),
    )
    found = told(rows)
    assert found.sentence == (
        "Compared with the base, the fine-tuned voice is better in likeness to the speaker, accent (⟨ll, y⟩ as [ʃ]); "
        "not distinguishable in clear words; worse in quality of the signal, range of pitch."
    )
    assert found.advice == ["The signal got worse: leave noisy clips out (a higher `curate.min_snr_db`)."]


@pytest.mark.parametrize(
    ("interval", "outcome"),
    [
        ((0.5, 0.9), "better"),  # from 0.2 to between 0.7 and 1.1; the speaker is at 0.9
        ((-0.2, -0.1), "worse"),
        ((1.5, 1.8), "worse"),  # beyond the speaker, and farther than the base was
        ((0.5, 1.5), "not distinguishable"),  # perhaps beyond
        ((-0.1, 0.5), "not distinguishable"),
    ],
)
def test_what_aims_at_the_speaker_is_better_where_it_is_nearer(interval: Interval, outcome: str) -> None:
    assert f"is {outcome} in accent" in told(table(sheismo=interval)).sentence


def test_an_independent_judge_goes_before_our_own_and_ours_alone_is_said_to_be() -> None:
    disagreeing = told(table(similarity=(0.1, 0.2), similarity_resemblyzer=(-0.2, -0.1)))
    assert disagreeing.sentence == "Compared with the base, the fine-tuned voice is worse in likeness to the speaker."
    alone = told(table(similarity=(0.1, 0.2), cer=(0.1, 0.2)))
    assert alone.sentence.endswith("is better in likeness to the speaker (own judge alone); worse in clear words (own judge alone).")


def test_a_voice_that_is_better_in_all_needs_ears() -> None:
    assert told(table(cer_judge=(-0.2, -0.1), distillmos=(0.1, 0.2)), training=replace(FINE, last_is_best=True)).advice == [NOTHING]


@pytest.mark.parametrize(
    ("rows", "notes", "changes", "begins"),
    [
        (table(cer_judge=(-0.1, 0.1)), 4, {}, ["There are few test notes (4): under 6,"]),
        (table(cer_judge=(-0.1, 0.1)), 8, {"minutes": 7.87}, ["More notes: 7.9 minutes of training speech"]),
        (table(cer_judge=(-0.1, 0.1)), 8, {"last_is_best": True}, ["The last epoch was the best one: more epochs"]),
        (table(cer_judge=(-0.1, 0.1)), 8, {"overfitting": True, "last_is_best": True}, ["The training overfits: fewer epochs"]),
        (table(cer_judge=(-0.1, 0.1)), 8, {"improved": False, "last_is_best": True}, ["The training did not lower the loss"]),
        (table(cer_judge=(0.1, 0.2)), 8, {}, ["Words were lost: correct texts"]),
        (
            table(cer_judge=(0.1, 0.2)),
            8,
            {"select": "loss"},
            ["Words were lost: let them choose the epoch", "Words were lost: correct texts"],
        ),
    ],
)
def test_what_to_try(rows: list[figures.Row], notes: int, changes: dict[str, object], begins: list[str]) -> None:
    advice = told(rows, notes, replace(FINE, **changes)).advice
    assert [line[: len(start)] for line, start in zip(advice, begins, strict=True)] == begins


def test_lines_of_one_note_give_no_verdict() -> None:
    found = told(table(cer_judge=None, sheismo=None), notes=1)
    assert found.sentence.startswith("No verdict: all test lines are of one note")
    assert "few test notes (1)" in found.advice[0]


def test_nothing_measured_nothing_said() -> None:
    assert verdict.verdict(figures.table({"real": {"cer": {"mean": 0.1}}}), 8, FINE) is None


def test_it_is_said_in_spanish() -> None:
    with language.used("es"):
        found = told(table(cer_judge=(0.1, 0.2), distillmos=(-0.1, 0.1), similarity=(0.1, 0.2)))
    assert found.sentence == (
        "En comparación con la base, la voz ajustada es mejor en parecido con quien habla (solo según el juez propio); "
        "indistinguible en calidad de la señal; peor en claridad de las palabras."
    )
    assert found.advice[0].startswith("Se perdieron palabras")
