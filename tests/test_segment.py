"""stages/segment.py and voz/audio/segmentation.py: clips near the target length, cut in silence; all speech is accounted for."""

import itertools
import json
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml

from stages import segment
from tests import recordings
from voz.audio import level, segmentation, vad, wav
from voz.pipeline import cache, command, ledger, records

PARAMS = {"target_s": 9.0, "min_s": 3.0, "max_s": 11.3, "min_gap_ms": 150}


def note(stretches: list[tuple[float, float]], length_s: float, *, pause_db: float = -70.0) -> vad.NoteAnalysis:
    """A synthetic note with speech at -20 dB in `stretches` (start and end in seconds) and noise at `pause_db` elsewhere."""
    count = round(length_s / vad.HOP_S)
    mask = np.zeros(count, bool)
    for start_s, end_s in stretches:
        mask[round(start_s / vad.HOP_S) : round(end_s / vad.HOP_S)] = True
    energy = np.where(mask, 10**-2.0, 10 ** (pause_db / 10))
    return vad.NoteAnalysis(energy, mask * 0.9 + 0.05, mask, level.quiet_db(energy), count * vad.HOP)


def clip_lengths_s(stretches: list[segmentation.Stretch]) -> list[float]:
    return [round((each.end - each.start) * vad.HOP_S, 1) for each in stretches if not each.reason]


def plan(analysis: vad.NoteAnalysis) -> list[segmentation.Stretch]:
    return segmentation.plan(analysis, target_s=9.0, min_s=3.0, max_s=11.3, min_gap_ms=150)


def test_the_chain_is_the_best_not_the_first() -> None:
    """Four times 4 s of speech: cutting as close to 9 s as possible from the start would leave 4 s at the end; 8 + 8 is better."""
    analysis = note([(0.3 + 4.2 * n, 4.3 + 4.2 * n) for n in range(4)], 17.3)
    assert clip_lengths_s(plan(analysis)) == [8.5, 8.4]


def test_a_short_note_is_one_clip_with_its_padding() -> None:
    (only,) = plan(note([(1.0, 3.0), (3.4, 6.0)], 8.0))
    assert only.start * vad.HOP_S == pytest.approx(0.85, abs=0.02)
    assert only.end * vad.HOP_S == pytest.approx(6.15, abs=0.02)


def test_speech_that_fits_in_no_clip_is_left_out_with_a_reason() -> None:
    found = plan(note([(0.5, 6.5), (7.0, 20.0), (21.0, 27.0), (31.0, 32.0)], 33.0))
    assert [each.reason for each in found] == ["", "no_safe_cut", ""]  # the last 1 s is in the clip of the 6 s before it
    assert [each.reason for each in plan(note([(0.5, 2.0)], 4.0))] == ["too_short"]
    assert plan(note([], 5.0)) == []


def test_a_short_remainder_is_too_short() -> None:
    found = plan(note([(0.2, 11.0), (11.4, 12.4)], 13.0))
    assert [(each.reason, clip_lengths_s([each])) for each in found] == [("", [11.2]), ("too_short", [])]


def test_a_loud_pause_is_not_cut() -> None:
    """Music in the pauses, 10 dB under the speech: silero does not take it for speech, but a cut there is not safe."""
    stretches = [(0.5 + 5 * n, 5.0 + 5 * n) for n in range(4)]
    quiet = note(stretches, 21.0)
    assert clip_lengths_s(plan(quiet)) != []
    energy = np.where(quiet.mask, 10**-2.0, 10**-3.0)
    energy[: round(0.05 / vad.HOP_S)] = 10**-7.0  # the noise floor is lower than the pauses
    probability = np.where(quiet.mask, 0.9, 0.31)
    loud = vad.NoteAnalysis(energy, probability, quiet.mask, -70.0, quiet.samples)
    assert {each.reason for each in plan(loud)} == {"cut_in_speech"}


def test_a_cut_moves_to_where_it_is_safe() -> None:
    """Noise 18 dB under the speech: a cut is safe only where silero finds no speech, not where the pause is quietest."""
    analysis = note([(0.5 + 5 * n, 5.0 + 5 * n) for n in range(4)], 20.5, pause_db=-38.0)
    calm = np.zeros(len(analysis.mask), bool)
    for after_s in (0.40, 5.06, 10.06, 15.06, 20.06):
        calm[round(after_s / vad.HOP_S) : round((after_s + 0.04) / vad.HOP_S)] = True
    energy = np.where(analysis.mask | ~calm, analysis.energy, analysis.energy * 10**0.1)
    noisy = vad.NoteAnalysis(energy, np.where(analysis.mask, 0.9, np.where(calm, 0.05, 0.34)), analysis.mask, -38.0, analysis.samples)
    found = plan(noisy)
    assert {each.reason for each in found} == {""} and len(found) == 2
    assert all(calm[each.start] and calm[each.end] for each in found)


def test_a_note_that_begins_within_a_word_loses_only_that_stretch() -> None:
    found = plan(note([(0.0, 2.0), (2.5, 10.0), (10.4, 18.0)], 18.5))
    assert [each.reason for each in found] == ["too_short", "", ""]
    assert clip_lengths_s(found) == [7.9, 7.8]


