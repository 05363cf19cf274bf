"""voz/model/history.py and schedule.py: which epoch is the best, the signs of overfitting, the rate and the end of a training."""

import json
from collections.abc import Sequence
from dataclasses import replace

import pytest

from voz.model.history import History, Scores
from voz.model.schedule import Schedule

PLAN = Schedule(3, 2, 1, 0.01, 1.0, "fp32", seed=1, conditioning="same_clip", lower_layers_alpha=1.0)


def history_of(losses: Sequence[float], cers: Sequence[float] = (), similarities: Sequence[float] = ()) -> History:
    scores = [Scores((cers or losses)[i], (similarities or losses)[i], ()) for i in range(len(losses))]
    return History([], [{"a": [0.0, loss, 1, 1]} for loss in losses], scores)


def test_the_epoch_is_the_best_by_what_selects_it_then_by_loss_then_the_first() -> None:
    history = history_of([5.0, 3.0, 2.0, 2.5, 2.5], [0.0, 0.3, 0.2, 0.1, 0.1], [0.9, 0.5, 0.6, 0.6, 0.4])
    best = {select: history.best_epoch(replace(PLAN, select=select)) for select in ("loss", "cer", "similarity")}
    assert best == {"loss": 2, "cer": 3, "similarity": 2}  # 3 and 4 have the same CER and loss; 2 and 3 the same similarity


def test_overfitting_is_named_once_for_each_sign() -> None:
    assert history_of([5.0, 3.0, 2.0, 1.9, 1.8]).overfitting(PLAN) == []
    rising = history_of([5.0, 2.0, 2.1, 2.2, 2.3]).overfitting(PLAN)
    assert len(rising) == 1 and rising[0].startswith("overfitting since epoch 1: the eval loss rises (2.000 to 2.200)")
    lost = history_of([5.0, 3.0, 2.0, 1.9, 1.8], [0.5, 0.1, 0.1, 0.16, 0.22]).overfitting(PLAN)
    assert len(lost) == 1 and "since epoch 2: words are lost (CER of the eval lines 0.10 to 0.22)" in lost[0]
    assert history_of([5.0, 3.0, 2.0, 1.9, 1.8], [0.5, 0.1, 0.1, 0.14, 0.18]).overfitting(PLAN) == []  # the chance of a few lines


def test_what_is_saved_of_a_history_is_json() -> None:
    history = History([[1.0, 2.0], None], [{"a": [1.0, 2.0, 3, 4]}], [Scores(0.5, 0.5, ())])
    assert History(**json.loads(json.dumps(history.saved()))) == replace(history, scores=[])


def test_the_rate_rises_then_falls_to_nothing() -> None:
    schedule = replace(PLAN, epochs=5, warmup_steps=2, lr_schedule="cosine")  # 10 updates over 4 clips
    rates = [schedule.rate(number, 4) for number in range(11)]
    assert rates[:3] == [0.5, 1.0, 1.0] and rates[6] == pytest.approx(0.5) and rates[10] == pytest.approx(0.0)
    assert [PLAN.rate(number, 4) for number in (0, 100)] == [1.0, 1.0]
    assert (schedule.updates(4), replace(schedule, max_steps=3).updates(4), replace(schedule, max_steps=3).evaluated_epochs(4)) == (
        10,
        3,
        2,
    )
