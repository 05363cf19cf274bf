"""The cache returns an entry only for the same item, parameters, model and version, and never a partial one."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from voz.pipeline import cache, cache_folders


@pytest.fixture(autouse=True)
def _own_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))


def store(version: int = 1, lr: float = 1.0, model: str = "") -> cache.Cache:
    return cache.Cache("step", version, params={"lr": lr}, model=model)


def test_an_entry_is_found_only_by_the_same_item_version_parameters_and_model() -> None:
    key = store().key("clip")
    with store().put(key) as folder:
        (folder / "text").write_text("hola")
    found = store().get(store().key("clip"))
    assert found is not None and (found / "text").read_text() == "hola"
    for other in (store(version=2), store(lr=2.0), store(model="m")):
        assert other.get(other.key("clip")) is None
    assert store().get(store().key("clip", "")) is None


def test_an_entry_that_fails_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), store().put(store().key("clip")) as folder:
        (folder / "half").write_text("x")
        raise RuntimeError
    assert store().get(store().key("clip")) is None
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_an_entry_that_a_power_cut_shortened_is_computed_again() -> None:
    key = store().key("clip")
    for _ in range(2):
        assert store().get(key) is None
        with store().put(key) as folder:
            (folder / "text").write_text("hola")
        (store().path(key) / "text").write_text("")
    assert store().get(key) is None and not store().path(key).exists()


def test_a_file_that_somebody_added_does_no_harm() -> None:
    key = store().key("clip")
    with store().put(key) as folder:
        (folder / "text").write_text("hola")
    (store().path(key) / "seen").touch()
    assert store().get(key) is not None


def test_two_writers_of_an_entry_do_not_disturb_each_other() -> None:
    key = store().key("clip")
    with store().put(key) as first, store().put(key) as second:
        (first / "x").write_text("1")
        (second / "x").write_text("1")
    found = store().get(key)
    assert found is not None and (found / "x").read_text() == "1"


FILL_AND_WAIT = """
import sys, time
from voz.pipeline import cache, cache_folders, sandbox
store = cache.Cache("step", 1, params={"lr": 1.0})
with store.put(store.key("clip")) as folder:
    (folder / "x").write_text("1")
    sandbox.call(int, 1, limit_s=60)  # a child is forked while the entry is locked, and outlives this process for some seconds
    print("filling", flush=True)
    sandbox.call(time.sleep, 20, limit_s=60)
"""


def test_what_a_killed_writer_left_goes_with_the_next_and_a_living_one_keeps_its_folder(tmp_path: Path) -> None:
    def temporary() -> list[Path]:
        return list(tmp_path.glob(".cache/step/*/.tmp-*"))

    running = subprocess.Popen([sys.executable, "-c", FILL_AND_WAIT], stdout=subprocess.PIPE, text=True)
    assert running.stdout is not None and running.stdout.readline() == "filling\n"
    (theirs,) = temporary()
    with store().put(store().key("clip")):
        assert theirs in temporary() and len(temporary()) == 2
    shutil.rmtree(store().path(store().key("clip")))
    running.kill()
    running.wait()
    assert temporary() == [theirs]
    with store().put(store().key("clip")):
        assert theirs not in temporary()
    assert not temporary()


def test_an_abandoned_folder_without_a_label_goes_too(tmp_path: Path) -> None:
    """A process may be killed between making the folder and locking its label."""
    parent = store().path(store().key("clip")).parent
    (parent / ".tmp-abandoned").mkdir(parents=True)
    with store().put(store().key("clip")) as folder:
        assert [*parent.iterdir()] == [folder]


def test_trim_removes_the_least_recently_used_entry_and_keeps_the_log() -> None:
    import os

    for number, name in enumerate(("old", "new")):
        with store().put(store().key(name)) as folder:
            (folder / "x").write_bytes(bytes(1_000_000))
        os.utime(store().path(store().key(name)), (number, number))
    cache.log("step", computed=1)
    cache_folders.trim(0.0015)
    assert store().get(store().key("old")) is None and store().get(store().key("new")) is not None
    assert cache.read_log("step")[0]["computed"] == 1
