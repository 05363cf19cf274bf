"""The fuzzer's targets hold for the inputs that it starts from and, where Atheris is installed, for a minute of mutations."""

import importlib.util
import subprocess
import sys

import pytest

from tests.fuzz.targets import TARGETS


@pytest.mark.parametrize("name", TARGETS)
def test_a_target_holds_for_its_seeds_and_for_parts_of_them(name: str) -> None:
    for seed in TARGETS[name].seeds:
        for end in {0, 1, len(seed) // 2, len(seed) - 1, len(seed)}:
            TARGETS[name].read(seed[:end])


@pytest.mark.slow
def test_a_minute_of_mutations_shows_no_fault() -> None:
    if not importlib.util.find_spec("atheris"):
        pytest.skip("Atheris has no package for this machine")
    command = [sys.executable, "-m", "tests.fuzz", "--runs", "20000"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
