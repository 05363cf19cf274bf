"""Say what this machine is and what is missing: device, versions, system packages, disk, inputs.

    python -m tools.doctor [--params params.yaml]        (`make doctor`)

Exit status: 0 nothing needed is missing, 2 something is (each with the way to get it).
"""

import argparse
import importlib.metadata
import os
import platform
import re
import shutil
import stat
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tools import system

FREE_GB = 30.0  # the real base twice (file and DVC's cache), Whisper twice, a voice, checkpoints of one training: 3.7 + 3 + 3.7 + 13
PINNED = re.compile(r"([A-Za-z0-9_.-]+)==(\S+)")


@dataclass(frozen=True)
class Finding:
    """One line of the doctor: what was looked at, what was found, and, if it is not well, how to mend it."""

    what: str
    found: str
    mend: str = ""


def machine() -> Iterator[Finding]:
    """Operating system, Python, system packages, free disk."""
    release = platform.release()
    yield Finding("system", f"{platform.system()} {release}{' (WSL2)' if 'microsoft' in release.lower() else ''}, {os.cpu_count()} cores")
    yield Finding("python", platform.python_version(), system.wrong_python(sys.version_info))
    for name in (*system.NEEDED, *system.WANTED):
        there = system.is_there(name)
        lacking = f"missing: {system.WANTED[name]}" if name in system.WANTED else "missing"
        yield Finding(name, "there" if there else lacking, "" if there else system.install_command([name]))
    free_gb = shutil.disk_usage(".").free / 1e9
    mend = "" if free_gb >= FREE_GB else f"the demo needs 1 GB, XTTS_v2 with 200 notes about {FREE_GB:.0f}: `make clean-cache`, `dvc gc -w`"
    yield Finding("free disk", f"{free_gb:.0f} GB", mend)


def packages(files: list[Path]) -> Iterator[Finding]:
    """Installed Python packages against the pins of the requirements files."""
    wrong = []
    total = 0
    for name, version in (
        match.groups() for path in files for match in map(PINNED.match, path.read_text(encoding="utf-8").splitlines()) if match
    ):
        total += 1
        try:
            found = importlib.metadata.version(name).split("+")[0]
        except importlib.metadata.PackageNotFoundError:
            found = "nothing"
        if found != version.split("+")[0]:
            wrong.append(f"{name} {found} (pinned {version})")
    yield Finding(
        "packages",
        "; ".join(wrong) or f"{total} as pinned",
        "`make setup` (after `rm .venv/.installed` if it says there is nothing to do)" if wrong else "",
    )


def device() -> Iterator[Finding]:
    """Where torch computes: CUDA, ROCm or the CPU, and what `compute.device: auto` takes."""
    try:
        import torch
    except (ImportError, OSError) as error:  # OSError: a shared library of the build is not there
        yield Finding("torch", f"does not load ({error})", "`make setup`")
        return
    hip, cuda = torch.version.hip, torch.version.cuda
    build = f"ROCm {hip}" if hip else f"CUDA {cuda}" if cuda else "CPU"
    yield Finding("torch", f"{torch.__version__}, built for {build}, {torch.get_num_threads()} threads")
    if torch.cuda.is_available():  # ROCm's torch answers here too
        for index in range(torch.cuda.device_count()):
            about = torch.cuda.get_device_properties(index)
            arch = f", {about.gcnArchName}" if hip else ""
            yield Finding(f"accelerator {index}", f"{about.name}{arch}, {about.total_memory / 1e9:.0f} GB")
        return
    yield Finding("accelerator", "none: everything runs on the CPU", _why_no_accelerator(build))


