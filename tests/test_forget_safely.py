"""What `make forget` must not do: destroy what is not the note's, or work while something else brings the note back."""

import json
import shutil
from pathlib import Path

import pytest
from dvc.repo import Repo
from markupsafe import escape

from tests import forget_site
from tests.forget_site import WORDS, call, forget, holders, note
from tools.forgetting import forget as tool
from tools.forgetting.plan import Plan
from tools.forgetting.trail import Trail
from voz.data import corrections
from voz.pipeline import cache_folders, files, ledger


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return forget_site.make(tmp_path_factory.mktemp("finished")).parent


@pytest.fixture
def repository(finished: Path, tmp_path: Path) -> Path:
    shutil.copytree(finished, tmp_path / "copy", symlinks=True, ignore=shutil.ignore_patterns("site"))
    return tmp_path / "copy" / "repository"


def everything(repository: Path) -> dict[str, bytes]:
    """Every file in the notes, DVC's cache and the remote."""
    places = [repository / "data", repository / ".dvc/cache", repository.parent / "remote"]
    return {str(path): path.read_bytes() for place in places for path in sorted(place.rglob("*")) if path.is_file()}


def test_a_link_that_stays_gets_its_own_bytes_before_its_object_goes(tmp_path: Path) -> None:
    store = tmp_path / "store"
    (store / "aa").mkdir(parents=True)
    for name in ("going", "staying"):
        (store / "aa" / name).write_text(name)
        (tmp_path / name).symlink_to(store / "aa" / name)
    plan = Plan(stores={"store": {store / "aa" / "going"}})
    plan.workspace.links = {tmp_path / "going", tmp_path / "staying"}
    tool.remove_here(plan, tmp_path / "notes")
    assert not (store / "aa" / "going").exists()
    assert [(path.is_symlink(), path.read_text()) for path in sorted(plan.workspace.links)] == [(False, "going"), (True, "staying")]


def test_a_note_keeps_its_bytes_until_all_its_objects_are_gone(tmp_path: Path) -> None:
    """Else a run that was interrupted could not be run again."""
    (tmp_path / "object").write_text("note")
    (tmp_path / "notes").mkdir()
    link = tmp_path / "notes/a.opus"
    link.symlink_to(tmp_path / "object")
    plan = Plan(stores={"remote": {tmp_path / "notes"}, "cache": {tmp_path / "object"}})  # a folder in place of an object: it fails
    plan.workspace.links = plan.workspace.files = {link}
    with pytest.raises(OSError):
        tool.remove_here(plan, tmp_path / "notes")
    assert not (tmp_path / "object").exists() and link.read_text() == "note"


@pytest.mark.parametrize("missing", ["data/corrections.csv", "data/notes", "data/notes/*"])
def test_what_is_not_checked_out_is_fetched_first(repository: Path, missing: str) -> None:
    """A new version would be made without it, and the old one is removed."""
    mine = note(repository, 0)
    for path in repository.glob(missing):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    before = everything(repository)
    path = missing.removesuffix("/*")
    assert f"{path}: DVC tracks it, but it is not checked out; `dvc checkout {path}.dvc` restores it" in forget(
        repository, mine.id, "--yes", status=2
    )
    assert everything(repository) == before
    call(repository, "dvc", "pull", "-q", f"{path}.dvc")
    forget(repository, mine.id, "--yes")
    assert len(corrections.read(repository / "data/corrections.csv")) == 1 and (repository / "data/corrections.csv.dvc").is_file()


def test_all_is_removed_even_if_an_earlier_run_did_not_end(repository: Path) -> None:
    shutil.rmtree(repository / "data/notes")
    (repository / "data/corrections.csv").unlink()
    pointer = (repository / "data/notes.dvc").read_bytes()
    said = forget(repository, "--all", "--yes")
    assert "cannot   data/corrections.csv: not checked out" in said
    assert holders(repository.parent, [WORDS["a"].encode(), WORDS["b"].encode()]) == []
    (repository / "data/notes.dvc").write_bytes(pointer)
    forget(repository, "--all", "--yes")
    assert not list(repository.glob("data/*.dvc"))


