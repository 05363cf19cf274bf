"""Metrics are finite, names are printed unlike, a lack of space is noticed before the work, and a folder that exists is complete."""

import errno
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from voz.pipeline import files
from voz.pipeline.command import UserError


def test_metrics_refuse_nan(tmp_path: Path) -> None:
    files.write_json(tmp_path / "m.json", {"a": {"b": 0.123456789}})
    assert json.loads((tmp_path / "m.json").read_text()) == {"a": {"b": 0.123457}}
    with pytest.raises(ValueError, match="nan"):
        files.write_json(tmp_path / "m.json", {"a": float("nan")})
    assert json.loads((tmp_path / "m.json").read_text()) == {"a": {"b": 0.123457}}  # the old file is whole


def test_two_names_are_never_printed_alike() -> None:
    names = [b"\x85", "\x85".encode(), b"\\x85", b"\n", b"\\n", b"\xad", "\xad".encode(), "ñ".encode(), b"\xf1"]
    shown = [files.printable(name) for name in names]
    assert len(set(shown)) == len(names) and all(each.isprintable() for each in shown)
    assert shown == [files.printable(os.fsdecode(name)) for name in names]
    assert files.printable("ñandú\n\udcf1") == r"ñandú\n\xf1"


def test_too_little_disk_is_said_before_the_work(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="GB free, training needs"):
        files.require_free(tmp_path / "not" / "there", 10**18, what="training")


WRITE_A_FILE = """
import sys
from pathlib import Path
from voz.pipeline import files
print("started", flush=True)
for turn in range(int(sys.argv[1])):
    files.write_text(Path("table.csv"), f"{turn}\\n" * 20_000)
    files.copy(Path("table.csv"), Path("copy.csv"))
"""


def test_writers_of_one_file_wait_for_each_other(tmp_path: Path) -> None:
    together = [writer(tmp_path, WRITE_A_FILE, "40") for _ in range(3)]
    assert [running.wait() for running in together] == [0, 0, 0]
    for name in ("table.csv", "copy.csv"):
        assert len(set((tmp_path / name).read_text().split())) == 1 and (tmp_path / name).stat().st_size in (40_000, 60_000)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["copy.csv", "table.csv"]
    assert (tmp_path / "table.csv").stat().st_mode & 0o777 == 0o666 & ~umask()


def test_what_a_killed_writer_left_of_a_file_is_gone_after_the_next(tmp_path: Path) -> None:
    for delay_s in (0.0, 0.004, 0.011):
        running = writer(tmp_path, WRITE_A_FILE, "100000")
        time.sleep(0.05 + delay_s)
        running.kill()
        running.wait()
    (tmp_path / ".table.csv.tmp").write_text("half of a li")
    files.write_text(tmp_path / "table.csv", "whole\n")
    files.copy(tmp_path / "table.csv", tmp_path / "copy.csv")
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"table.csv": "whole\n", "copy.csv": "whole\n"}


def umask() -> int:
    """The permissions that this process takes off new files."""
    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_a_folder_is_replaced_whole_and_no_file_of_the_old_one_stays(tmp_path: Path) -> None:
    for name in ("old.wav", "new.wav"):
        with files.whole_folder(tmp_path / "wav") as folder:
            (folder / name).write_text(name)
    assert [path.name for path in (tmp_path / "wav").iterdir()] == ["new.wav"]
    assert [path.name for path in tmp_path.iterdir()] == ["wav"]


def test_a_failure_keeps_the_old_folder(tmp_path: Path) -> None:
    with files.whole_folder(tmp_path / "wav") as folder:
        (folder / "old.wav").touch()
    with pytest.raises(KeyError), files.whole_folder(tmp_path / "wav") as folder:
        (folder / "half.wav").touch()
        raise KeyError
    assert [path.name for path in tmp_path.rglob("*")] == ["wav", "old.wav"]


def test_a_file_in_the_place_of_the_folder_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "wav").touch()
    with files.whole_folder(tmp_path / "wav") as folder:
        (folder / "new.wav").touch()
    assert [path.name for path in tmp_path.rglob("*")] == ["wav", "new.wav"]


WRITE_FOREVER = """
import sys, itertools
from pathlib import Path
from voz.pipeline import files
print("started", flush=True)
for turn in itertools.count():
    with files.whole_folder(Path("wav")) as folder:
        for name in range(40):
            (folder / f"{name}.wav").write_text(str(turn))
        (folder / "manifest.jsonl").write_text(str(turn))
"""


@pytest.mark.parametrize("delay_s", [0.003 * n for n in range(12)])
def test_a_folder_is_complete_after_a_kill_at_any_moment(tmp_path: Path, delay_s: float) -> None:
    running = writer(tmp_path)
    time.sleep(0.05 + delay_s)
    running.kill()
    running.wait()
    if (tmp_path / "wav").exists():
        found = [path.read_text() for path in (tmp_path / "wav").iterdir()]
        assert len(found) == 41 and len(set(found)) == 1
    with files.whole_folder(tmp_path / "wav") as folder:  # nothing of the killed process is in the way, or stays
        assert not list(folder.iterdir())
    assert [path.name for path in tmp_path.iterdir()] == ["wav"]


def test_the_second_writer_of_a_folder_says_so(tmp_path: Path) -> None:
    running = writer(tmp_path)
    refused = 0
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        for _ in range(300):
            try:
                with files.whole_folder(Path("wav")) as folder:
                    (folder / "manifest.jsonl").touch()
                    assert [path.name for path in folder.iterdir()] == ["manifest.jsonl"]
            except UserError as error:
                refused += 1
                assert str(error) == "wav: another process is writing it; wait for it, then run again"
    running.kill()
    assert refused or running.wait() == 1  # one of the two was refused


def writer(folder: Path, code: str = WRITE_FOREVER, *arguments: str) -> subprocess.Popen[str]:
    """A process that writes in a folder again and again; it has begun."""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)}
    command = [sys.executable, "-c", code, *arguments]
    running = subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert running.stdout is not None and running.stdout.readline() == "started\n"
    return running


def test_a_full_disk_elsewhere_keeps_its_name(tmp_path: Path) -> None:
    """The cache is on another disk than the output whose folder is being filled."""
    for written, named in (("out/.wav.tmp/a.wav", "out/wav"), ("cache/ab", "cache/ab"), (None, "out/wav")):
        place = str(tmp_path / written) if written else None
        with pytest.raises(OSError) as caught, files.named_in_errors(tmp_path / "out/wav"):
            raise OSError(errno.ENOSPC, "full", place)
        assert caught.value.filename == str(tmp_path / named)
    with pytest.raises(OSError) as caught, files.named_in_errors(tmp_path / "out/wav"):
        raise OSError(errno.ENOSPC, "full", str(tmp_path / "cache/ab"), None, str(tmp_path / "out/.wav.tmp/a.wav"))  # a copy
    assert caught.value.filename == str(tmp_path / "out/wav")
