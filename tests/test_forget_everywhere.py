"""`make forget` after real experiments, and on real remotes: searched for the id, the words, the sound and the hashes of a note."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests import forget_site, servers
from tests.forget_site import WORDS, call, forget, holders, holding, needles_of, note, sound

pytestmark = pytest.mark.slow


def in_git(folder: Path) -> dict[str, bytes]:
    """Every object that git holds, of the experiments too."""
    listed = subprocess.run(["git", "cat-file", "--batch-all-objects", "--batch"], cwd=folder, check=True, capture_output=True).stdout
    return {"git": listed}


def test_experiments_leave_nothing(tmp_path: Path) -> None:
    """Run in the workspace, in a copy, from the queue, and killed in the middle; the run cache pushed too."""
    folder = forget_site.make(tmp_path)
    call(folder, "dvc", "exp", "run", "-q", "-S", "version=3")
    call(folder, "dvc", "exp", "run", "-q", "--temp", "-S", "version=4")
    call(folder, "dvc", "exp", "run", "-q", "--queue", "-S", "version=5")
    call(folder, "dvc", "exp", "run", "-q", "--run-all")
    with forget_site.at_work(folder, "dvc", "exp", "run", "-q", "--temp", "-S", "version=6") as left:
        pass  # killed
    call(folder, "dvc", "push", "-q", "--run-cache")
    mine, other = sorted([note(folder, 0), note(folder, 1)], key=lambda row: row.sha256)
    needles = needles_of(folder, mine)
    assert len(needles) == 4 + 2 * 2 * 7  # MD5 and SHA-256, twice, of the note and of what the six runs made of it
    before = {place: len(holders(tmp_path / place, needles)) for place in ("repository", "remote", left)}
    assert left.is_relative_to(folder / ".dvc/tmp/exps") and min(before.values()) > 2, before
    call(folder, "git", "checkout", "-q", "--", "params.yaml", "dvc.lock")
    forget(folder, mine.original_name, "--yes")
    assert holders(tmp_path, needles) == []
    assert holding(in_git(folder), [WORDS["a"].encode(), sound("a")]) == []
    assert holders(tmp_path, [WORDS["b"].encode()]) != []
    call(folder, "dvc", "repro", "-q")
    assert holders(tmp_path, needles) == []
    assert list((folder / "data/clips").glob(f"{other.id}-*"))


@pytest.mark.parametrize("kind", [kind for kind in servers.KINDS if kind != "local"])
def test_a_remote_on_another_machine_keeps_nothing(kind: str, tmp_path: Path) -> None:
    (tmp_path / "server").mkdir()
    with servers.running(kind, tmp_path / "server") as server:
        folder = forget_site.make(tmp_path / "here", server.url, server.credentials)
        call(folder, "dvc", "push", "-q", "--run-cache")
        mine, other = sorted([note(folder, 0), note(folder, 1)], key=lambda row: row.sha256)
        needles = needles_of(folder, mine)
        before = server.contents()
        assert len(holding(before, needles)) > 10
        said = forget(folder, mine.id, "--yes")
        assert "objects of remote here" in said and "cannot   remote here: older versions" in said
        after = server.contents()
        assert holding(after, needles) == [] == holders(folder, needles)
        assert len(holding(after, [other.id.encode(), sound("b")])) > 2 and after.items() <= before.items()
        call(folder, "dvc", "repro", "-q")
        call(folder, "dvc", "push", "-q")
        assert holding(server.contents(), needles) == []


@pytest.mark.parametrize("kind", servers.KINDS)
def test_a_remote_that_does_not_answer_is_named_and_the_rest_forgotten(kind: str, tmp_path: Path) -> None:
    (tmp_path / "server").mkdir()
    with servers.running(kind, tmp_path / "server") as server:
        folder = forget_site.make(tmp_path / "here", server.url, server.credentials)
        needles = needles_of(folder, mine := note(folder, 0))
    if kind == "local":  # the disk is not mounted
        server.folder.rename(tmp_path / "elsewhere")
    said = forget(folder, mine.id, "--yes")
    assert "cannot   remote here: not reachable" in said and "Traceback" not in said
    assert holders(folder.parent, needles) == []


def test_what_a_folder_reveals_is_removed_from_a_server_too(tmp_path: Path) -> None:
    """The server can only be asked for names of objects. Those of an older version are not in DVC's cache any more."""
    (tmp_path / "server").mkdir()
    with servers.running("webdav", tmp_path / "server") as server:
        folder = forget_site.make(tmp_path / "here", server.url, server.credentials)
        call(folder, "dvc", "remote", "add", "-q", "usb", "../usb")  # its name comes after the server's
        shutil.copytree(server.folder / "voz", tmp_path / "here/usb")
        needles = needles_of(folder, mine := note(folder, 0))
        call(folder, "dvc", "gc", "-q", "-f", "-w")
        shutil.rmtree(folder / ".cache")
        assert len(holding(server.contents(), needles)) > 10 < len(holders(tmp_path / "here/usb", needles))
        forget(folder, mine.id, "--yes")
        assert holding(server.contents(), needles) == [] == holders(tmp_path / "here", needles)
