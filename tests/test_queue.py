"""Queued experiments on two workers that share the cache: all end, none has another's outputs, nothing half is left.

RUNS sets their number (default 10; 50 have been run).
"""

import json
import os
import time
from pathlib import Path

import pytest
import yaml

from tests import checkout as repositories
from tests.checkout import Checkout

NOTES = "data/demo/tiny/notes"
TINY = {"train": {"epochs": 1, "batch_size": 2, "min_minutes": 0.0}, "evaluate": {"lines": 1}, "synthesize": {"max_tries": 1}}
RUNS = int(os.environ.get("RUNS", "10"))

pytestmark = [pytest.mark.pipeline, pytest.mark.slow]


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    here = repositories.of_project(tmp_path_factory.mktemp("queue") / "repo", NOTES, 4, TINY)
    here.commit("tiny")
    here.repro()
    here.commit("first voice")
    return here


def spoken(checkout: Checkout, name: str) -> str:
    """The hash of an experiment's outputs."""
    lock = yaml.safe_load(checkout.run("git", "show", f"{commit_of(checkout, name)}:dvc.lock"))
    (spoken,) = [out["md5"] for out in lock["stages"]["synthesize"]["outs"] if out["path"] == "outputs"]
    return str(spoken)


def commit_of(checkout: Checkout, name: str) -> str:
    listed = json.loads(checkout.run("dvc", "exp", "show", "--json"))
    for revision in listed:
        for experiment in revision.get("experiments") or []:
            if experiment["name"] == name:
                return str(experiment["revs"][0]["rev"])
    raise AssertionError(f"no experiment {name}")


def test_two_workers_lose_and_mix_nothing(checkout: Checkout) -> None:
    """Neighbours in the queue speak the same line at the same time; every second pair has a temperature of its own."""
    for number in range(RUNS):
        values = [f"synthesize.temperature={0.3 + 0.05 * (number // 2):.2f}", f"report.clips={1 + number % 2}"]
        options = [option for value in values for option in ("-S", value)]
        checkout.run("dvc", "exp", "run", "--queue", "-n", f"run-{number:02d}", *options)
    checkout.run("dvc", "queue", "start", "-j", "2")
    deadline = time.monotonic() + 120 * RUNS
    while True:
        status = checkout.run("dvc", "queue", "status")
        if "Queued" not in status.replace("No experiments", "") and "Running" not in status:
            break
        assert time.monotonic() < deadline, status
        time.sleep(5)
    assert status.count("Success") == RUNS and "Failed" not in status, status
    hashes = [spoken(checkout, f"run-{number:02d}") for number in range(RUNS)]
    assert all(hashes[number] == hashes[number + 1] for number in range(0, RUNS - 1, 2))
    assert len(set(hashes)) > RUNS // 4  # two neighbouring temperatures may draw the same codes
    assert not list(Path(checkout.folder, ".cache").rglob(".tmp-*"))
    assert checkout.run("git", "status", "--porcelain") == ""