def _why_no_accelerator(build: str) -> str:
    """What to do when a card is there and torch does not use it; empty when there is none."""
    nvidia, amd = Path("/proc/driver/nvidia/version").exists() or shutil.which("nvidia-smi"), Path("/dev/kfd").exists()
    if nvidia and not build.startswith("CUDA"):
        return "an NVIDIA driver is here, but this torch is not built for CUDA: install the pinned torch from the public index"
    if nvidia:
        return "torch is built for CUDA, but the driver does not answer: see `nvidia-smi`"
    if amd and not build.startswith("ROCm"):
        return "an AMD compute device (/dev/kfd) is here: `.venv/bin/pip install -r requirements-rocm.txt`, docs/rocm.md"
    if amd:
        return (
            "" if os.access("/dev/kfd", os.R_OK | os.W_OK) else "/dev/kfd is closed to you: join the groups render and video, log in again"
        )
    return ""


def inputs(params: dict[str, Any]) -> Iterator[Finding]:
    """What params.yaml names: notes, base, Whisper; and what in the notes folder DVC would choke on."""
    demo = "`git checkout -- models/pocket data/demo`"
    for key, mend in (
        ("base", f"`make base`, or for the demo {demo}"),
        ("asr", f"`make base`, or for the demo {demo}"),
        ("notes", f"put your notes there, or {demo}"),
    ):
        there = Path(params[key]).exists()
        yield Finding(key, f"{params[key]}{'' if there else ': missing'}", "" if there else mend)
    notes = Path(params["notes"])
    yield from linked(notes)
    for path, why in choking(notes) if notes.is_dir() else []:
        yield Finding("notes", f"{path}: {why}", "take it out of the folder: `dvc repro` hangs or stops on it")


def linked(notes: Path) -> Iterator[Finding]:
    """DVC's `cache.type symlink` puts links in the place of notes, and convert takes no link: it may lead anywhere."""
    links = [path for path in notes.iterdir() if path.is_symlink() and "files/md5" in os.readlink(path)] if notes.is_dir() else []
    if links:
        mend = "`dvc config cache.type reflink,hardlink,copy && dvc checkout --relink`: convert takes no links"
        yield Finding("notes", f"{len(links)} are links into DVC's cache", mend)


def choking(folder: Path) -> list[tuple[str, str]]:
    """Paths in a folder that DVC hangs on (a FIFO) or stops at (a broken link, a link loop, a name that is not UTF-8).

    Returns:
        (path made printable, what is wrong with it), sorted.
    """
    found: list[tuple[str, str]] = []
    for parent, folders, files in os.walk(os.fsencode(folder)):
        for name in [*folders, *files]:
            path = os.path.join(parent, name)
            wrong = _wrong_path(path)
            if wrong:
                found.append((os.fsdecode(path).encode("utf-8", "backslashreplace").decode("utf-8"), wrong))
    return sorted(found)


def _wrong_path(path: bytes) -> str:
    mode = os.lstat(path).st_mode
    try:
        path.decode("utf-8")
    except UnicodeDecodeError:
        return "its name is not UTF-8"
    if stat.S_ISLNK(mode):
        target = os.path.realpath(path)
        if not os.path.exists(path):
            return "a link to nothing, or to itself"
        return (
            "a link to a folder that holds it"
            if os.path.isdir(path) and os.path.commonpath([target, os.path.realpath(os.path.dirname(path))]) == target
            else ""
        )
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        return "neither a file nor a folder (FIFO, socket or device)"
    return "" if os.access(path, os.R_OK) else "not readable"


def main() -> int:
    args = parse_args()
    with open(args.params, encoding="utf-8") as file:
        params = yaml.safe_load(file)
    requirements = [args.params.parent / "requirements.txt", args.params.parent / "requirements-nodeps.txt"]
    bad = 0
    for findings in (machine(), packages(requirements), device(), inputs(params)):
        for each in findings:
            bad += bool(each.mend)
            print(f"{'!' if each.mend else ' '} {each.what:<14} {each.found}" + (f"\n{'':<17}-> {each.mend}" if each.mend else ""))
    print(f"\n{bad} to mend" if bad else "\nall well")
    return 2 if bad else 0


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--params", type=Path, default=Path("params.yaml"), help="the requirements files lie beside it")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
