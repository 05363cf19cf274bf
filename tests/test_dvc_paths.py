"""Inputs with unusual names, and notes that DVC keeps as links, under the real dvc."""

import shutil
from pathlib import Path

import pytest

from tests import checkout
from tests.checkout import ROOT, Checkout
from tools import doctor
from voz.pipeline import ledger

pytestmark = pytest.mark.pipeline


def test_inputs_with_spaces_parentheses_and_quotes_in_their_names(tmp_path: Path) -> None:
    odd = "los audios (2024) d'Ana & cía; año#1"
    inputs = {key: f"data/{odd}/{key} de 'él' [x] *" for key in ("corrections", "base", "asr")}
    here = checkout.of_project(tmp_path / odd / "repo", f"data/{odd}/notes", 4, inputs)
    shutil.copyfile(ROOT / "data/demo/corrections.csv", here.folder / inputs["corrections"])
    shutil.copyfile(ROOT / "models/pocket/whisper.pt", here.folder / inputs["asr"])
    shutil.copytree(ROOT / "models/pocket/xtts", here.folder / inputs["base"])
    assert here.run("python", "-m", "tools.inputs") == ""
    assert here.repro("curate") == ["convert", "segment", "transcribe", "curate"]
    assert len(list((here.folder / "data/wav").glob("*.wav"))) == 4
    assert here.repro("curate") == []


@pytest.fixture
def notes(tmp_path: Path) -> Checkout:
    """A repository with three notes under `data/notes`."""
    return checkout.of_project(tmp_path / "repo", "data/notes", 3, {})


@pytest.mark.parametrize("kind", ["symlink", "hardlink"])
def test_notes_that_dvc_keeps_as_links_are_converted(notes: Checkout, kind: str) -> None:
    folder = notes.folder / "data/notes"
    notes.run("dvc", "config", "cache.type", kind)
    notes.run("dvc", "add", "-q", "data/notes")
    found = sorted(folder.glob("*.*"))
    assert all(path.is_symlink() if kind == "symlink" else path.stat().st_nlink == 2 for path in found) and len(found) == 4
    assert notes.repro("segment") == ["data/notes.dvc", "convert", "segment"][-2:]
    rows = ledger.read(notes.folder / "reports/ledger/convert.csv")
    assert sorted((row.name, row.reason) for row in rows) == [(path.name, "") for path in found if path.suffix != ".yaml"]
    assert doctor_says(notes) == []
    assert notes.repro("segment") == []  # the outputs are links now, too


def test_other_links_are_refused_by_name_and_the_doctor_knows_the_cure(notes: Checkout, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = notes.folder / "data/notes"
    elsewhere = notes.folder / "elsewhere"
    elsewhere.mkdir()
    for path in folder.iterdir():
        if path.suffix != ".yaml":
            path.rename(elsewhere / path.name)
            path.symlink_to(elsewhere / path.name)
    assert "no usable voice note (3 link)" in notes.run("dvc", "repro", "convert", status=255)
    monkeypatch.chdir(notes.folder)
    (finding,) = doctor.links(Path("data/notes"))
    assert "3 are links" in finding.found
    notes.run("sh", "-c", finding.fix.split("`")[1])
    assert doctor_says(notes) == []
    assert notes.repro("convert") == ["convert"]


def doctor_says(here: Checkout) -> list[str]:
    """What the doctor finds wrong with the inputs of a repository."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(here.folder)
        return [finding.found for finding in doctor.named_inputs(Path("params.yaml")) if finding.fix]
