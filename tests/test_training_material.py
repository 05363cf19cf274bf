"""Which clips a training learns from and is judged on."""

import itertools
from pathlib import Path

from voz.model import training_material
from voz.pipeline import records


def test_fewer_minutes_are_a_part_of_more_and_never_none(dataset: Path) -> None:
    clips = [example for example in records.read(dataset, records.Example) if example.split == "train"]
    whole = training_material.minutes_of(clips)
    chosen = [training_material.first_minutes(clips[::-1], share * whole) for share in (0.01, 0.5, 0.9, 1.0, 2.0)]
    assert len(chosen[0]) == 1 and len(chosen[-1]) == len(chosen[-2]) == len(clips)
    assert all(less == more[: len(less)] for less, more in itertools.pairwise(chosen))
    assert all(training_material.minutes_of(each) <= share * whole for each, share in zip(chosen[1:3], (0.5, 0.9), strict=True))
    assert len(chosen[1]) < len(chosen[2]) < len(clips)


def test_a_training_on_fewer_minutes_is_another_one_judged_on_the_same_clips(base: Path, dataset: Path) -> None:
    everything = training_material.gather(dataset, base, min_minutes=0.0)
    half = everything.minutes["train"] / 2
    some = training_material.gather(dataset, base, min_minutes=everything.minutes["train"], max_minutes=half)
    assert 0 < some.minutes["train"] <= half and some.minutes["eval"] == everything.minutes["eval"]
    trained, all_of_them = ({sample.id for sample in material.train} for material in (some, everything))
    assert trained < all_of_them and (some.clips, everything.clips["train"]) == ({"train": len(trained), "eval": 2, "test": 1}, 5)
    assert [sample.id for sample in some.held_out] == [sample.id for sample in everything.held_out]
    assert {example.id for example in some.examples if example.split == "train"} == trained  # the reference recording is one of them
    assert some.data_hash != everything.data_hash