@pytest.mark.parametrize("command", [("repro", "-q", "-f"), ("exp", "run", "-q", "--temp", "-S", "version=3")], ids=["repro", "exp"])
def test_a_running_stage_is_waited_for(repository: Path, command: tuple[str, ...]) -> None:
    """Its outputs would bring the note back."""
    mine = note(repository, 0)
    with forget_site.at_work(repository, "dvc", *command):
        before = everything(repository)
        said = forget(repository, mine.id, "--yes", status=2)
        assert "is at work here" in said and command[0] in said and "remove   " not in said
        assert everything(repository) == before
    call(repository, "git", "checkout", "-q", "--", ".")
    forget(repository, mine.id, "--yes")  # what was killed holds nothing back
    assert holders(repository.parent, [mine.id.encode(), WORDS["a"].encode()]) == []


def test_another_dvc_command_is_waited_for(repository: Path) -> None:
    before = everything(repository)
    with Repo(repository) as repo, repo.lock:
        assert "another DVC command is at work here" in forget(repository, note(repository, 0).id, "--yes", status=2)
    assert everything(repository) == before


def test_the_temporary_folder_of_a_running_command_is_left_to_it(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DVC_ROOT", str(repository))
    left = repository / ".cache/.tmp-left"
    left.mkdir()
    with cache_folders.scratch() as used:
        left.mkdir(exist_ok=True)
        (used / "note.wav").write_bytes(b"x")
        assert "temporary folders of commands that run now (1)" in forget(repository, note(repository, 0).id, "--yes")
        assert (used / "note.wav").is_file() and not left.exists()


def test_the_name_of_a_note_that_convert_rejected_goes_too(repository: Path) -> None:
    """Its rows hold no id. A name that could be anybody's does not make a text a trace."""
    names = ['llora & pide "perdón".ogg', "no llora & pide perdón.ogg", "nota.ogg"]
    rows = [["input", "item", "outcome", "reason", "start_s", "end_s", "name", "detail"]]
    for name in names:
        (repository / "data/notes" / name).write_bytes(b"OggS\0" + name.encode())
        rows.append([name, name, "rejected", "undecodable", "", "", name, ""])
    page = repository / "reports/report.html"
    (repository / "reports/ledger/convert.csv").write_text(files.csv_text(rows))
    page.write_text("".join(f"<td>{escape(name)}</td>" for name in names[:1]))
    (repository / "reports/lines/list.json").write_text(json.dumps(names[:1]))
    own = repository / "mis cosas.txt"
    own.write_text(f"escuchar {names[0]} y {names[2]}\n")
    call(repository, "dvc", "add", "-q", "data/notes")
    call(repository, "dvc", "commit", "-q", "-f")
    call(repository, "dvc", "push", "-q")
    forms = [form.encode() for form in (names[0], str(escape(names[0])), json.dumps(names[0])[1:-1], names[0].replace('"', '""'))]
    assert len(holders(repository.parent, forms)) > 10
    forget(repository, names[0], names[2], "--yes")
    assert holders(repository.parent, forms) == ["repository/mis cosas.txt"]  # a person's own
    assert [row.name for row in ledger.read(repository / "reports/ledger/convert.csv")] == [names[1]]
    assert (repository / "data/notes" / names[1]).is_file() and not (repository / "data/notes" / names[2]).exists()


def test_a_short_name_makes_no_text_a_trace(tmp_path: Path) -> None:
    trail = Trail({"0123456789ab"}, {"nota.ogg", "un llanto.ogg"})
    texts = {"nota.ogg": False, "un llanto.ogg": True, "data/un llanto.ogg": True, "aun llanto.ogg": False, "un llanto.ogga": False}
    assert {text: trail.tells_a_name(f"<p>{text}</p>".encode()) for text in texts} == texts
