"""Push, check and heal on real remotes of every kind, and what a fresh clone pulls from them."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import servers
from tests.checkout import ROOT, Checkout
from tests.servers import Server
from tools.remotes import add, stored
from voz.pipeline.command import UserError

FILES = 40
PIPELINE = """
stages:
  copy:
    cmd: python -c "import shutil; shutil.copytree('notes', 'wav')"
    deps: [notes]
    outs: [wav]
"""
KINDS = [pytest.param(kind, marks=[pytest.mark.pipeline] if kind == "local" else [pytest.mark.slow]) for kind in servers.KINDS]


@pytest.fixture(params=KINDS)
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Server]:
    """A running remote of each kind."""
    folder = tmp_path / "server"
    folder.mkdir()
    with servers.running(request.param, folder) as started:
        yield started


@pytest.fixture
def here(server: Server, tmp_path: Path) -> Checkout:
    """A repository with notes, their copies, and a file of the base that is never pushed; the server is its remote."""
    here = checkout(tmp_path / "repo")
    here.folder.mkdir()
    (here.folder / "notes").mkdir()
    for n in range(FILES):
        (here.folder / "notes" / f"{n:02d}.wav").write_bytes(random.Random(n).randbytes(3000 + n))
    (here.folder / "base.pth").write_text("fetched by everybody from its publisher")
    (here.folder / "dvc.yaml").write_text(PIPELINE)
    here.run("git", "init", "-q", "-b", "main")
    here.run("dvc", "init", "-q")
    here.run("dvc", "add", "-q", "notes", "base.pth")
    pointer = here.folder / "base.pth.dvc"
    pointer.write_text(pointer.read_text() + "  push: false\n")
    here.run("python", "-m", "tools.remotes.add", "--", server.url)
    log_in(here, server)
    assert here.repro() == ["copy"]
    here.commit("voice")
    return here


def checkout(folder: Path) -> Checkout:
    """A folder in which `python -m tools...` runs this repository's tools, with a DVC of its own."""
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    return Checkout(folder, PYTHONPATH=path, DVC_SITE_CACHE_DIR=str(folder.parent / f"{folder.name}-site"))


def log_in(here: Checkout, server: Server) -> None:
    """Put the credentials where git does not see them."""
    for name, value in server.credentials.items():
        here.run("dvc", "remote", "modify", "--local", "store", name, value)


def clone(here: Checkout, server: Server, name: str = "clone") -> Checkout:
    """A fresh clone on another machine, so to speak."""
    there = checkout(here.folder.parent / name)
    here.run("git", "clone", "-q", str(here.folder), str(there.folder))
    log_in(there, server)
    return there


def require_pulled(there: Checkout, here: Checkout) -> None:
    """The clone has the same data, and nothing is left to do in it."""
    (there.folder / "base.pth").write_bytes((here.folder / "base.pth").read_bytes())  # as `make base` does
    there.run("dvc", "pull", "-q")
    for folder in ("notes", "wav"):
        theirs = {path.name: path.read_bytes() for path in (there.folder / folder).iterdir()}
        assert theirs == {path.name: path.read_bytes() for path in (here.folder / folder).iterdir()}
    assert there.repro() == []
    assert there.run("git", "status", "--porcelain") == ""


def test_push_clone_pull_and_nothing_to_do(here: Checkout, server: Server) -> None:
    said = here.run("python", "-m", "tools.remotes.push")
    assert f"remote store: all {FILES + 1} objects of this checkout are there, compared by their sizes" in said
    assert len(server.objects()) == FILES + 1  # notes and wav are the same; the base is not there
    require_pulled(clone(here, server), here)
    config = (here.folder / ".dvc/config").read_text()
    assert "verify = true" in config and servers.SECRET not in config
    assert servers.SECRET not in here.run("git", "log", "-p")


def test_a_remote_that_lacks_files_of_a_folder_is_named_and_healed(here: Checkout, server: Server) -> None:
    """As an interrupted push leaves it: the folder's list is there, a quarter of its files is not, and DVC believes in the list."""
    here.run("dvc", "push", "-q")
    gone = [oid for oid in server.objects() if not oid.endswith(".dir")][::4]
    for oid in gone:
        server.put(oid, None)
    said = here.run("python", "-m", "tools.remotes.push", "--check", status=2)
    assert said.count("missing   ") == len(gone) and "notes/" in said
    assert f"error: remote store: {len(gone)} of {FILES + 1} objects are missing or damaged (" in said
    assert f"sent again: {len(gone)} of {len(gone)}" in here.run("python", "-m", "tools.remotes.push")
    here.run("python", "-m", "tools.remotes.push", "--check", "--hashes")
    require_pulled(clone(here, server), here)


def test_changed_and_cut_bytes_are_named_and_healed(here: Checkout, server: Server) -> None:
    here.run("python", "-m", "tools.remotes.push")
    before = server.objects()
    flipped, cut, listing = [*[oid for oid in before if not oid.endswith(".dir")][:2], next(oid for oid in before if oid.endswith(".dir"))]
    server.put(flipped, bytes([before[flipped][0] ^ 1]) + before[flipped][1:])
    server.put(cut, before[cut][:-7])
    server.put(listing, before[listing].replace(b"wav", b"waw"))
    said = here.run("python", "-m", "tools.remotes.push", "--check", status=2)
    assert f"cut short notes/{name_of(here, before[cut])}  ({cut})" in said and flipped not in said
    said = here.run("python", "-m", "tools.remotes.push", "--check", "--hashes", status=2)
    assert f"damaged   notes/{name_of(here, before[flipped])}  ({flipped})" in said and f"({listing})" in said
    assert "sent again: 3 of 3" in here.run("python", "-m", "tools.remotes.push", "--hashes")
    assert server.objects() == before
    require_pulled(clone(here, server), here)


