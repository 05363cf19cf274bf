"""A copy of this repository in which every output is up to date, with 10 000 clips: to time what DVC itself costs.

It has the project's files and this checkout's outputs. data/clips and data/dataset get 10 000 wavs of 0.1 s each: DVC's time
depends on the number of files, not on their size.
"""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import yaml

from voz.audio import wav
from voz.pipeline import command

CLIPS = 10_000
CLIP_SAMPLES = wav.SAMPLE_RATE_HZ // 10
FILLED = {"data/clips": "", "data/dataset": "wavs"}
ROOT = Path(__file__).parent.parent
LEFT_OUT = ("pocket/", ".dvc/", "dvc.lock")  # pocket is a repository of its own, the others are created again


def build(folder: Path) -> Path:
    """Copy this checkout into `folder`, add the clips, and let DVC take all outputs as they are. An existing copy is reused.

    Raises:
        UserError: an output is missing in this checkout.
    """
    if (folder / "dvc.lock").is_file():
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    for name in [*(each for each in listed if not each.startswith(LEFT_OUT)), *outputs()]:
        if not (ROOT / name).exists():
            raise command.UserError(f"{name}: missing", "run `dvc repro` in this checkout first")
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / name, dirs_exist_ok=True)
        else:
            shutil.copyfile(ROOT / name, folder / name)
    for number in range(CLIPS):
        pcm = np.random.default_rng(number).integers(-3_000, 3_000, CLIP_SAMPLES, dtype=np.int16)
        for out, inner in FILLED.items():
            wav.write(folder / out / inner / f"{number:012x}-0000000-0000100.wav", pcm)
    _run(["git", "init", "-q"], folder)
    _run(["dvc", "init", "-q"], folder)
    _run(["dvc", "commit", "-q", "-f"], folder)
    return folder


def repro_s(folder: Path) -> float:
    """Wall time of a `dvc repro` that has nothing to do.

    Raises:
        RuntimeError: it ran a stage.
    """
    start = time.perf_counter()
    said = _run(["dvc", "repro"], folder)
    seconds = time.perf_counter() - start
    if "up to date" not in said:
        raise RuntimeError(f"dvc repro had something to do:\n{said}")
    return seconds


def outputs() -> list[str]:
    """Every output, metric and plot of dvc.yaml."""
    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"].values()
    named = [each for stage in stages for kind in ("outs", "metrics", "plots") for each in stage.get(kind, [])]
    return sorted({each if isinstance(each, str) else next(iter(each)) for each in named})


def _run(arguments: list[str], folder: Path) -> str:
    env = {key: value for key, value in os.environ.items() if not key.startswith("DVC_")}
    env |= {"PATH": f"{Path(sys.executable).parent}:{env['PATH']}", "DVC_NO_ANALYTICS": "1"}
    return subprocess.run(arguments, cwd=folder, env=env, capture_output=True, text=True, check=True).stdout
