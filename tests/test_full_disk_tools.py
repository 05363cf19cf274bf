"""A full disk under the tools that write a person's data: import, forget, review. One line that names the place, nothing half written."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests import forget_site, review_site, whatsapp
from tests.browser import Browser
from tests.forget_site import holders, needles_of, note
from tests.kills import contents
from tests.small_disk import PAGE, Disk, require_one_line, small_disk
from tests.whatsapp import AGREED, android
from voz.data import origins
from voz.pipeline import files

pytestmark = pytest.mark.slow
disk = small_disk
SHARES = (0.3, 0.6, 0.9)  # of the space that is needed


def run(folder: Path, *command: object, **env: str) -> tuple[int, list[str]]:
    """A tool's exit status and what it said on stderr, without progress bars."""
    line = [sys.executable, "-m", *map(str, command)]
    done = subprocess.run(line, cwd=folder, env=forget_site.environment(folder) | env, capture_output=True, text=True, check=False)
    return done.returncode, [line for line in done.stderr.replace("\r", "\n").splitlines() if line and "%|" not in line]


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return whatsapp.enter_repository(tmp_path / "repository", monkeypatch)


@pytest.fixture
def zipped(tmp_path: Path) -> Path:
    (tmp_path / "spoken").mkdir()
    return android(tmp_path / "chat.zip", whatsapp.write_notes(tmp_path / "spoken"))


def require_whole(folder: Path) -> None:
    """Every note in the folder has the bytes that its name says, and no temporary file of ours is left (DVC leaves its own)."""
    for path in folder.rglob("*.opus"):
        assert files.hash_file(path).startswith(path.stem.partition("_")[2])
    assert not [path for path in folder.rglob(".*") if path.suffixes[-1:] == [".tmp"] and len(path.suffixes) > 1]


def visible(folder: Path) -> set[Path]:
    """The files in a folder, without what DVC leaves of its tries."""
    return {path for path in contents(folder) if not path.name.startswith(".")}


def test_import_into_a_full_notes_folder(repository: Path, zipped: Path, disk: Disk) -> None:
    command = ("tools.whatsapp.import_chat", zipped, "--sender", "Ana Pérez", *AGREED)
    (repository / "data").mkdir()
    subprocess.run(["mount", "--bind", disk.path, repository / "data"], check=True)
    try:
        assert run(repository, *command) == (0, [])
        needed, whole = disk.used(), visible(disk.path)
        for share in SHARES:
            disk.clear()
            disk.remount(f"size={max(PAGE, int(share * needed) // PAGE * PAGE)}")
            status, said = run(repository, *command)
            require_one_line(status, said, "no space left", repository / "data", shown="data")
            require_whole(repository / "data")
        disk.remount("size=100m")
        assert run(repository, *command) == (0, [])
        assert visible(disk.path) == whole
    finally:
        subprocess.run(["umount", repository / "data"], check=True)


def test_import_with_a_full_cache(repository: Path, zipped: Path, disk: Disk) -> None:
    (disk.path / ".cache").mkdir()
    disk.remount(f"size={3 * PAGE}")
    command = ("tools.whatsapp.import_chat", zipped, "--sender", "Ana Pérez", *AGREED)
    status, said = run(repository, *command, DVC_ROOT=str(disk.path))
    require_one_line(status, said, "no space left", disk.path)
    assert not list((disk.path / ".cache").iterdir())
    assert not list((repository / "data/notes").glob("*.opus"))


def test_forget_on_a_full_disk_is_completed_by_the_next(tmp_path: Path, disk: Disk) -> None:
    """The tables of data/, which it writes again, are on the full disk."""
    folder = forget_site.make(tmp_path)
    mine, other = note(folder, 0), note(folder, 1)
    needles = needles_of(folder, mine)
    shutil.copytree(folder / "data", disk.path, dirs_exist_ok=True)
    subprocess.run(["mount", "--bind", disk.path, folder / "data"], check=True)
    try:
        disk.remount(f"size={disk.used() + 16 * PAGE}")
        disk.fill()
        before = contents(disk.path)
        status, said = run(folder, "tools.forgetting.forget", mine.id, "--yes")
        require_one_line(status, said, "no space left", folder / "data", shown="data")
        assert contents(disk.path) == before
        (disk.path / "filling").unlink()
        assert run(folder, "tools.forgetting.forget", mine.id, "--yes") == (0, [])
        assert holders(tmp_path, needles) == [] and [row.id for row in origins.read(folder / "data/notes")] == [other.id]
    finally:
        subprocess.run(["umount", folder / "data"], check=True)


def test_a_correction_on_a_full_disk_is_a_line_on_the_page(disk: Disk) -> None:
    (disk.path / "site").mkdir()
    with review_site.running(disk.path / "site") as site:
        browser = Browser()
        try:
            browser.driver.get(site.address)
            browser.wait("#card .place", "1 of 9")
            disk.remount(f"size={disk.used() + PAGE}")
            disk.fill()
            before = (site.folder / "c.csv").read_bytes()
            browser.press("r")
            browser.wait(".toast-wrap", f"c.csv: no space left on {disk.path}")
            assert (site.folder / "c.csv").read_bytes() == before and not list(site.folder.glob(".*.tmp"))
            disk.remount("size=100m")
            browser.press("r")
            browser.wait(".progress", "1 of 9")
            assert [each.accepted for each in site.decisions().values()] == [False]
        finally:
            browser.driver.quit()