def name_of(here: Checkout, data: bytes) -> str:
    """The note that has these bytes."""
    return next(path.name for path in (here.folder / "notes").iterdir() if path.read_bytes() == data)


@pytest.mark.slow
def test_a_change_that_dvc_has_not_seen_is_named(here: Checkout, server: Server) -> None:
    here.run("python", "-m", "tools.remotes.push")
    (here.folder / "notes" / "new.wav").write_bytes(b"new")
    said = here.run("python", "-m", "tools.remotes.push", status=2)
    assert "notes: changed since DVC last saw it" in said
    here.run("dvc", "add", "-q", "notes")
    assert "objects of this checkout are there" in here.run("python", "-m", "tools.remotes.push")


def test_what_no_machine_has_is_named_and_not_healed(here: Checkout, server: Server) -> None:
    here.run("python", "-m", "tools.remotes.push")
    there = clone(here, server)
    oid = next(oid for oid in server.objects() if not oid.endswith(".dir"))
    server.put(oid, None)
    said = there.run("python", "-m", "tools.remotes.push", status=2)
    assert f"({oid})" in said and "sent again: 0 of 1" in said and "run `make push` on the machine that has them" in said
    store = here.folder / ".dvc/cache/files/md5" / oid[:2] / oid[2:]
    store.chmod(0o644)
    store.write_bytes(bytes(store.stat().st_size))  # damaged here: must not be sent
    said = here.run("python", "-m", "tools.remotes.push", status=2)
    assert "sent again: 0 of 1" in said and oid not in server.objects()


@pytest.mark.slow
def test_an_interrupted_push_is_completed_by_the_next(here: Checkout, server: Server) -> None:
    """Ctrl-C and kill -9 at eight moments; in between a file is new, so that there is always something to push."""
    chance = random.Random(1)
    for turn in range(8):
        (here.folder / "notes" / f"new-{turn}.wav").write_bytes(chance.randbytes(100_000))
        here.run("dvc", "add", "-q", "notes")
        interrupt(here, after_s=0.4 + 0.25 * turn, number=signal.SIGKILL if turn % 2 else signal.SIGINT)
    here.repro()
    here.commit("more notes")
    here.run("python", "-m", "tools.remotes.push")
    here.run("python", "-m", "tools.remotes.push", "--check", "--hashes")
    there = clone(here, server)
    interrupt(there, after_s=1.5, number=signal.SIGKILL, command="pull")
    require_pulled(there, here)


def interrupt(here: Checkout, *, after_s: float, number: int, command: str = "push") -> None:
    """Start a DVC command and send it a signal, unless it is done by then."""
    environment = {**os.environ, **here.env}
    running = subprocess.Popen(
        [sys.executable, "-m", "dvc", command], cwd=here.folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    time.sleep(after_s)
    running.send_signal(number)
    running.wait()


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("/media/copia ñandú", "DVC cannot write ñ"),
        ("s3://me:secret@host/voz", "git would publish"),
        ("ftp://host/voz", "unknown kind of remote 'ftp'"),
        ("store", "inside this checkout; choose a folder on another disk"),
        ("/nowhere/at/all", "/nowhere/at: missing; create it"),
    ],
)
def test_an_unsafe_address_is_refused(url: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError) as caught:
        add.address(url)
    assert said in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.pipeline
def test_without_a_remote_there_is_one_line(tmp_path: Path) -> None:
    here = checkout(tmp_path / "repo")
    here.folder.mkdir()
    here.run("git", "init", "-q", "-b", "main")
    here.run("dvc", "init", "-q")
    said = here.run("python", "-m", "tools.remotes.push", status=2)
    assert said == "error: remote: none is the default; `make remote URL=...` adds one, REMOTE=name names one (docs/remotes.md)\n"


@pytest.mark.pipeline
@pytest.mark.parametrize("server", ["local"], indirect=True)
def test_a_bug_is_not_taken_for_a_fault_of_the_remote(here: Checkout, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(here.folder)
    with pytest.raises(UserError, match="remote: refused; check its address"), stored.opened("store"):
        raise ConnectionRefusedError("refused")
    with pytest.raises(TypeError), stored.opened("store"):
        raise TypeError("a bug")


@pytest.mark.pipeline
@pytest.mark.parametrize("server", ["local"], indirect=True)
def test_faults_are_told_in_the_users_language_and_another_remote_by_its_name(here: Checkout, server: Server) -> None:
    here.run("dvc", "remote", "add", "-q", "other", str(here.folder.parent / "other"))
    spanish = Checkout(here.folder, **(here.env | {"VOZ_LANG": "es"}))
    said = spanish.run("python", "-m", "tools.remotes.push", "--check", "--remote=other", status=2)
    assert "falta     " in said and "error: remoto other:" in said
    here.run("python", "-m", "tools.remotes.push", "--remote=other")
    assert here.run("python", "-m", "tools.remotes.push", "--check", status=2).count("missing   ") == 20  # nothing went to the default one
    assert "comparados por sus tamaños (HASHES=1" in spanish.run("python", "-m", "tools.remotes.push", "--check", "--remote=other")


@pytest.mark.pipeline
@pytest.mark.parametrize("server", ["local"], indirect=True)
def test_a_disk_that_is_not_mounted_is_one_line(here: Checkout, server: Server) -> None:
    here.run("python", "-m", "tools.remotes.push")
    shutil.rmtree(server.folder.parent)
    server.folder.parent.touch()
    said = here.run("python", "-m", "tools.remotes.push", "--check", status=2)
    assert "error: " in said and "Traceback" not in said