def test_all_speech_is_in_exactly_one_stretch() -> None:
    random = np.random.default_rng(7)
    for _ in range(20):
        at, stretches = 0.3, []
        while at < 100:
            length_s = float(random.choice([0.4, 1.5, 3.0, 6.0, 14.0]) * random.uniform(0.7, 1.3))
            stretches.append((at, at + length_s))
            at += length_s + float(random.choice([0.05, 0.16, 0.3, 1.0, 4.0]))
        analysis = note(stretches, at + 0.5)
        found = plan(analysis)
        assert sum(int(analysis.mask[each.start : each.end + 1].sum()) for each in found) == analysis.mask.sum()
        assert all(a.end <= b.start for a, b in itertools.pairwise(found))
        assert all(3.0 <= length <= 11.3 for length in clip_lengths_s(found))
        assert not any(analysis.mask[[each.start, each.end]].any() for each in found if not each.reason)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):  # type: ignore[no-untyped-def]
    """A function that segments notes in a folder of its own: each is the fixture, or noise if its name is `ffffffffffff`."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DVC_ROOT", raising=False)
    monkeypatch.setattr(sys, "argv", ["segment", "wav", "clips", "--ledger", "ledger.csv", "--metrics", "metrics.json"])

    def call(names: tuple[str, ...] = ("a" * 12,), **changed: object) -> None:
        compute = {"device": "cpu", "workers": 1, "cache_gb": 1.0}
        Path("params.yaml").write_text(yaml.safe_dump({"compute": compute, "segment": {**PARAMS, **changed}}))
        pcm = wav.resample(recordings.pcm(), recordings.RATE_HZ, wav.SAMPLE_RATE_HZ)
        noise = 0.001 * np.random.default_rng(1).standard_normal(22_050 * 6)
        Path("wav").mkdir(exist_ok=True)
        for name in names:
            wav.write(Path("wav", f"{name}.wav"), noise if name == "f" * 12 else pcm)
        notes = [records.Note(name, f"{name}.opus", len(pcm) / 22_050, "ogg-opus", 16_000, 0.0) for name in names]
        records.write(Path("wav"), notes)
        segment.main()

    return call


def test_the_step_version_guards_the_cuts(run) -> None:  # type: ignore[no-untyped-def]
    """If this fails, the same note gives other clips: raise stages.segment.STEP_VERSION, then put the new ids into GOLDEN."""
    run()
    assert segment.STEP_VERSION == 3
    assert [clip.id for clip in records.read(Path("clips"), records.Clip)] == GOLDEN


def test_every_boundary_is_quiet_in_the_written_clips(run) -> None:  # type: ignore[no-untyped-def]
    run()
    for clip in records.read(Path("clips"), records.Clip):
        pcm = wav.read(Path("clips", f"{clip.id}.wav")).astype(np.float64)
        assert len(pcm) / 22_050 == pytest.approx(clip.duration_s, abs=1e-4)
        edges = [10 * np.log10((edge**2).mean()) for edge in (pcm[:441], pcm[-441:])]
        assert max(edges) <= clip.level_db - 20
        assert max(clip.start_db, clip.end_db) <= clip.level_db - 20


def test_every_note_and_all_speech_is_accounted_for(run) -> None:  # type: ignore[no-untyped-def]
    run(("a" * 12, "f" * 12))
    rows = ledger.read(Path("ledger.csv"))
    assert {row.reason for row in rows if row.input == "f" * 12} == {"no_speech"}
    metrics = json.loads(Path("metrics.json").read_text())
    left = sum(metrics["speech_s_rejected"].values()) / 60
    assert metrics["speech_minutes_in"] == pytest.approx(metrics["speech_minutes_kept"] + left, abs=1e-4)
    assert metrics["speech_kept"] > 0.95
    assert metrics["clips"] == len([row for row in rows if row.outcome == "accepted"])


def test_only_new_notes_are_computed_and_a_changed_target_computes_all(run) -> None:  # type: ignore[no-untyped-def]
    run()
    run(("a" * 12, "b" * 12))
    run(("b" * 12,))
    assert {clip.note for clip in records.read(Path("clips"), records.Clip)} == {"b" * 12}
    assert len(list(Path("clips").glob("*.wav"))) == len(GOLDEN)
    run(("b" * 12,), target_s=5.0)
    assert len(records.read(Path("clips"), records.Clip)) > len(GOLDEN)
    assert [(line["computed"], line["reused"]) for line in cache.read_log("segment")] == [(1, 0), (1, 1), (0, 1), (1, 0)]


def test_no_clip_at_all_is_one_line(run) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(command.UserError, match="no clip could be cut \\(1 no_speech\\)"):
        run(("f" * 12,))
    assert not Path("clips").exists()


def test_a_clip_longer_than_the_trainer_takes_is_refused(run) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(command.UserError, match=r"segment\.max_s: 12\.0 should be less than or equal to 11\.6"):
        run(max_s=12.0)


GOLDEN = ["aaaaaaaaaaaa-0000250-0009057", "aaaaaaaaaaaa-0009057-0017770", "aaaaaaaaaaaa-0017770-0024503"]
