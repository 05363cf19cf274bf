"""pocket/evaluate.py: how errors are counted, and that the reports in git are about the weights in git and keep their bars."""

import json
from argparse import Namespace
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pocket import evaluate, evaluate_voices, line_figures
from pocket.corpus import demo_notes, speech, voices
from voz.pipeline import records

ROOT = Path(__file__).parents[1]
NOTE = {"duration_s": 4.0, "format": "ogg-opus", "source_hz": 16_000, "missing_s": 0.0}
LEVELS = dict.fromkeys(("speech_s", "level_db", "noise_db", "start_db", "end_db"), 0.0)
CERTAINTY = {
    **dict.fromkeys(("avg_logprob", "no_speech_prob", "compression_ratio", "temperature"), 0.0),
    "language": "es",
    "language_prob": 1.0,
}


def report_on_the_weights_in_git(name: str, monkeypatch: pytest.MonkeyPatch) -> dict:
    """A report of pocket/reports, which must have been measured on the weights in git."""
    report = json.loads((ROOT / "pocket" / "reports" / f"{name}.json").read_text(encoding="utf-8"))
    monkeypatch.chdir(ROOT)
    weights = report["weights_sha256"]
    assert evaluate.weights_sha256(map(Path, weights)) == weights, f"{name}.json: measured on other weights; run python -m pocket.evaluate"
    return report


def test_sentences_meet_the_clips_that_hold_them():
    clip = records.Clip(id="0" * 12 + "-0000000-0004000", note="0" * 12, start_s=0.0, end_s=4.0, duration_s=4.0, **LEVELS)
    second = replace(clip, id="0" * 12 + "-0004000-0008000", start_s=4.0, end_s=8.0)
    one, cut, three, outside = (evaluate.Spoken(*each) for each in ((0.2, 2.0, "a"), (2.5, 5.5, "b"), (6.0, 7.9, "c"), (8.5, 9.5, "d")))
    assert evaluate.groups([one, three], [clip, second]) == [([one], [clip]), ([three], [second])]
    assert evaluate.groups([one, cut, three, outside], [clip, second]) == [([one, cut, three], [clip, second])]
    assert evaluate.groups([evaluate.Spoken(6.0, 9.0, "half inside")], [clip, second]) == []


def test_error_rate_weighs_lines_by_their_length():
    assert evaluate.error_rate(["¡Che, vos!", "abcdefgh"], ["che vos", "abcdefgx"]) == pytest.approx(1 / 15, abs=1e-4)


def test_notes_are_compared_with_what_was_said_in_them(tmp_path):
    said = [("a.opus", 0, 0.2, 1.9, "¿Vos venís?"), ("a.opus", 1, 2.2, 3.8, "Dale."), ("b.opus", 0, 0.1, 1.0, "No.")]
    rows = [dict(zip(("name", "sentence", "start_s", "end_s", "text"), each, strict=True)) for each in said]
    (tmp_path / "truth.csv").write_text(demo_notes.truth_csv([demo_notes.Sentence(**row, voice="pablo") for row in rows]), encoding="utf-8")
    note = records.Note(id="0" * 12, name="a.opus", **NOTE)
    spans = {"0" * 12 + "-0000000-0002000": (0.0, 2.0), "0" * 12 + "-0002000-0004000": (2.0, 4.0)}
    clips = [records.Clip(id=id, note=note.id, start_s=a, end_s=b, duration_s=2.0, **LEVELS) for id, (a, b) in spans.items()]
    texts = [records.Transcript(id=id, text=text, **CERTAINTY) for id, text in zip(spans, ("¿vos venis?", "Dale"), strict=True)]
    for folder, rows in (("wav", [note]), ("clips", clips), ("transcripts", texts)):
        records.write(tmp_path / folder, rows)
    found = evaluate.demo_notes(Namespace(demo=tmp_path, data=tmp_path))
    assert found == {"cer": pytest.approx(1 / 13, abs=1e-4), "clips": 2, "notes": 1}


