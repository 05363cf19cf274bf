"""The train stage in a folder and a process of its own."""

import hashlib
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from stages import train as train_stage

ROOT = Path(__file__).parent.parent
TRAIN = {
    "method": "full",
    "lora_rank": 16,
    "lora_alpha": 32.0,
    "lora_dropout": 0.05,
    "export_dtype": "fp16",
    "epochs": 4,
    "batch_size": 2,
    "grad_accumulation": 1,
    "conditioning": "other_clip",
    "lower_layers_alpha": 0.6,
    "lr": 1e-3,
    "weight_decay": 1e-2,
    "betas": [0.9, 0.96],
    "eps": 1e-8,
    "text_loss_weight": 0.01,
    "mel_loss_weight": 1.0,
    "precision": "fp32",
    "select": "cer",
    "patience": 0,
    "max_steps": 0,
    "warmup_steps": 0,
    "lr_schedule": "constant",
    "max_grad_norm": 0.0,
    "layers": "all",
    "min_minutes": 0.0,
    "max_minutes": 0.0,
    "seed": 1,
}
COMMAND = [
    *("dataset", "models/voice", "--base", "base", "--asr", "whisper.pt", "--epochs", "reports/epochs"),
    *("--metrics", "reports/train.json", "--plots", "reports/plots/train"),
]


def lay(folder: Path, base: Path, dataset: Path, **train: object) -> Path:
    """A working folder for the stage; base and dataset are shared by links."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, target in (("base", base), ("dataset", dataset), ("whisper.pt", base.parent / "whisper.pt")):
        if not (folder / name).exists():
            (folder / name).symlink_to(target)
    compute = {"device": "cpu", "workers": 1, "cache_gb": 1.0}
    (folder / "params.yaml").write_text(yaml.safe_dump({"compute": compute, "train": {**TRAIN, **train}}))
    return folder


def here(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The stage's main in this process."""
    monkeypatch.chdir(folder)
    monkeypatch.setenv("DVC_ROOT", str(folder))
    monkeypatch.setattr(sys, "argv", ["stages.train", *COMMAND])
    train_stage.main()


def start(folder: Path) -> subprocess.Popen[str]:
    """The stage in `folder`, on one thread."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "DVC_ROOT": str(folder)}
    command = [sys.executable, "-m", "stages.train", *COMMAND]
    return subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finish(running: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = running.communicate(timeout=300)
    return running.returncode, out, err


def digests(folder: Path) -> dict[str, str]:
    """SHA-256 of everything the stage wrote."""
    files = [path for part in ("models", "reports") for path in sorted((folder / part).rglob("*")) if path.is_file()]
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def wait_for_state(folder: Path, since: float) -> float:
    """Wait until the training has saved its state anew; returns the time of that state."""
    deadline = time.monotonic() + 200
    while time.monotonic() < deadline:
        found = [path.stat().st_mtime for path in folder.glob(".cache/train/*/*/state.pt")]
        if found and found[0] > since:
            return found[0]
        time.sleep(0.01)
    raise AssertionError("no state was saved")
