"""stages/convert.py: every file becomes a wav or is rejected in the ledger; names never matter; only new files are computed."""

import errno
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from stages import convert
from tests import recordings
from voz.audio import decode, wav
from voz.pipeline import cache, command, ledger, records

PARAMS = {"highpass_hz": 60.0, "level_db": -23.0, "accept_damaged": False}
CONSENT = "speaker: espeak-ng\ndate: 2026-01-02\nstatement: a synthetic speaker\nscope: tests\n"


@dataclass(frozen=True)
class Project:
    """A folder with notes and parameters, and what convert makes of them."""

    top: Path

    def put(self, name: str, data: bytes) -> None:
        (self.top / "notes").mkdir(exist_ok=True)
        (self.top / "notes" / name).write_bytes(data)

    def run(self, **changed: object) -> None:
        compute = {"device": "cpu", "workers": 1, "cache_gb": 1.0}
        (self.top / "params.yaml").write_text(yaml.safe_dump({"compute": compute, "convert": {**PARAMS, **changed}}))
        convert.main()

    @property
    def rows(self) -> dict[str, ledger.Row]:
        return {row.input: row for row in ledger.read(self.top / "ledger.csv")}

    @property
    def notes(self) -> list[records.Note]:
        return records.read(self.top / "wav", records.Note)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DVC_ROOT", raising=False)
    monkeypatch.setattr(sys, "argv", ["convert", "notes", "wav", "--ledger", "ledger.csv"])
    return Project(tmp_path)


def _killed(path: Path, raw: Path) -> None:
    signal.raise_signal(signal.SIGKILL)


