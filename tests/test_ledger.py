"""Inputs = accepted + rejected, or the stage fails."""

from pathlib import Path

import pytest

from voz.pipeline import ledger
from voz.pipeline.command import UserError


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


@pytest.mark.parametrize(
    "data", [b"", b"input,item,o.297,,\n14moov96", b"\xff\xfe", b"input,item,outcome,reason,start_s,end_s,name,detail\na,b\n", b'"\0']
)
def test_a_damaged_ledger_is_one_line(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "convert.csv").write_bytes(data)
    with pytest.raises(UserError, match=r"convert.csv.*dvc checkout"):
        ledger.read(tmp_path / "convert.csv")
