"""The last lines of `make demo`: where the results are, and why git shows files as changed."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.checkout import ROOT
from tools import outcome
from voz.audio import wav


def git(*arguments: str) -> None:
    who = ["-c", "user.name=test", "-c", "user.email=test@example.invalid"]
    subprocess.run(["git", *who, *arguments], check=True, capture_output=True)


@pytest.fixture
def finished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository after the demo, on the machine whose numbers are committed."""
    monkeypatch.chdir(tmp_path)
    for name in ("dvc.lock", "params.yaml", "dvc.yaml", "reports/train.json"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("1.234567\n")
    git("init", "-q")
    git("add", "-A")
    git("commit", "-qm", "demo")
    (tmp_path / ".git/info/exclude").write_text("models\noutputs\nreports/report.html\n")
    for name in ("models/voice/model.pth", "reports/report.html"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "outputs").mkdir()
    wav.write(tmp_path / "outputs/01-hola.wav", np.zeros(24_000, np.float32), rate_hz=24_000)
    return tmp_path


def printed(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(sys, "argv", ["outcome"])
    outcome.main()
    return capsys.readouterr().out


def test_the_same_numbers_need_no_word(finished: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    said = printed(capsys, monkeypatch)
    assert "sample   outputs/01-hola.wav  (1.0 s)" in said and "git" not in said


def test_another_machines_last_digits_are_explained(
    finished: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("dvc.lock", "reports/train.json"):
        (finished / name).write_text("1.234568\n")
    assert "That is no fault" in printed(capsys, monkeypatch)
    subprocess.run(outcome.CHANGED.rsplit(": ", 1)[1].split(), check=True)  # the command that the text names
    assert "no fault" not in printed(capsys, monkeypatch)


def test_somebodys_own_knobs_are_not_the_demo(finished: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("dvc.lock", "reports/train.json", "params.yaml"):
        (finished / name).write_text("2.0\n")
    assert "no fault" not in printed(capsys, monkeypatch)


def test_a_checkout_with_autocrlf_changes_no_file(tmp_path: Path) -> None:
    """With the rules of .gitattributes, as git for Windows is set up."""
    source, clone = tmp_path / "source", tmp_path / "clone"
    source.mkdir()
    for name in (".gitattributes", "dvc.yaml", "params.yaml", "stages/convert.py", "data/texts.txt"):
        (source / name).parent.mkdir(exist_ok=True)
        (source / name).write_bytes((ROOT / name).read_bytes())
    (source / "note.opus").write_bytes(b"OggS\r\n\n\r")
    git("-C", str(source), "init", "-q")
    git("-C", str(source), "add", "-A")
    git("-C", str(source), "commit", "-qm", "files")
    git("clone", "-q", "-c", "core.autocrlf=true", str(source), str(clone))
    for path in source.rglob("*"):
        if path.is_file() and ".git/" not in str(path):
            assert (clone / path.relative_to(source)).read_bytes() == path.read_bytes(), path.name
