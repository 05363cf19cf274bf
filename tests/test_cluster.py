"""Tests for voz/pipeline/cluster.py on a Ray cluster of two nodes on this machine, and of the stages that run on it."""

import functools
import importlib
import operator
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from stages import convert
from tests import poisoned_stages, recordings, tiny_run
from tests.parallel_work import square_or_die, touch_and_wait
from tests.recordings import RATE_HZ
from tests.tiny_whisper import make
from voz.model import generation
from voz.pipeline import cache, cache_folders, cluster, parallel
from voz.pipeline.command import UserError

ROOT = Path(__file__).parent.parent
MEMORY = 100 * 2**20

pytestmark = pytest.mark.slow


class Nodes:
    """A head and a second node, with one core each."""

    def __init__(self) -> None:
        self.ray = pytest.importorskip("ray", reason="requirements-ray.txt is not installed")
        from ray.cluster_utils import Cluster

        self.cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "object_store_memory": MEMORY})
        self.second: Any = self.cluster.add_node(num_cpus=1, object_store_memory=MEMORY)

    @property
    def address(self) -> str:
        return str(self.cluster.address)

    def stop(self) -> None:
        self.ray.shutdown()
        self.cluster.shutdown()


@pytest.fixture
def nodes(monkeypatch: pytest.MonkeyPatch) -> Iterator[Nodes]:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]))
    started = Nodes()
    yield started
    started.stop()


def on(nodes: Nodes, function: Callable[[Any], Any], items: Sequence[Any], died: Callable[[Any], Any] = parallel.refuse) -> Iterator[Any]:
    """`cluster.map` on the nodes."""
    return cluster.map(function, items, address=nodes.address, gpu=False, died=died)


