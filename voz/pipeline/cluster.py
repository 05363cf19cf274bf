"""Map a function over items on a Ray cluster (`compute.engine: ray`, requirements-ray.txt, docs/scaling.md).

Every node must see the checkout under the same path, because items and results travel as files; a probe checks it. Ray runs an
item again elsewhere if its node dies. An item whose process dies every time affects only itself.
"""

import collections
import importlib.util
import os
import socket
import tempfile
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

from voz.pipeline.command import UserError

A = TypeVar("A")
B = TypeVar("B")

RETRIES = 3  # runs of an item beyond the first, if its process or node dies
WAITING_PER_CPU = 2  # items given to Ray at a time, per core: more would hold their arguments in the memory of this process
CHECK_EVERY_S = 5.0  # how often the head is asked while an item takes long. Ray itself ends this process without a word, after 60 s
ENVIRONMENT = ("DVC_ROOT", "OMP_NUM_THREADS", "TOKENIZERS_PARALLELISM")  # what a worker takes over, if it is set


def map(function: Callable[[A], B], items: Sequence[A], *, address: str, gpu: bool, died: Callable[[A], B]) -> Iterator[B]:
    """Yield `function(item)` for each item, in order.

    Args:
        function: importable by name, or a `functools.partial` of such a function. It runs in a process that runs many items.
        address: of the cluster, as `ray.init` takes it: `auto`, or `host:6379`.
        gpu: whether each item needs an accelerator.
        died: gives the value of an item that ended its process each time it was tried (1 + RETRIES).

    Raises:
        UserError: Ray is not installed, the cluster does not answer, a node sees other files.
    """
    ray = connect(address)
    if gpu and not ray.cluster_resources().get("GPU"):
        raise UserError(
            "params.yaml: compute.device: the Ray cluster at {address} has no GPU",
            "write cpu, or start a node that has one",
            address=address,
        )
    options: dict[str, Any] = {"max_retries": RETRIES, "max_calls": 0, "num_gpus": int(gpu)}  # 0: a process keeps its model
    task, shared = ray.remote(**options)(_run), ray.put(function)
    slots = int(ray.cluster_resources().get("GPU" if gpu else "CPU", 1)) * WAITING_PER_CPU
    waiting: collections.deque[tuple[A, Any]] = collections.deque()
    for item in items:
        waiting.append((item, task.remote(shared, os.getcwd(), item)))
        if len(waiting) >= slots:
            yield _result(ray, *waiting.popleft(), address=address, died=died)
    while waiting:
        yield _result(ray, *waiting.popleft(), address=address, died=died)


def connect(address: str) -> Any:
    """The module `ray`, connected to the cluster, all of whose nodes see this checkout.

    Raises:
        UserError: see `map`.
    """
    if importlib.util.find_spec("ray") is None:
        raise UserError("params.yaml: compute.engine: ray is not installed", "`.venv/bin/pip install -r requirements-ray.txt`")
    os.environ.setdefault("RAY_NUM_REDIS_GET_RETRIES", "1")  # a try takes 40 s; Ray makes 20, 13 minutes without a word
    import ray

    if not ray.is_initialized():
        variables = {name: os.environ[name] for name in ENVIRONMENT if name in os.environ}
        variables["PYTHONPATH"] = os.pathsep.join(filter(None, [os.getcwd(), os.environ.get("PYTHONPATH")]))
        try:
            _require_listener(address)
            ray.init(address, runtime_env={"env_vars": variables}, log_to_driver=False, logging_level="ERROR")
        except (OSError, RuntimeError, ValueError, ray.exceptions.RayError) as error:
            raise UserError(
                "params.yaml: compute.ray_address: no Ray cluster at {address!r} ({reason})",
                "start one (`ray start --head`), or write compute.engine: local",
                address=address,
                reason=str(error).splitlines()[0],
            ) from error
        _require_shared_files(ray)
    return ray


def _require_listener(address: str) -> None:
    """Check that something listens at an address `host:port`, before Ray tries for long. `auto` is left to Ray.

    Raises:
        OSError: nothing does.
    """
    host, _, port = address.rpartition(":")
    if host and port.isdecimal():
        socket.create_connection((host, int(port)), timeout=CHECK_EVERY_S).close()


def _require_shared_files(ray: Any) -> None:
    """Check that every node sees a file that is written here.

    Raises:
        UserError: one does not. It is named.
    """
    nodes = [node for node in ray.nodes() if node["Alive"]]
    strategy = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy
    with tempfile.NamedTemporaryFile(dir=os.getcwd(), prefix=".probe-", suffix=".tmp") as probe:
        sees = ray.remote(num_cpus=0)(os.path.exists)
        answers = [sees.options(scheduling_strategy=strategy(node["NodeID"], soft=False)).remote(probe.name) for node in nodes]
        blind = [node["NodeManagerAddress"] for node, answer in zip(nodes, answers, strict=True) if not ray.get(answer)]
    if blind:
        raise UserError(
            "{folder}: the Ray node {node} does not see this folder",
            "mount a shared file system at the same path on every node (docs/scaling.md)",
            folder=os.getcwd(),
            node=blind[0],
        )


def _run(function: Callable[[A], B], folder: str, item: A) -> B:
    """The function, run in the folder of the checkout: paths are relative to it."""
    os.chdir(folder)
    return function(item)


def _result(ray: Any, item: A, reference: Any, *, address: str, died: Callable[[A], B]) -> B:
    """What the item gave.

    Raises:
        UserError: the cluster is gone.
    """
    try:
        while not ray.wait([reference], timeout=CHECK_EVERY_S)[0]:
            _require_head(ray, address)
        result: B = ray.get(reference)
    except ray.exceptions.RayTaskError as error:
        raise error.cause from error
    except (ray.exceptions.WorkerCrashedError, ray.exceptions.OutOfMemoryError, ray.exceptions.NodeDiedError):
        return died(item)
    except ray.exceptions.RayError as error:
        raise _gone(address, error) from error
    return result


def _require_head(ray: Any, address: str) -> None:
    """Check that the cluster's head answers.

    Raises:
        UserError: it does not.
    """
    try:
        _require_listener(ray.get_runtime_context().gcs_address)
    except OSError as error:
        raise _gone(address, error) from error


def _gone(address: str, error: Exception) -> UserError:
    """The error of a cluster that does not answer any more."""
    return UserError(
        "the Ray cluster at {address} does not answer ({reason})",
        "start it and run the same command again: what was computed is in the cache",
        address=address,
        reason=str(error).splitlines()[0],
    )
