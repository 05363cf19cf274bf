"""The corrections file: what cannot be read names its line; the last row of a clip wins."""

from pathlib import Path

import pytest

from voz.data import corrections
from voz.pipeline import command


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ("0123456789ab-0000000-0009000,delete,", "c.csv:2: unknown action 'delete'"),
        ("mine-0,accept,", "c.csv:2: 'mine-0' is not a clip id"),
        ("0123456789ab-0000000-0009000,text,", "c.csv:2: action text without a text"),
        ("0123456789ab-0000000-0009000,text,hola, che", "c.csv:2: 4 columns"),
    ],
)
def test_a_bad_correction_names_its_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, row: str, problem: str) -> None:
    monkeypatch.chdir(tmp_path)
    Path("c.csv").write_text(f"clip,action,text\n{row}\n")
    with pytest.raises(command.UserError) as caught:
        corrections.read(Path("c.csv"))
    assert str(caught.value).startswith(problem)


def test_the_last_correction_wins_and_accept_keeps_an_earlier_text(tmp_path: Path) -> None:
    one, two = "0123456789ab-0000000-0009000", "0123456789ab-0009000-0018000"
    path = tmp_path / "c.csv"
    path.write_text(f"\ufeffclip,action,text\n{one},text,Hola che\n{two},accept,\n\n{one},accept,\n{two},reject,\n", encoding="utf-8")
    found = corrections.read(path)
    assert found == {one: corrections.Correction(one, True, "Hola che"), two: corrections.Correction(two, False, "")}
    corrections.write(path, found.values())
    assert corrections.read(path) == found
