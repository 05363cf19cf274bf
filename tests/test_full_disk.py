"""A disk that is full or read-only: one line that names the place, no output half written, no temporary files, no traceback.

The disks are tmpfs of a few pages, so this needs root. Every stage runs in this process, as `python -m stages.NAME` would.
"""

from pathlib import Path

import pytest

from tests import tiny_run
from tests.small_disk import PAGE, Disk, require_one_line, small_disk
from tests.tiny_run import COMMANDS, run

pytestmark = pytest.mark.slow
SHARES = (0.0, 0.2, 0.5, 0.8, 0.95)  # of the space that is needed


disk = small_disk


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which every stage has run once: what it computes is in the cache."""
    folder = tmp_path_factory.mktemp("disk")
    tiny_run.make(folder)
    return folder


@pytest.mark.parametrize("stage", COMMANDS)
def test_outputs_on_a_full_disk(stage: str, work: Path, disk: Disk) -> None:
    assert run(stage, work, disk.path) == (0, [])
    needed = disk.used()
    whole = {path.relative_to(disk.path): path.read_bytes() for path in disk.path.rglob("*") if path.is_file()}
    for share in SHARES:
        disk.clear()
        disk.remount(f"size={max(PAGE, int(share * needed) // PAGE * PAGE)}")
        status, stderr = run(stage, work, disk.path)
        require_one_line(status, stderr, "no space left", disk.path)
        left = {path.relative_to(disk.path): path.read_bytes() for path in disk.path.rglob("*") if path.is_file()}
        assert left.items() <= whole.items()  # what is there is whole
        for folder in {path.parents[-2] for path in left if len(path.parts) > 1}:
            assert {path for path in whole if folder in path.parents} <= left.keys()


@pytest.mark.parametrize("stage", COMMANDS)
def test_outputs_on_a_read_only_disk(stage: str, work: Path, disk: Disk) -> None:
    disk.remount("ro")
    require_one_line(*run(stage, work, disk.path), "read-only file system", disk.path)


@pytest.mark.parametrize("stage", [stage for stage in COMMANDS if stage != "report"])
def test_the_cache_on_a_full_disk(stage: str, work: Path, disk: Disk, tmp_path_factory: pytest.TempPathFactory) -> None:
    out = tmp_path_factory.mktemp("out")
    disk.remount("size=40k")
    status, stderr = run(stage, work, out, cache=disk.path)
    assert not list(disk.path.rglob("*.tmp")) and not list(disk.path.rglob(".tmp-*"))
    assert not list(out.rglob("manifest.jsonl"))
    require_one_line(status, stderr, "no space left", disk.path)


@pytest.mark.parametrize("stage", [stage for stage in COMMANDS if stage != "report"])
def test_a_read_only_cache(stage: str, work: Path, disk: Disk, tmp_path_factory: pytest.TempPathFactory) -> None:
    out = tmp_path_factory.mktemp("out")
    disk.remount("ro")
    require_one_line(*run(stage, work, out, cache=disk.path), "read-only file system", disk.path)
    assert not list(out.rglob("manifest.jsonl")) and not list(out.rglob(".*.tmp"))


@pytest.mark.parametrize("stage", ["evaluate", "synthesize"])
def test_a_log_that_cannot_be_written_is_no_failure(stage: str, work: Path, disk: Disk, tmp_path_factory: pytest.TempPathFactory) -> None:
    """The log's folder, in the cache of a run that computes nothing, is on a full disk."""
    log, out = work / ".cache" / "log", tmp_path_factory.mktemp("out")
    log.rename(work / "log")
    log.symlink_to(disk.path)
    disk.remount("ro")
    try:
        assert run(stage, work, out) == (0, [])
    finally:
        log.unlink()
        (work / "log").rename(log)
