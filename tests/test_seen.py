"""voz/pipeline/seen.py: an input that a person changes while a stage runs."""

import os
from pathlib import Path

import pytest

from voz.pipeline import seen
from voz.pipeline.command import UserError


def test_a_changed_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "corrections.csv"
    path.write_text("clip,action,text\n")
    before = seen.Seen(path)
    os.utime(path, (1, 1))  # written anew with the same words
    before.require_same()
    path.write_text("clip,action,text\nx,reject,\n")
    with pytest.raises(UserError, match=r"corrections.csv: changed while this ran; run `dvc repro` again"):
        before.require_same()


@pytest.mark.parametrize("change", ["new", "gone", "other"])
def test_a_changed_folder_is_named(tmp_path: Path, change: str) -> None:
    (tmp_path / "ana").mkdir()
    note = tmp_path / "ana" / "a.opus"
    note.write_bytes(b"a")
    before = seen.Seen(tmp_path)
    before.require_same()
    if change == "new":
        (tmp_path / "ana" / "b.opus").write_bytes(b"b")
    elif change == "gone":
        note.unlink()
    else:
        note.write_bytes(b"b")
        os.utime(note, (2, 2))
    with pytest.raises(UserError, match="changed while this ran"):
        before.require_same()
