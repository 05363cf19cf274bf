"""Two warm convert stages at once on one output: the second says so, the first one's output is whole."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import yaml

from tests import recordings
from tests.kills import contents
from tests.recordings import RATE_HZ

ROOT = Path(__file__).parent.parent
NOTES = 12
COMMAND = [sys.executable, "-m", "stages.convert", "notes", "out/wav", "--ledger", "out/convert.csv"]


def start(folder: Path) -> "subprocess.Popen[str]":
    """The stage, as DVC starts it."""
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]), "DVC_ROOT": str(folder)}
    return subprocess.Popen(COMMAND, cwd=folder, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def stopped_while_it_writes(folder: Path) -> "subprocess.Popen[str]":
    """A stage that was stopped, as by Ctrl-Z, while its output had its temporary name."""
    for _ in range(10):
        stage = start(folder)
        while stage.poll() is None:
            if (folder / "out/.wav.tmp/manifest.jsonl").exists() or len(list((folder / "out").glob(".wav.tmp/*.wav"))) > 1:
                stage.send_signal(signal.SIGSTOP)
                if (folder / "out/.wav.tmp").exists():
                    return stage
                stage.send_signal(signal.SIGCONT)
        stage.communicate()
    raise AssertionError("never stopped in time")


def test_the_second_says_so_and_the_first_is_whole(tmp_path: Path) -> None:
    (tmp_path / "notes").mkdir()
    (tmp_path / "out").mkdir()
    for n in range(NOTES):
        (tmp_path / "notes" / f"{n}.wav").write_bytes(recordings.wav(recordings.pcm()[n * RATE_HZ :][: 4 * RATE_HZ]))
    values = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    values["compute"] |= {"device": "cpu", "workers": 1}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")
    assert start(tmp_path).wait() == 0
    whole = contents(tmp_path / "out")
    assert len(whole) == NOTES + 2
    first = stopped_while_it_writes(tmp_path)
    second = start(tmp_path)
    said = second.communicate()[1].splitlines()
    assert second.returncode == 2 and said[-1] == "error: out/wav: another process is writing it; wait for it, then run again"
    assert not any("Traceback" in line for line in said)
    first.send_signal(signal.SIGCONT)
    first.communicate()
    assert first.returncode == 0 and contents(tmp_path / "out") == whole
