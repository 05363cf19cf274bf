"""Several processes of one training, started by torch's elastic agent, which is what `torchrun` is."""

import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch
from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs, SignalException, Std
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
from torch.distributed.launcher.api import LaunchConfig, elastic_launch

from voz.model import training_loop
from voz.model.gpt_trainer import Trainer
from voz.pipeline import command
from voz.pipeline.command import UserError
from voz.pipeline.language import tr
from voz.pipeline.params import Compute

PORT = 29_500  # torchrun's own
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)  # which torch's agent handles, and leaves handled
SAVING_S = 600  # that a process may take to end an update or an evaluation and save, after a signal


def inside() -> bool:
    """Whether this process is one of several, which `run` started."""
    return "TORCHELASTIC_RUN_ID" in os.environ


def train(model: Trainer, arguments: Sequence[str], compute: Compute, folder: Path) -> None:
    """Let several processes run `python ARGUMENTS`, the same stage, up to the end of its training. This process then finds it done.

    On another machine than the first, which exports the voice, this ends the program.

    Args:
        folder: of the training.

    Raises:
        UserError: a process failed, or there are fewer accelerators than processes.
    """
    if not (folder / training_loop.DONE).is_file():
        where = model.device
        if where.type == "cuda" and (compute.device not in ("auto", "cuda") or torch.cuda.device_count() < compute.processes):
            found = torch.cuda.device_count()
            raise UserError(
                "params.yaml: compute.processes: {count}, compute.device: {name}, and there are {found} accelerators",
                "write as many processes as accelerators, and device: auto",
                count=compute.processes,
                name=compute.device,
                found=found,
            )
        model.cpu()  # the first of the processes needs the room
        if where.type == "cuda":
            torch.cuda.empty_cache()
        run(arguments, count=compute.processes, nodes=compute.nodes, logs=folder / "processes")
        model.to(where)
    if machine(compute.nodes):
        print(tr("train: done; the first machine exports the voice"))
        sys.exit(0)


@contextmanager
def taking_part() -> Iterator[None]:
    """What one of several processes does within this block, it does as long as the others and the one that started them live."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1.0)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, daemon=True).start()
    try:
        yield
    except RuntimeError as error:
        if not isinstance(error, torch.distributed.DistError) and "gloo" not in str(error):
            raise
        sys.exit(1)  # another one is gone; whoever started this one says which


def machine(nodes: int) -> int:
    """The number of this machine among those that train together; 0 is the first, which exports the voice."""
    return int(os.environ.get("NODE_RANK", "0")) if nodes > 1 else 0


def run(arguments: Sequence[str], *, count: int, nodes: int, logs: Path) -> None:
    """Run `python ARGUMENTS` in `count` processes of this machine, together with those of the other machines, to the end.

    Several machines have the address of the first, MASTER_ADDR, and their number, NODE_RANK (0, 1, ...), in their environment. The first
    process of each prints there; what the others print goes to a file each, under `logs`.

    Raises:
        UserError: a process failed; names it, and where it says why.
    """
    logging.getLogger("torch.distributed.elastic").setLevel(logging.CRITICAL)
    handlers = {number: signal.getsignal(number) for number in SIGNALS}
    address = f"{os.environ.get('MASTER_ADDR', 'localhost')}:{os.environ.get('MASTER_PORT', PORT)}" if nodes > 1 else "localhost:0"
    logs.mkdir(parents=True, exist_ok=True)
    config = LaunchConfig(
        min_nodes=nodes,
        max_nodes=nodes,
        nproc_per_node=count,
        rdzv_backend="static" if nodes > 1 else "c10d",
        rdzv_endpoint=address,
        rdzv_configs={"rank": machine(nodes), "timeout": 900} if nodes > 1 else {},
        run_id="voz",
        max_restarts=0,
        shutdown_timeout=SAVING_S,
        signals_to_handle=",".join(number.name for number, handler in handlers.items() if handler is not signal.SIG_IGN),
        logs_specs=DefaultLogsSpecs(log_dir=str(logs), redirects=dict.fromkeys(range(1, count), Std.ALL)),
    )
    try:
        elastic_launch(config, sys.executable)(*arguments)
    except SignalException as stopped:
        raise command.interruption(int(stopped.sigval)) from stopped
    except ChildFailedError as error:
        rank, failure = error.get_first_failure()
        if failure.exitcode == 2 and failure.local_rank == 0:  # it has said here what is wrong
            sys.exit(2)
        number = failure.exitcode
        ended = tr("signal {number}", number=-number) if number < 0 else tr("status {number}", number=number)
        raise UserError(
            "training: process {rank} of {count} ended with {ended}",
            "see above, and {logs}; then run the same command again: it goes on from the last saved state",
            rank=rank + 1,
            count=count * nodes,
            ended=ended,
            logs=logs,
        ) from error
    finally:
        for signal_number, handler in handlers.items():
            signal.signal(signal_number, handler)