def test_a_note_whose_decoder_was_killed_is_tried_again_by_the_next_run(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    project.put("a.opus", recordings.note())
    project.put("b.opus", recordings.note() * 2)
    project.run()
    with monkeypatch.context() as killing:
        killing.setattr(decode, "decode", _killed)
        project.put("c.opus", recordings.note() * 3)
        project.run()
    assert project.rows["c.opus"].reason == "decoder_crashed" and project.rows["c.opus"].detail == "SIGKILL"
    project.run()
    assert not project.rows["c.opus"].reason


def test_a_note_that_comes_while_it_runs_is_not_taken_for_converted(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    project.put("a.opus", recordings.note())
    account_for = convert.account_for

    def late(*given: Any) -> list[records.Note]:
        project.put("b.opus", recordings.note() * 2)
        return account_for(*given)

    with monkeypatch.context() as changed:
        changed.setattr(convert, "account_for", late)
        with pytest.raises(command.UserError, match="notes: changed while this ran"):
            project.run()
    project.run()
    assert {note.name for note in project.notes} == {"a.opus", "b.opus"}


def test_a_folder_that_cannot_be_read_is_named(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    project.put("a.opus", recordings.note())
    (project.top / "notes" / "closed").mkdir()
    scandir = os.scandir

    def closed(path: str) -> object:
        if str(path).endswith("closed"):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", closed)  # root may read every folder
    project.run()
    assert project.rows["closed"].reason == "unreadable" and project.rows["closed"].detail == "a folder: Permission denied"


def test_a_note_becomes_a_wav_with_its_record(project: Project) -> None:
    project.put("PTT-20260103-WA0001.opus", recordings.note())
    project.put("consent.yaml", CONSENT.encode())
    project.run()
    (note,) = project.notes
    assert note.id == "4d1a4c4a5b32"
    assert (note.format, note.source_hz, note.date, note.missing_s) == ("ogg-opus", 16_000, "2026-01-03", 0.0)
    pcm = wav.read(project.top / "wav" / f"{note.id}.wav")
    assert len(pcm) / 22_050 == pytest.approx(note.duration_s, abs=1e-3)
    assert (project.top / "wav" / "consent.yaml").read_text() == CONSENT
    assert set(project.rows) == {"PTT-20260103-WA0001.opus"}  # not a row for the consent record


def test_the_step_version_guards_the_samples(project: Project) -> None:
    """If this fails, the same note gives another wav: raise stages.convert.STEP_VERSION, then put the new levels into GOLDEN_DB."""
    project.put("a.opus", recordings.note())
    project.run()
    pcm = wav.read(project.top / "wav" / f"{project.notes[0].id}.wav").astype(np.float64)
    seconds = np.sqrt((pcm[: 25 * 22_050].reshape(25, -1) ** 2).mean(axis=1))
    found = (20 * np.log10(seconds)).round(1).tolist()
    assert convert.STEP_VERSION == 2
    assert found == pytest.approx(GOLDEN_DB, abs=0.11)


def test_rumble_and_offset_are_removed_and_pauses_do_not_count(project: Project) -> None:
    time_s = np.arange(16_000 * 10) / 16_000
    tone = 0.05 * np.sin(2 * np.pi * 300 * time_s) * (time_s % 2 < 0.5)  # 0.5 s of every 2 s
    rumble = 0.3 * np.sin(2 * np.pi * 8 * time_s) + 0.2
    project.put("a.wav", recordings.wav((tone + rumble).astype(np.float32)))
    project.run(level_db=-20.0)
    pcm = wav.read(project.top / "wav" / f"{project.notes[0].id}.wav").astype(np.float64)
    loud = pcm[22_050 * 2 + 2205 : 22_050 * 2 + 8820]
    assert 20 * np.log10(np.sqrt((loud**2).mean())) == pytest.approx(-20.0, abs=0.5)
    pause = pcm[22_050 * 3 : 22_050 * 3 + 8820]
    assert np.sqrt((pause**2).mean()) < 0.12 * np.sqrt((loud**2).mean())
    assert abs(pcm[22_050:].mean()) < 1e-3


def test_a_recording_is_accepted_once_and_its_duplicates_name_the_first(project: Project) -> None:
    project.put("b.opus", recordings.note())
    project.put("a.opus", recordings.note())
    project.put("c.wav", recordings.wav(recordings.pcm()))
    project.put("d.flac", recordings.sound_file(recordings.pcm(), "FLAC", "PCM_16"))
    project.run()
    assert [note.name for note in project.notes] == ["a.opus"]
    for name in ("b.opus", "c.wav", "d.flac"):
        assert project.rows[name].reason == "duplicate"
        assert "a.opus (4d1a4c4a5b32)" in project.rows[name].detail


@pytest.mark.parametrize(
    "copy",
    ["AAA.opus", "2026.opus", "PTT-20260103-WA0001 (1).opus", "Copia de PTT-20260103-WA0001.opus", "0/PTT-20260103-WA0001 - copia.opus"],
)
@pytest.mark.parametrize("make", [recordings.note, lambda: recordings.wav(recordings.pcm())], ids=["same bytes", "same sound"])
def test_of_two_names_the_dated_original_is_accepted(project: Project, copy: str, make: Callable[[], bytes]) -> None:
    (project.top / "notes" / "0").mkdir(parents=True)
    project.put("PTT-20260103-WA0001.opus", recordings.note())
    project.put(copy, make())
    project.run()
    assert [(note.name, note.date) for note in project.notes] == [("PTT-20260103-WA0001.opus", "2026-01-03")]
    assert project.rows[copy].reason == "duplicate"


def test_a_damaged_note_is_rejected_or_its_good_part_kept(project: Project) -> None:
    project.put("good.opus", recordings.note())
    project.put("cut.opus", recordings.note()[:30_000])
    project.run()
    assert project.rows["cut.opus"].reason == "truncated"
    assert "1.0 s missing" in project.rows["cut.opus"].detail
    project.run(accept_damaged=True)
    kept = next(note for note in project.notes if note.name == "cut.opus")
    assert kept.missing_s == pytest.approx(1.0, abs=0.01)
    assert kept.duration_s == pytest.approx(15.0, abs=0.1)
    assert project.rows["cut.opus"].detail != ""


def test_only_what_is_new_is_computed(project: Project) -> None:
    for n in range(3):
        project.put(f"{n}.wav", recordings.wav(recordings.pcm()[n * 16_000 : (n + 3) * 16_000]))
    project.run()
    before = {path.name: path.read_bytes() for path in (project.top / "wav").iterdir()}
    project.run()
    assert before == {path.name: path.read_bytes() for path in (project.top / "wav").iterdir()}
    project.put("new.wav", recordings.wav(recordings.pcm()[80_000:160_000]))
    (project.top / "notes" / "0.wav").rename(project.top / "notes" / "another name.wav")
    project.run()
    assert [(line["computed"], line["reused"]) for line in cache.read_log("convert")] == [(3, 0), (0, 3), (1, 3)]
    (project.top / "notes" / "1.wav").unlink()
    project.run()
    assert len(list((project.top / "wav").glob("*.wav"))) == len(project.notes) == 3


def test_nothing_usable_is_one_line_and_no_output(project: Project) -> None:
    project.put("a.ogg", b"")
    project.put("b.ogg", b"hello")
    with pytest.raises(command.UserError, match=r"notes: no usable voice note \(1 empty_file, 1 not_audio\)"):
        project.run()
    assert not (project.top / "wav").exists()
    assert len(project.rows) == 2


def test_a_bad_parameter_is_named(project: Project) -> None:
    project.put("a.opus", recordings.note())
    with pytest.raises(command.UserError, match=r"convert\.highpass_hz: 900\.0 should be less than or equal to 300"):
        project.run(highpass_hz=900.0)


GOLDEN_DB = [
    -26.0,
    -24.0,
    -24.0,
    -24.4,
    -25.1,
    -27.5,
    -24.1,
    -24.2,
    -24.5,
    -23.4,
    -24.7,
    -24.2,
    -25.6,
    -25.0,
    -26.0,
    -24.1,
    -25.4,
    -26.9,
    -23.8,
    -24.7,
    -26.9,
    -23.8,
    -26.0,
    -23.1,
    -31.8,
]  # RMS of each second
