"""voz/model/pace.py: what is left of a training, said once."""

from voz.model import pace


def test_the_rest_is_foretold_once_from_the_first_updates_and_the_last_evaluation() -> None:
    made = pace.Pace(updates=pace.TIMED_UPDATES - 1, seconds=8.0)
    assert made.forecast(updates=100, evaluations=2) == "" and made.update_s == 2.0
    made.updates, made.seconds, made.evaluation_s = pace.TIMED_UPDATES, 10.0, 50.0
    said = "train: about 5 min left: 100 updates of 2.0 s, 2 evaluations of 50 s"
    assert [made.forecast(updates=100, evaluations=2) for _ in range(2)] == [said, ""]


def test_without_an_evaluation_in_this_process_its_time_is_unknown() -> None:
    made = pace.Pace(updates=10, seconds=5.0)
    assert made.forecast(updates=10, evaluations=1) == "train: about 1 min left: 10 updates of 0.5 s, 1 evaluations"
    assert pace.Pace().update_s == 0.0
