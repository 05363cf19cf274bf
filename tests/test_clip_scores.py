"""The scores of clips: golden values, duplicates, another speaker among the clips."""

import numpy as np
import pytest

from tests import clips
from voz.audio import wav
from voz.metrics import clip_scores


def test_scores_of_a_clip_are_golden() -> None:
    """When these change, raise clip_scores.STEP_VERSION."""
    assert clip_scores.STEP_VERSION == 3
    found = clip_scores.analyse_clip(clips.pcm("mine-0"), np.zeros(512))
    assert found.clipping == pytest.approx(0.0983, abs=1e-3)
    assert found.bandwidth_hz == pytest.approx(7633.52, abs=1)
    assert found.music == pytest.approx(0.0, abs=5e-3)
    assert len(found.envelope) == len(clips.pcm("mine-0")) // 441


def test_two_takes_of_a_sentence_are_not_duplicates() -> None:
    take = clips.pcm("mine-0")
    slower = wav.resample(take, 22_050, 22_800)  # the same words, 3 % slower
    sounds = [clip_scores.envelope(pcm) for pcm in (take, slower, take[300:] * 0.3)]
    found = clip_scores.nearest_duplicates(["a", "b", "c"], ["che ayer llegué"] * 3, sounds)
    assert found["b"].similarity < 0.8 < 0.95 < found["c"].similarity and found["c"].clip == "a"


def test_one_other_speaker_among_many_is_far_out_and_none_is_when_all_are_alike() -> None:
    rng = np.random.default_rng(1)
    voice, other = (v / np.linalg.norm(v) for v in rng.normal(size=(2, 64)))
    mine = np.array([v / np.linalg.norm(v) for v in voice + rng.normal(0, 0.05, (30, 64))])
    theirs = np.array([v / np.linalg.norm(v) for v in other + rng.normal(0, 0.05, (9, 64))])
    _, far = clip_scores.speaker_deviation(np.concatenate([mine, theirs]))
    assert far[:30].max() < 5 and far[30:].min() > 10
    _, alike = clip_scores.speaker_deviation(mine)
    assert alike.max() < 5
