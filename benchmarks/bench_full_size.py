"""The full-size path, proved on random weights: train two steps, export, load with stock coqui-tts, speak one line.

    python -m benchmarks.bench_full_size /tmp/full-size --dataset data/dataset        (about 15 minutes and 11 GB of memory on two cores)

Reads   four train clips and one eval clip of the dataset, profiles/xtts_v2.yaml over params.yaml
Writes  the folder (a base of XTTS_v2's sizes, 2.1 GB; the voice, 1 GB) and a table on stdout, ready for benchmarks/README.md

The base has XTTS_v2's own numbers (30 x 1024 x 16, 6 681 text tokens, 1 026 audio codes, coqui's DVAE, decoder and speaker encoder)
with random weights: times and memory are the real ones, the sound is noise. The stage runs as it always does; unchanged
coqui-tts does the last part in a process of its own.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import torch
import yaml

from tools import profile
from voz.model import checkpoint, xtts
from voz.pipeline import command, records

ROOT = Path(__file__).parent.parent
TEXT_TOKENS = 6681  # XTTS_v2's vocabulary
STEPS, BATCH = 2, 2
MAX_CODES = 64  # of the spoken line: 3 s; random weights never stop by themselves

SPEAK = f"""
import time
import voz.compat
from TTS.tts.configs.xtts_config import XttsConfig
from TTS.tts.models.xtts import Xtts
start = time.monotonic()
config = XttsConfig()
config.load_json("config.json")
model = Xtts.init_from_config(config)
model.load_checkpoint(config, checkpoint_dir=".")
loaded = time.monotonic()
wav = model.synthesize("Bueno muchachos.", speaker_wav="reference.wav", language="es", max_new_tokens={MAX_CODES})["wav"]
print(loaded - start, time.monotonic() - loaded, len(wav) / 24000, sum(p.numel() for p in model.gpt.parameters()) / 1e6)
"""


@dataclass(frozen=True)
class Run:
    """What a process took: seconds of wall clock, its greatest resident memory, what it printed."""

    wall_s: float
    peak_gb: float
    out: str


def make_base(folder: Path, tokenizer: Path, *, layers: int = 30, width: int = 1024) -> None:
    """Write a base of XTTS_v2's sizes with seeded random weights; its characters are the pocket base's, filled up to 6 681 tokens."""
    folder.mkdir(parents=True)
    vocab = json.loads((tokenizer / "vocab.json").read_text(encoding="utf-8"))
    known = vocab["model"]["vocab"]
    vocab["model"]["vocab"] = known | {f"<{number}>": number for number in range(len(known), TEXT_TOKENS)}
    (folder / "vocab.json").write_text(json.dumps(vocab, ensure_ascii=False), encoding="utf-8")
    shutil.copyfile(tokenizer / "mel_stats.pth", folder / "mel_stats.pth")
    config = xtts.XttsConfig()
    args = config.model_args
    args.gpt_layers, args.gpt_n_model_channels, args.gpt_n_heads = layers, width, 16
    args.gpt_max_text_tokens, args.gpt_max_audio_tokens, args.gpt_max_prompt_tokens = 402, 605, 70
    args.gpt_num_audio_tokens, args.gpt_start_audio_token, args.gpt_stop_audio_token = 1026, 1024, 1025
    args.gpt_use_perceiver_resampler, args.gpt_code_stride_len = True, 1024
    args.decoder_input_dim, args.d_vector_dim = width, 512
    torch.manual_seed(1)
    model = xtts.build_model(config, xtts.Widths(), xtts.read_tokenizer(folder))
    model.mel_stats.copy_(torch.load(folder / "mel_stats.pth", weights_only=True))
    checkpoint.write(folder / "model.pth", {"model": model.state_dict()})
    checkpoint.write(folder / "dvae.pth", xtts.build_dvae(config, xtts.Widths()).state_dict())
    xtts.write_config(folder, config, xtts.Widths())


def lay_dataset(folder: Path, source: Path) -> None:
    """A dataset of the longest train clips (two steps' worth), the eval clip of fewest letters, and a test clip that train only counts.

    Raises:
        UserError: the source has too few clips.
    """
    examples = records.read(source, records.Example)
    train = sorted((e for e in examples if e.split == "train"), key=lambda e: (-e.duration_s, e.id))[: STEPS * BATCH]
    held_out = sorted((e for e in examples if e.split == "eval"), key=lambda e: (len(e.normalized), e.id))[:1]
    tested = [e for e in examples if e.split == "test"][:1]
    if len(train) < STEPS * BATCH or not held_out or not tested:
        raise command.UserError(f"{source}: fewer than {STEPS * BATCH} train clips, or no eval or test clip", "run `dvc repro curate`")
    (folder / "wavs").mkdir(parents=True)
    for example in [*train, *held_out, *tested]:
        shutil.copyfile(source / "wavs" / f"{example.id}.wav", folder / "wavs" / f"{example.id}.wav")
    shutil.copyfile(source / "consent.yaml", folder / "consent.yaml")
    records.write(folder, [*train, *held_out, *tested])


def lay_params(folder: Path) -> None:
    """params.yaml as the xtts_v2 profile makes it, for one epoch: two steps."""
    params = profile.read(ROOT / "params.yaml")
    profile.overlay(params, profile.read(ROOT / "profiles" / "xtts_v2.yaml"))
    sections = json.loads(json.dumps({name: params[name] for name in ("compute", "train")}))
    if sections["train"]["batch_size"] != BATCH:
        raise command.UserError("profiles/xtts_v2.yaml: batch_size is not the recipe's 2", "mend the profile")
    sections["train"] |= {"epochs": 1, "min_minutes": 0.0}
    (folder / "params.yaml").write_text(yaml.safe_dump(sections), encoding="utf-8")


def run(arguments: list[str], folder: Path) -> Run:
    """Run Python in `folder` and measure it.

    Raises:
        UserError: it failed; names its last line.
    """
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "DVC_ROOT": str(folder), "PYTHONWARNINGS": "ignore"}
    start = time.monotonic()
    with open(folder / "out.txt", "w+") as out, open(folder / "err.txt", "w+") as err:
        process = subprocess.Popen([sys.executable, *arguments], cwd=folder, env=environment, stdout=out, stderr=err)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0), err.seek(0)
        told, failed = out.read(), err.read()
    if process.returncode:
        raise command.UserError(
            f"{arguments[:2]}: exit status {process.returncode}: {failed.strip().splitlines()[-1:]}", f"see {folder}/err.txt"
        )
    return Run(time.monotonic() - start, used.ru_maxrss / 1e6, told)  # Linux counts kilobytes


def measure(folder: Path, dataset: Path) -> list[tuple[str, str]]:
    """Run everything; rows of the table."""
    lay_dataset(folder / "dataset", dataset)
    lay_params(folder)
    asr = ROOT / "models/pocket/whisper.pt"
    out = [
        "--base",
        "base",
        "--asr",
        str(asr),
        "--epochs",
        "reports/epochs",
        "--metrics",
        "reports/train.json",
        "--plots",
        "reports/plots/train",
    ]
    training = run(["-m", "stages.train", "dataset", "voice", *out], folder)
    log = json.loads((folder / ".cache/log/train.jsonl").read_text().splitlines()[-1])
    speaking = run(["-c", f"import os; os.chdir('voice'){SPEAK}"], folder)
    load_s, speak_s, spoken_s, millions = (float(value) for value in speaking.out.split()[-4:])
    size_gb = sum(path.stat().st_size for path in (folder / "voice").iterdir()) / 1e9
    return [
        ("GPT", f"{millions:.0f} M parameters"),
        ("threads", str(torch.get_num_threads())),
        ("one step, batch 2, fp32", f"{log['update_s']:.1f} s"),
        ("the train stage (load, codes, 2 steps, 2 evaluations, 2 times the eval lines, reference, export)", f"{training.wall_s:.0f} s"),
        ("its peak memory", f"{training.peak_gb:.1f} GB"),
        ("the voice on disk", f"{size_gb:.2f} GB"),
        ("stock coqui-tts loads it", f"{load_s:.1f} s"),
        (f"and speaks {spoken_s:.1f} s", f"{speak_s:.1f} s"),
        ("its peak memory", f"{speaking.peak_gb:.1f} GB"),
    ]


def main() -> None:
    args = parse_args()
    folder = args.folder.resolve()
    if folder.exists():
        raise command.UserError(f"{folder}: exists", "name a folder that does not")
    make_base(folder / "base", ROOT / "models" / "pocket" / "xtts")
    rows = measure(folder, args.dataset)
    print("\n".join(["| full size, on this machine | |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows)]))


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="made anew; 17 GB must be free")
    parser.add_argument("--dataset", type=Path, default=Path("data/dataset"))
    return parser.parse_args()


if __name__ == "__main__":
    command.run(main)