def test_results_keep_their_order_and_a_node_that_dies_loses_none(nodes: Nodes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    results = on(nodes, functools.partial(touch_and_wait, tmp_path), range(16))
    first = next(results)
    nodes.cluster.remove_node(nodes.second, allow_graceful=False)
    assert [first, *results] == [number * number for number in range(16)]
    assert len(list(tmp_path.iterdir())) == 16


def test_a_cluster_without_a_gpu_is_said(nodes: Nodes) -> None:
    with pytest.raises(UserError, match="has no GPU"):
        list(cluster.map(operator.neg, [1], address=nodes.address, gpu=True, died=operator.neg))


def test_an_error_is_the_items_own_and_a_process_that_dies_costs_its_item_alone(
    nodes: Nodes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match="invalid literal"):
        list(on(nodes, int, ["1", "x"]))
    with pytest.raises(UserError, match=r"^3: the process that computed it died each time"):
        list(on(nodes, os._exit, [3]))
    work = functools.partial(square_or_die, 5)
    assert list(on(nodes, work, range(12), died=operator.neg)) == [-n if n == 5 else n * n for n in range(12)]


def test_a_head_that_dies_is_one_line(nodes: Nodes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    results = on(nodes, time.sleep, [0.5] * 40)
    next(results)
    nodes.cluster.head_node.kill_all_processes(check_alive=False)
    with pytest.raises(UserError, match=r"does not answer .*the same command again") as caught:
        list(results)
    assert "\n" not in str(caught.value)


def test_no_cluster_is_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pytest.importorskip("ray", reason="requirements-ray.txt is not installed")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"no Ray cluster at '127\.0\.0\.1:1'"):
        list(cluster.map(int, ["1"], address="127.0.0.1:1", gpu=False, died=parallel.refuse))


def prepare(folder: Path, compute: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Make a folder with notes, a Whisper and parameters the working directory."""
    monkeypatch.delenv("DVC_ROOT", raising=False)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    folder.mkdir()
    monkeypatch.chdir(folder)
    Path("notes").mkdir()
    stretches = [recordings.wav(recordings.pcm()[n * RATE_HZ :][: 9 * RATE_HZ]) for n in range(6)]
    for n, data in enumerate([*stretches, recordings.note(), recordings.no_end(), b"not audio"]):
        Path("notes", f"{n}.wav").write_bytes(data)
    values = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    Path("params.yaml").write_text(yaml.safe_dump(values | {"compute": {"device": "cpu", "workers": 2, "cache_gb": 1.0} | compute}))
    make(Path("whisper.pt"))


ARGUMENTS = {
    "convert": ["notes", "wav", "--ledger", "convert.csv"],
    "segment": ["wav", "clips", "--ledger", "segment.csv", "--metrics", "segment.json"],
    "transcribe": ["clips", "transcripts", "--asr", "whisper.pt", "--ledger", "transcribe.csv", "--metrics", "transcribe.json"],
}


def run_stages(monkeypatch: pytest.MonkeyPatch, *stages: str) -> dict[str, bytes]:
    """Run stages in this process; every file that is there then, except the cache and the parameters, by its path."""
    for name in stages:
        monkeypatch.setattr(sys, "argv", [name, *ARGUMENTS[name]])
        importlib.import_module(f"stages.{name}").main()
    outputs = [path for path in Path().rglob("*") if path.is_file() and ".cache" not in path.parts and path.name != "params.yaml"]
    return {str(path): path.read_bytes() for path in outputs}


def entries(stage: str = "convert") -> dict[Path, int]:
    """The entries of the cache, each with the time at which it was made."""
    return {path: (path / cache_folders.LABEL).stat().st_mtime_ns for path in Path(".cache", stage).glob("??/[!.]*")}


def ray(nodes: Nodes) -> dict[str, Any]:
    return {"engine": "ray", "ray_address": nodes.address}


def test_the_stages_write_the_same_bytes_as_on_one_machine(nodes: Nodes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prepare(tmp_path / "here", {}, monkeypatch)
    here = run_stages(monkeypatch, *ARGUMENTS)
    prepare(tmp_path / "there", ray(nodes), monkeypatch)
    there = run_stages(monkeypatch, *ARGUMENTS)
    assert here == there and "transcripts/manifest.jsonl" in there and len(there) > 20


def test_lines_are_spoken_as_on_one_machine(nodes: Nodes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the two voices of evaluate, and by synthesize in more than one batch."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setattr(generation, "ROWS_ON_CPU", 2)
    tiny_run.make(tmp_path, stages=["train"])
    text = (tmp_path / "params.yaml").read_text(encoding="utf-8")
    on_cluster = yaml.safe_load(text)
    on_cluster["compute"] |= ray(nodes)
    outputs: dict[str, dict[str, bytes]] = {}
    for engine, values in (("ray", yaml.safe_dump(on_cluster)), ("local", text)):
        (tmp_path / "params.yaml").write_text(values, encoding="utf-8")
        out = tmp_path / engine
        out.mkdir()
        for stage in ("evaluate", "synthesize"):
            assert (stage, *tiny_run.run(stage, tmp_path, out, cache=tmp_path / f"{engine}-cache")) == (stage, 0, [])
        outputs[engine] = {str(path.relative_to(out)): path.read_bytes() for path in out.rglob("*") if path.is_file()}
    assert outputs["ray"] == outputs["local"] and sum(name.endswith(".wav") for name in outputs["ray"]) >= 5
    monkeypatch.setenv("DVC_ROOT", str(tmp_path / "ray-cache"))
    assert [each["computed"] for each in cache.read_log("speech")] == [1, 1, 2]


def test_a_poisoned_note_is_rejected_as_on_one_machine(nodes: Nodes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(convert, "convert_into_cache", poisoned_stages.convert_or_die)
    prepare(tmp_path / "here", {}, monkeypatch)
    here = run_stages(monkeypatch, "convert")
    prepare(tmp_path / "there", ray(nodes), monkeypatch)
    assert run_stages(monkeypatch, "convert") == here
    assert here["convert.csv"].decode().count("process_died") == 1 and b"unreadable" not in here["convert.csv"]


def test_a_node_that_dies_within_a_stage_loses_nothing(nodes: Nodes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second node goes when the first note is converted."""
    prepare(tmp_path / "here", {}, monkeypatch)
    here = run_stages(monkeypatch, "convert", "segment")
    prepare(tmp_path / "there", ray(nodes), monkeypatch)
    then: dict[Path, int] = {}

    def remove() -> None:
        while not entries():
            time.sleep(0.01)
        nodes.cluster.remove_node(nodes.second, allow_graceful=False)
        then.update(entries())

    remover = threading.Thread(target=remove)
    remover.start()
    there = run_stages(monkeypatch, "convert", "segment")
    remover.join()
    assert here == there
    assert 0 < len(then) < len(entries()) == 9 and then.items() <= entries().items()  # nothing was computed twice
    assert not list(Path(".cache").rglob(f"{cache_folders.TEMPORARY}*"))


def test_after_the_head_was_restarted_the_next_run_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]))
    prepare(tmp_path / "here", {}, monkeypatch)
    here = run_stages(monkeypatch, "convert")
    with_ray = [sys.executable, "-m", "stages.convert", *ARGUMENTS["convert"]]
    nodes = Nodes()
    try:
        prepare(tmp_path / "there", ray(nodes), monkeypatch)
        running = subprocess.Popen(with_ray, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        while not entries():
            assert running.poll() is None
            time.sleep(0.01)
        nodes.cluster.head_node.kill_all_processes(check_alive=False)
        stderr = running.communicate()[1]
        lines = [line for line in stderr.splitlines() if line.startswith("error: ")]
        assert running.returncode == 2 and "does not answer" in lines[0] and len(lines) == 1 and "Traceback" not in stderr
        assert not Path("wav").exists()
    finally:
        nodes.stop()
    then = entries()
    nodes = Nodes()
    try:
        values = yaml.safe_load(Path("params.yaml").read_text())
        values["compute"] |= ray(nodes)
        Path("params.yaml").write_text(yaml.safe_dump(values))
        subprocess.run(with_ray, check=True)
    finally:
        nodes.stop()
    assert 0 < len(then) < len(entries()) == 9 and then.items() <= entries().items()
    there = {str(path): path.read_bytes() for path in [*Path("wav").iterdir(), Path("convert.csv")]}
    assert there.items() <= here.items()


def test_a_node_that_does_not_see_the_folder_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own mount hides the folder, as on a machine without the shared file system."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]))
    hidden = ["unshare", "-m", "sh", "-c", 'mount -t tmpfs none "$0" && exec "$@"', str(tmp_path)]
    if subprocess.run([*hidden, "true"], capture_output=True, check=False).returncode:
        pytest.skip("a mount of its own needs root")
    prepare(tmp_path / "here", {}, monkeypatch)
    nodes = Nodes()
    nodes.cluster.remove_node(nodes.second)
    address = ["--address", nodes.address, "--node-ip-address", "127.0.0.2", "--num-cpus", "1", "--block"]
    started = [*hidden, sys.executable, "-m", "ray.scripts.scripts", "start", *address]
    blind = subprocess.Popen(started, cwd="/", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        deadline = time.monotonic() + 60
        while not (caught := refusal(nodes)):
            assert time.monotonic() < deadline and blind.poll() is None
            nodes.ray.shutdown()
        said = f"{Path.cwd()}: the Ray node 127.0.0.2 does not see this folder; mount a shared file system at the same path on every node"
        assert caught == f"{said} (docs/scaling.md)"
    finally:
        os.killpg(blind.pid, signal.SIGTERM)
        blind.wait()
        nodes.stop()


def refusal(nodes: Nodes) -> str:
    """The error of a cluster that is not used; empty if it is."""
    try:
        list(on(nodes, int, ["1"]))
    except UserError as error:
        return str(error)
    return ""
