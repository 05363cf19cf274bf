"""Tests for voz/pipeline/cluster.py on a Ray cluster of two nodes on this machine, and of the stages that run on it."""

import functools
import operator
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from stages import convert, segment, transcribe
from tests import recordings
from tests.ray_work import touch_and_wait
from tests.tiny_whisper import make
from voz.pipeline import cluster
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


def test_results_keep_their_order_and_a_node_that_dies_loses_none(nodes: Nodes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    results = cluster.map(functools.partial(touch_and_wait, tmp_path), range(16), address=nodes.address, gpu=False)
    first = next(results)
    nodes.cluster.remove_node(nodes.second, allow_graceful=False)
    assert [first, *results] == [number * number for number in range(16)]
    assert len(list(tmp_path.iterdir())) == 16


def test_an_error_is_the_items_own_and_a_process_that_dies_is_named(nodes: Nodes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match="invalid literal"):
        list(cluster.map(int, ["1", "x"], address=nodes.address, gpu=False))
    with pytest.raises(UserError, match=r"^3: its process on the cluster died 4 times"):
        list(cluster.map(os._exit, [3], address=nodes.address, gpu=False))
    assert list(cluster.map(functools.partial(operator.add, 1), [1, 2], address=nodes.address, gpu=False)) == [2, 3]


def test_a_head_that_dies_is_one_line(nodes: Nodes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    results = cluster.map(time.sleep, [0.5] * 40, address=nodes.address, gpu=False)
    next(results)
    nodes.cluster.head_node.kill_all_processes(check_alive=False)
    with pytest.raises(UserError, match=r"does not answer .*the same command again") as caught:
        list(results)
    assert "\n" not in str(caught.value)


def test_no_cluster_is_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pytest.importorskip("ray", reason="requirements-ray.txt is not installed")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"no Ray cluster at '127\.0\.0\.1:1'"):
        list(cluster.map(int, ["1"], address="127.0.0.1:1", gpu=False))


def run_stages(folder: Path, compute: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    """convert, segment and transcribe; every file that they write, by its path."""
    folder.mkdir()
    monkeypatch.chdir(folder)
    Path("notes").mkdir()
    for name, data in (("a.opus", recordings.note()), ("b.opus", recordings.no_end()), ("c.opus", b"not audio")):
        Path("notes", name).write_bytes(data)
    values = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    Path("params.yaml").write_text(yaml.safe_dump(values | {"compute": {"device": "cpu", "workers": 2, "cache_gb": 1.0} | compute}))
    asr = str(make(Path("whisper.pt")))
    for stage, arguments in (
        (convert, ["notes", "wav"]),
        (segment, ["wav", "clips", "--metrics", "segment.json"]),
        (transcribe, ["clips", "transcripts", "--asr", asr, "--metrics", "transcribe.json"]),
    ):
        name = stage.__name__.rpartition(".")[2]
        monkeypatch.setattr(sys, "argv", [name, *arguments, "--ledger", f"ledger/{name}.csv"])
        stage.main()
    outputs = [path for path in Path().rglob("*") if path.is_file() and ".cache" not in path.parts and path.name != "params.yaml"]
    return {str(path): path.read_bytes() for path in outputs}


def test_the_stages_write_the_same_bytes_as_on_one_machine(nodes: Nodes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DVC_ROOT", raising=False)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    here = run_stages(tmp_path / "here", {}, monkeypatch)
    there = run_stages(tmp_path / "there", {"engine": "ray", "ray_address": nodes.address}, monkeypatch)
    assert here == there and "transcripts/manifest.jsonl" in there and len(there) > 8
