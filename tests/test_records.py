"""A manifest is checked on read and on write."""

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from voz.pipeline import records

NOTE = records.Note(id="0123456789ab", name="PTT.opus", duration_s=2.5, format="ogg-opus", source_hz=16_000, missing_s=0.0)


def test_manifest_is_sorted_and_reads_back(tmp_path: Path) -> None:
    second = records.Note(id="ffffffffffff", name='a|b\n"c"', duration_s=1.0, format="wav", source_hz=8_000, missing_s=0.0)
    records.write(tmp_path, [second, NOTE])
    assert records.read(tmp_path, records.Note) == [NOTE, second]
    assert len((tmp_path / records.MANIFEST).read_text().splitlines()) == 2  # the newline in a name is escaped
    assert [path.name for path in tmp_path.iterdir()] == [records.MANIFEST]  # no temporary file stays


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("duration_s", "2.5", "duration_s: '2.5' should be a valid number"),
        ("id", "../../etc", "id: '../../etc'"),
        ("duration_s", float("nan"), "nan"),
    ],
)
def test_bad_value_names_file_line_field_and_value(tmp_path: Path, field: str, value: object, said: str) -> None:
    good = asdict(NOTE)
    (tmp_path / records.MANIFEST).write_text(json.dumps(good) + "\n" + json.dumps(good | {field: value}) + "\n")
    with pytest.raises(records.BadRecord) as error:
        records.read(tmp_path, records.Note)
    assert f"{records.MANIFEST}:2:" in str(error.value) and said in str(error.value)


def test_an_id_may_occur_once(tmp_path: Path) -> None:
    records.write(tmp_path, [NOTE, NOTE])
    with pytest.raises(records.BadRecord, match="0123456789ab occurs twice"):
        records.read(tmp_path, records.Note)


def test_a_clip_late_in_a_long_note_has_an_id() -> None:
    """From 10 000 s (2 h 47 min) on its milliseconds have eight digits."""
    times = {"start_s": 9_994.737, "end_s": 10_002.717, "duration_s": 7.98, "speech_s": 7.0}
    levels = {"level_db": -23.0, "noise_db": -60.0, "start_db": -60.0, "end_db": -60.0}
    assert records.Clip(id="78651b157098-9994737-10002717", note="78651b157098", **times, **levels)
