"""Print where the results of a finished pipeline are: the voice, the samples, the report; and what git will say.

    python -m tools.outcome [--voice models/voice] [--samples outputs] [--report reports/report.html]

Runs at the end of `make demo`.
"""

import argparse
import subprocess
from pathlib import Path

from voz.audio import wav
from voz.pipeline import command
from voz.pipeline.command import UserError
from voz.pipeline.language import later, tr

WEIGHTS = ("model.pth", "adapter.pth")  # of a voice: `train.method: full`, `lora`
CHANGED = later("""
`git status` now shows dvc.lock and files of reports/ as changed. That is no fault: they hold the demo's numbers, and their last
digits are this machine's. Your own notes will replace them. To put the shipped ones back: git checkout dvc.lock reports""")


def main() -> None:
    args = parse_args()
    samples = sorted(args.samples.glob("*.wav"))
    weights = next((path for name in WEIGHTS if (path := args.voice / name).is_file()), args.voice / WEIGHTS[0])
    for path in (weights, args.report, *(samples or [args.samples / "*.wav"])):
        if not path.is_file():
            raise UserError("{path}: missing", "run `make demo`", path=path)
    print(tr("\nvoice    {voice}/  ({file}, {size_mb:.0f} MB)", voice=args.voice, file=weights.name, size_mb=weights.stat().st_size / 1e6))
    for path in samples:
        print(
            tr(
                "sample   {path}  ({duration_s:.1f} s)",
                path=path,
                duration_s=wav.samples(path, rate_hz=wav.OUTPUT_RATE_HZ) / wav.OUTPUT_RATE_HZ,
            )
        )
    print(tr("report   {page}", page=args.report.resolve().as_uri()))
    if demo_numbers_changed():
        print(tr(CHANGED))


def demo_numbers_changed() -> bool:
    """True if the inputs and knobs are as committed, and dvc.lock or reports/ are not: the same demo, computed on another machine."""
    return not _changed("params.yaml", "dvc.yaml", "data", "models") and _changed("dvc.lock", "reports")


def _changed(*paths: str) -> bool:
    """True if git finds files changed, or new, below these paths; False outside git."""
    command = ["git", "status", "--porcelain", "--", *paths]
    return bool(subprocess.run(command, capture_output=True, check=False).stdout.strip())


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--voice", type=Path, default=Path("models/voice"))
    parser.add_argument("--samples", type=Path, default=Path("outputs"))
    parser.add_argument("--report", type=Path, default=Path("reports/report.html"))
    return parser.parse_args()


if __name__ == "__main__":
    command.run(main)
