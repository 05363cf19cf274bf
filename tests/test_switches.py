"""What `make ... NAME=value` switches on. A word that is no clear yes must not delete a voice."""

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SWITCHES = [
    ("forget", "ALL", "--all"),
    ("forget", "WEIGHTS", "--weights"),
    ("check-private", "HISTORY", "--history"),
    ("check-private", "HOOK", "--install-hook"),
    ("push", "HASHES", "--hashes"),
    ("verify-remote", "HASHES", "--hashes"),
    ("speak", "STREAM", "--stream"),
    ("notes", "AUDIO_FILES", "--audio-files"),
]


def make(targets: list[str], *variables: str) -> tuple[int, str]:
    """Status, and what make would run, or its error."""
    env = {key: value for key, value in os.environ.items() if key not in [name for _, name, _ in SWITCHES]}
    done = subprocess.run(["make", "-n", *targets, *variables], cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout if done.returncode == 0 else done.stderr


@pytest.mark.parametrize(
    ("value", "on"), [("1", True), ("yes", True), ("true", True), ("0", False), ("no", False), ("false", False), ("", False)]
)
def test_a_switch_is_on_by_a_yes_and_off_by_a_no(value: str, on: bool) -> None:
    status, said = make(list(dict.fromkeys(target for target, _, _ in SWITCHES)), *{f"{name}={value}" for _, name, _ in SWITCHES})
    assert status == 0 and [said.split().count(option) for _, _, option in SWITCHES] == [
        on * [each for _, _, each in SWITCHES].count(option) for _, _, option in SWITCHES
    ]


@pytest.mark.parametrize(("target", "name", "option"), SWITCHES)
def test_a_switch_with_another_word_stops_make(target: str, name: str, option: str) -> None:
    status, said = make([target], f"{name}=off")
    assert status == 2 and f"{name}=off:" in said
    assert option not in make([target])[1]
