"""Every stage run on data and models of a few seconds, in this process, as `python -m stages.NAME` would run it."""

import importlib
import os
import sys
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from tests import recordings, tiny_base, tiny_dataset, tiny_whisper
from voz.pipeline import command, records

ROOT = Path(__file__).parent.parent
COMMANDS = {  # {out} is the folder of the outputs
    "convert": "notes {out}/wav --ledger {out}/convert.csv",
    "segment": "wav {out}/clips --ledger {out}/segment.csv --metrics {out}/segment.json",
    "transcribe": "clips {out}/transcripts --asr whisper.pt --ledger {out}/transcribe.csv --metrics {out}/transcribe.json",
    "curate": "clips transcripts {out}/dataset --corrections corrections.csv --base base"
    " --ledger {out}/curate.csv --metrics {out}/curate.json",
    "train": "examples {out}/voice --base base --asr whisper.pt --epochs {out}/epochs --metrics {out}/train.json --plots {out}/plots",
    "evaluate": "examples voice --base base --asr whisper.pt --judge whisper.pt"
    " --lines {out}/lines --metrics {out}/evaluate.json --summary {out}/summary.json --plots {out}/figures",
    "synthesize": "voice {out}/outputs --base base --texts texts.txt --asr whisper.pt",
    "report": "{out}/report.html --wav wav --dataset examples --ledger . --reports ."
    " --lines lines --epochs epochs --voice voice --outputs outputs",
}


def make(folder: Path, *, stages: Iterable[str] = COMMANDS, workers: int = 1, device: str = "cpu") -> None:
    """Write notes, a dataset, models and parameters into a folder, and run the stages in it."""
    (folder / "notes").mkdir()
    for n in range(4):
        (folder / "notes" / f"{n}.opus").write_bytes(recordings.note() * (n + 1))
    examples = tiny_dataset.make(folder / "examples")
    split = ["test", "eval", *["train"] * (len(examples) - 2)]
    records.write(folder / "examples", [replace(each, split=side) for each, side in zip(examples, split, strict=True)])
    (folder / "notes/consent.yaml").write_bytes((folder / "examples/consent.yaml").read_bytes())
    tiny_base.make(folder / "base")
    tiny_whisper.make(folder / "whisper.pt")
    (folder / "texts.txt").write_text("Hola, ¿cómo andás?\nBueno, dale.\n", encoding="utf-8")
    values = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    values["compute"] |= {"device": device, "workers": workers}
    values["train"]["epochs"] = values["evaluate"]["lines"] = values["synthesize"]["max_tries"] = 1
    values["train"]["min_minutes"] = 0.1
    values["curate"] |= {"min_avg_logprob": -99.0, "max_other_language_prob": 1.0}
    (folder / "params.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")
    for stage in stages:
        if stage == "curate":
            clips = records.read(folder / "clips", records.Clip)
            decisions = "".join(f"{clip.id},text,bueno muchachos número {n}\n" for n, clip in enumerate(clips))
            (folder / "corrections.csv").write_text(f"clip,action,text\n{decisions}", encoding="utf-8")
        assert (stage, *run(stage, folder, folder)) == (stage, 0, [])


def run(stage: str, folder: Path, out: Path, *, cache: Path | None = None) -> tuple[int, list[str]]:
    """Run a stage in `folder`, its outputs into `out`, with the cache below `cache`.

    Returns:
        the exit status, and the lines on stderr without progress bars.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("DVC_ROOT", str(cache or folder))
        patch.setattr(sys, "argv", [stage, *COMMANDS[stage].format(out=out).split()])
        stderr = folder / "stderr"
        saved = os.dup(2)
        with open(stderr, "wb") as file:
            os.dup2(file.fileno(), 2)
        printed = sys.stderr
        sys.stderr = os.fdopen(os.dup(2), "w")
        try:
            with pytest.raises(SystemExit) as ended:
                command.run(importlib.import_module(f"stages.{stage}").main)
        finally:
            sys.stderr.close()
            sys.stderr = printed
            os.dup2(saved, 2)
            os.close(saved)
    lines = stderr.read_text().replace("\r", "\n").splitlines()
    return int(ended.value.code or 0), [line for line in lines if line and "%|" not in line]
