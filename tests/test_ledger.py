"""Inputs = accepted + rejected, or the stage fails."""

from pathlib import Path

import pytest

from voz.pipeline import ledger


def test_ledger_reads_back_sorted_with_hostile_names(tmp_path: Path) -> None:
    account = ledger.Account("convert", ["b.ogg", 'a,"\n|.ogg'])
    account.reject("b.ogg", "b.ogg", "truncated", detail="1.2 s missing")
    account.accept('a,"\n|.ogg', "0123456789ab")
    account.close(tmp_path / "convert.csv")
    rows = ledger.read(tmp_path / "convert.csv")
    assert [(row.input, row.outcome, row.reason) for row in rows] == [('a,"\n|.ogg', "accepted", ""), ("b.ogg", "rejected", "truncated")]
    assert account.summary() == "convert: 2 in, 1 accepted, rejected: 1 truncated"


def test_a_lost_input_fails_the_stage(tmp_path: Path) -> None:
    account = ledger.Account("segment", ["a", "b"])
    account.accept("a", "a-1")
    with pytest.raises(RuntimeError, match=r"lost \['b'\]"):
        account.close(tmp_path / "segment.csv")
    assert not (tmp_path / "segment.csv").exists()


def test_the_same_item_twice_fails_the_stage(tmp_path: Path) -> None:
    account = ledger.Account("segment", ["a"])
    account.accept("a", "a-1")
    account.reject("a", "a-1", "too_short")
    with pytest.raises(RuntimeError, match="twice"):
        account.close(tmp_path / "segment.csv")
