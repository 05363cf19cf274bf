"""Metrics are finite, two names are never printed alike, and a full disk is noticed before the work."""

import json
import os
from pathlib import Path

import pytest

from voz.pipeline import files
from voz.pipeline.command import UserError


def test_metrics_refuse_nan(tmp_path: Path) -> None:
    files.write_json(tmp_path / "m.json", {"a": {"b": 0.123456789}})
    assert json.loads((tmp_path / "m.json").read_text()) == {"a": {"b": 0.123457}}
    with pytest.raises(ValueError, match="nan"):
        files.write_json(tmp_path / "m.json", {"a": float("nan")})
    assert json.loads((tmp_path / "m.json").read_text()) == {"a": {"b": 0.123457}}  # the old file is whole


def test_two_names_are_never_printed_alike() -> None:
    names = [b"\x85", "\x85".encode(), b"\\x85", b"\n", b"\\n", b"\xad", "\xad".encode(), "ñ".encode(), b"\xf1"]
    shown = [files.printable(name) for name in names]
    assert len(set(shown)) == len(names) and all(each.isprintable() for each in shown)
    assert shown == [files.printable(os.fsdecode(name)) for name in names]
    assert files.printable("ñandú\n\udcf1") == r"ñandú\n\xf1"


def test_too_little_disk_is_said_before_the_work(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="GB free, training needs"):
        files.require_free(tmp_path / "not" / "there", 10**18, what="training")
