"""voz/metrics/line_scores.py: golden figures of a recording, and no model where the cache has the line."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests import clips, tiny_base
from voz.metrics import espeak, line_scores
from voz.model import xtts
from voz.pipeline import cache

TEXT = clips.texts()["mine-0"]  # two ⟨ll⟩, spoken as [ʃ]


def line(*, recorded: bool = False) -> line_scores.LineAudio:
    """A sentence, beside another one as its recording."""
    return line_scores.LineAudio("0123456789ab", TEXT, clips.pcm("mine-0"), None if recorded else clips.pcm("mine-1"))


@pytest.mark.skipif(not espeak.available(), reason="espeak-ng is not installed (apt-get install espeak-ng)")
def test_figures_are_golden() -> None:
    """Guards line_scores.STEP_VERSION: when these change, raise it."""
    assert line_scores.STEP_VERSION == 3
    rhythm = {"vowel_share": 0.663, "varco": 0.4041, "last_vowel": 1.2206}
    accent = {"sheismo": 1.0, "zheismo": 0.0, "final_slope": -15.345, "early_peaks": 1.0} | rhythm
    pitch = {"f0_mean_hz": 99.729, "f0_range_hz": 34.873, "f0_mean_st": -0.12749, "f0_range_st": 6.5258}
    assert line_scores.figures_of(line()) == pytest.approx(accent | {"mcd_db": 9.3125} | pitch, rel=1e-3)


def test_a_recording_has_no_distortion_and_silence_no_pitch() -> None:
    assert "mcd_db" not in line_scores.figures_of(line(recorded=True))
    silence = np.zeros(22_050, np.float32)
    assert line_scores.figures_of(replace(line(recorded=True), pcm=silence)) == {}


def test_a_known_line_needs_no_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden() -> xtts.Xtts:
        raise AssertionError("the model is loaded")

    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    model = xtts.load_model(tiny_base.make(tmp_path / "base"))
    first = line_scores.analyse_lines([line()], lambda: model, "base", label="measure")
    again = line_scores.analyse_lines([line()], forbidden, "base", label="measure")
    assert again[0].figures == first[0].figures == line_scores.figures_of(line())  # to the last bit
    assert list(again[0].figures) == list(first[0].figures)
    assert np.array_equal(again[0].speaker_embedding, xtts.speaker_embedding(model, line().pcm))
    for changed in (replace(line(), text="Otra cosa."), replace(line(), pcm=line().pcm * 0.5), line(recorded=True)):
        line_scores.analyse_lines([changed], lambda: model, "base", label="measure")
    assert [(each["computed"], each["reused"]) for each in cache.read_log("line_scores")] == [(1, 0), (0, 1), (1, 0), (1, 0), (1, 0)]
