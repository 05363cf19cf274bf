"""Feed mutated bytes to whatever reads strangers' files (tests/fuzz/targets.py), guided by the branches they reach (Atheris).

    python -m tests.fuzz [--runs 1000000] [--seed 1] [TARGET ...]

The same seed gives the same inputs. An input that shows a fault is kept in .cache/fuzz and its traceback is printed; the exit
status is 1 then. It becomes a test of the module that it broke.
"""

import argparse
import importlib.util
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.fuzz.targets import TARGETS, Target

FOUND = Path(".cache/fuzz")
LIMIT_S = 600  # for one input; a machine with other work may stand still for minutes


def main() -> None:
    """Fuzz the targets, one after the other."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=", ".join(TARGETS), default=list(TARGETS))
    parser.add_argument("--runs", type=int, default=1_000_000, help="inputs for each target")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    if not importlib.util.find_spec("atheris"):
        sys.exit("error: Atheris is not installed (it has packages for Linux on x86-64); run `make setup` there, then `make fuzz`")
    failed = [name for name in args.targets if not fuzz(name, TARGETS[name], runs=round(args.runs * TARGETS[name].share), seed=args.seed)]
    sys.exit(f"error: faults in {', '.join(failed)}; the inputs are in {FOUND}" if failed else 0)


def fuzz(name: str, target: Target, *, runs: int, seed: int) -> bool:
    """Fuzz one target. True if no input showed a fault."""
    FOUND.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        corpus, log = Path(folder, "corpus"), Path(folder, "log")
        corpus.mkdir()
        for number, data in enumerate(target.seeds):
            (corpus / str(number)).write_bytes(data)
        limits = [f"-max_len={target.max_bytes}", f"-timeout={LIMIT_S}", "-rss_limit_mb=2048", f"-artifact_prefix={FOUND}/{name}-"]
        command = [sys.executable, "-m", "tests.fuzz.engine", name, f"-runs={runs}", f"-seed={seed}", *limits, str(corpus)]
        with open(log, "wb") as file:
            status = subprocess.run(command, env=os.environ | {"PYTHONHASHSEED": "0"}, stdout=file, stderr=file, check=False).returncode
        lines = log.read_text("utf-8", "replace").splitlines()
    print(f"{name}: {lines[-1] if lines and not status else 'FAULT'}", flush=True)
    if status:
        print("\n".join(lines[-40:]))
    return not status


if __name__ == "__main__":
    main()