def test_noise_is_flat_and_clicks_are_not():
    rng = np.random.default_rng(1)
    clicks = np.zeros(22_050, dtype=np.float32)
    clicks[::206] = 1.0  # 107 Hz
    noise = rng.normal(0, 0.1, 22_050).astype(np.float32)
    flat = [[line_figures.flatness_db(pcm, at, at + 0.08) for at in (0.1, 0.3, 0.5)] for pcm in (noise, clicks)]
    assert np.mean(flat[0]) == pytest.approx(-2.5, abs=0.5)  # the mean of a log of an exponential variable is 2.5 dB below its mean
    assert max(flat[1]) < -9
    peaked = [[line_figures.kurtosis(pcm, at, at + 0.08) for at in (0.1, 0.3, 0.5)] for pcm in (noise, clicks)]
    assert np.mean(peaked[0]) == pytest.approx(3, abs=1) and min(peaked[1]) > 20


def test_lines_are_measured_as_they_sound():
    texts = ["Yo me llevo la silla de la calle.", "¿Vos te llevás la silla de la calle?"]
    she = [speech.speak(text, voices.DEMO_SPEAKER) for text in texts]
    found = line_figures.sounds(texts, she)
    assert found["sheismo"] == 1.0 and found["windows"] == 7 and -7 < found["flatness_db"] < -1.5 and found["friction_kurtosis"] < 6
    ye = line_figures.sounds(texts, [speech.speak(text, replace(voices.DEMO_SPEAKER, accent=voices.YE)) for text in texts])
    assert ye["sheismo"] == 0.0 and ye["windows"] == 7
    alone = line_figures.sounds(texts[:1], she[:1])["f0_range_st"]
    assert alone == {"statements": found["f0_range_st"]["statements"], "questions": None} and alone["statements"] > 1


def test_likeness_is_to_other_notes_and_a_silent_line_has_none():
    axes = np.eye(3, dtype=np.float32)
    spoken = {"cloned": [axes[0]], "fine_tuned": [np.zeros(3, np.float32)], "espeak": [axes[1]]}
    real = [axes[0], axes[0], axes[1]]
    found = evaluate_voices.similarity(lambda pcm: pcm if pcm.any() else None, spoken, real, ["a", "a", "b"])
    assert (found["cloned"], found["fine_tuned"], found["espeak"], found["real"]) == (pytest.approx(2 / 3, abs=1e-4), 0.0, 0.3333, 0.0)
    assert found["gain"] == pytest.approx(-2 / 3, abs=1e-4)


@pytest.mark.parametrize("name", ["whisper", "notes"])
def test_whisper_keeps_its_bar(name, monkeypatch):
    assert report_on_the_weights_in_git(name, monkeypatch)["cer"] <= 0.05


def test_voices_keep_their_bars(monkeypatch):
    report = report_on_the_weights_in_git("voices", monkeypatch)
    own, cloned, tuned, similarity = (report[name] for name in ("own", "cloned", "fine_tuned", "similarity"))
    assert report["lines"] == 240 and own["windows"] >= 600
    assert report["demo_speaker"]["sheismo"] >= 0.95 and cloned["sheismo"] <= 0.10 and tuned["sheismo"] >= 0.85
    assert own["cer"] <= 0.15 and cloned["cer"] <= 0.045 and tuned["cer"] <= cloned["cer"] + 0.015
    assert max(cloned["cer_whisper_base"], tuned["cer_whisper_base"]) <= report["espeak"]["cer_whisper_base"]
    assert min(similarity["cloned"], similarity["fine_tuned"]) >= 0.85 * similarity["real"]
    for judge in (similarity, report["similarity_resemblyzer"]):
        assert judge["fine_tuned"] >= judge["cloned"] - 0.02
    assert abs(tuned["flatness_db"] - report["demo_speaker"]["flatness_db"]) <= 6
    assert max(each["friction_kurtosis"] for each in (own, cloned, tuned)) <= 8  # noise has 3, clicks have tens
    assert report["mcd_db"]["gain_high"] < 0
