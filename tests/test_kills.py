"""Each stage, killed at some random moments (`python -m tests.kills` for hundreds), ends with the bytes of an uninterrupted run."""

import subprocess
import sys

import pytest


@pytest.mark.slow
def test_a_killed_stage_leaves_whole_outputs_and_no_temporary_files() -> None:
    result = subprocess.run([sys.executable, "-m", "tests.kills", "--count", "8"], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
