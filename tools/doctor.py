"""Report what this machine has and what is missing: device, versions, system packages, disk, inputs.

    python -m tools.doctor [--params params.yaml]        (`make doctor`)

Exit status: 0 nothing is missing, 2 something is. Whatever is missing is printed with the way to get it.
"""

import argparse
import importlib.metadata
import os
import platform
import shlex
import shutil
import stat
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tools import inputs, pins, system
from voz.data import notes
from voz.pipeline import files, params
from voz.pipeline.command import UserError
from voz.pipeline.language import tr

FREE_GB = 30.0  # XTTS_v2 twice (file and DVC's cache) 3.7, Whisper twice 3, a voice twice 2, checkpoints of one training 14; some to spare


@dataclass(frozen=True)
class Finding:
    """One line of the report: what was checked, what was found, and how to fix it (empty if all is well)."""

    what: str
    found: str
    fix: str = ""


def machine() -> Iterator[Finding]:
    """Operating system, Python, system packages, free disk."""
    release = platform.release()
    kernel = f"{platform.system()} {release}{' (WSL2)' if 'microsoft' in release.lower() else ''}"
    yield Finding(tr("system"), tr("{kernel}, {count} cores", kernel=kernel, count=os.cpu_count()))
    yield Finding("python", platform.python_version(), system.wrong_python(sys.version_info[:2]))
    for name in (*system.NEEDED, *system.OPTIONAL):
        if system.is_installed(name):
            yield Finding(name, tr("installed"))
        else:
            consequence = f": {tr(system.OPTIONAL[name])}" if name in system.OPTIONAL else ""
            yield Finding(name, tr("missing") + consequence, system.install_command([name]))
    free_gb = shutil.disk_usage(".").free / 1e9
    fix = tr("the demo needs 1 GB, XTTS_v2 with 200 notes about {need_gb:.0f}: `make clean-cache`, `dvc gc -w`", need_gb=FREE_GB)
    yield Finding(tr("free disk"), f"{free_gb:.0f} GB", "" if free_gb >= FREE_GB else fix)


def packages(requirements: list[Path]) -> Iterator[Finding]:
    """Installed Python packages compared with the pins of the requirements files."""
    pinned = [pin for path in requirements for pin in pins.read(path)]
    wrong = []
    for name, version in pinned:
        installed = _installed_version(name)
        if installed != version.split("+")[0]:
            wrong.append(tr("{name} {installed} (pinned {version})", name=name, installed=installed, version=version))
    fix = tr("`make setup` (after `rm .venv/.installed` if it says there is nothing to do)") if wrong else ""
    yield Finding(tr("packages"), "; ".join(wrong) or tr("{count} as pinned", count=len(pinned)), fix)


def _installed_version(name: str) -> str:
    """The version of an installed package without its local part (`+cu126`)."""
    try:
        return importlib.metadata.version(name).split("+")[0]
    except importlib.metadata.PackageNotFoundError:
        return tr("not installed")


def device() -> Iterator[Finding]:
    """Where torch computes: CUDA, ROCm or the CPU; `compute.device: auto` takes the accelerator if there is one."""
    try:
        import torch
    except (ImportError, OSError) as error:  # OSError: a shared library of the build is missing
        yield Finding("torch", tr("does not load ({error})", error=error), "`make setup`")
        return
    hip, cuda = torch.version.hip, torch.version.cuda
    build = f"ROCm {hip}" if hip else f"CUDA {cuda}" if cuda else "CPU"
    yield Finding(
        "torch",
        tr("{version}, built for {build}, {threads} threads", version=torch.__version__, build=build, threads=torch.get_num_threads()),
    )
    if torch.cuda.is_available():  # also True for a ROCm build
        for index in range(torch.cuda.device_count()):
            card = torch.cuda.get_device_properties(index)
            arch = f", {card.gcnArchName}" if hip else ""
            yield Finding(tr("accelerator {index}", index=index), f"{card.name}{arch}, {card.total_memory / 1e9:.0f} GB")
            if hip:
                yield from amd(card.gcnArchName, hip)
        return
    yield Finding(tr("accelerator"), tr("none: everything runs on the CPU"), _why_no_accelerator(build))


def amd(arch: str, hip: str) -> Iterator[Finding]:
    """What concerns a card from AMD; docs/rocm.md has the sources.

    Args:
        arch: of its chip, such as `gfx1030`.
        hip: version that torch is built for, such as `7.2.26015`.
    """
    yield Finding("", tr("MIOpen compiles kernels for each new length of a line: the stages set MIOPEN_FIND_MODE=2, unless you set it"))
    if arch.startswith("gfx10"):
        yield Finding("", tr("RDNA 1 or 2: precision fp32 is safe, fp16 may give NaN, bf16 is refused; docs/rocm.md"))
        yield Finding("", tr("RDNA 1 or 2: no flash attention; torch takes its plain kernels"))
    if arch.startswith("gfx103") and int(hip.split(".")[0]) < 7:
        fix = tr(
            "`.venv/bin/pip install -r requirements-rocm.txt` (ROCm 7); or write {switches} before each command",
            switches="MIOPEN_DEBUG_CONV_GEMM=0 MIOPEN_DEBUG_CONV_WINOGRAD=0",
        )
        yield Finding("", tr("RDNA 2 with ROCm {hip}: ROCm 6.4 froze or restarted machines with such a card; docs/rocm.md", hip=hip), fix)


def _why_no_accelerator(build: str) -> str:
    """What to do if the machine has a card that torch does not use; empty if it has none."""
    has_nvidia, has_amd = Path("/proc/driver/nvidia/version").exists() or shutil.which("nvidia-smi"), Path("/dev/kfd").exists()
    if has_nvidia and not build.startswith("CUDA"):
        return tr("there is an NVIDIA driver, but this torch is not built for CUDA: install the pinned torch from the public index")
    if has_nvidia:
        return tr("torch is built for CUDA, but the driver does not respond: see `nvidia-smi`")
    if has_amd and not build.startswith("ROCm"):
        return tr("there is an AMD compute device (/dev/kfd): `.venv/bin/pip install -r requirements-rocm.txt`, docs/rocm.md")
    if has_amd and not os.access("/dev/kfd", os.R_OK | os.W_OK):
        return tr("you may not use /dev/kfd: join the groups render and video, log in again")
    return ""


def named_inputs(path: Path) -> Iterator[Finding]:
    """The inputs that params.yaml names, and what in the notes folder DVC cannot handle."""
    try:
        values = params.read(path)
    except UserError as error:
        yield Finding("params", error.what, error.fix)
        return
    problems = {problem.key: problem for problem in inputs.check(values, Path())}
    for key in inputs.DEMO:
        yield Finding(key, problems[key].what, problems[key].fix) if key in problems else Finding(key, values[key])
    if "notes" not in problems:
        yield from links(Path(values["notes"]))
        for each, problem in dvc_blockers(Path(values["notes"])):
            yield Finding("notes", f"{each}: {problem}", tr("move it out of the folder: `dvc repro` hangs or stops on it"))


def links(folder: Path) -> Iterator[Finding]:
    """Notes that are links, except those that DVC made: convert does not follow them."""
    found = [note.path for note in notes.find(folder) if note.reason == "link" and note.path.exists()]
    if found:
        quoted, copies = shlex.quote(str(folder)), shlex.quote(f"{folder}.copies")
        command = f"cp -rL {quoted} {copies} && rm -r {quoted} && mv {copies} {quoted}"
        links_found = tr("{count} are links, such as {name}; convert does not follow links", count=len(found), name=found[0].name)
        yield Finding("notes", links_found, tr("put the files in their place: `{command}`", command=command))


def dvc_blockers(folder: Path) -> list[tuple[str, str]]:
    """Paths in a folder that make DVC hang (a FIFO) or stop (a broken link, a link loop, a name that is not UTF-8).

    Returns:
        (path in printable form, what is wrong with it), sorted.
    """
    found: list[tuple[str, str]] = []
    for parent, folders, names in os.walk(os.fsencode(folder)):
        for name in [*folders, *names]:
            path = os.path.join(parent, name)
            problem = _path_problem(path)
            if problem:
                found.append((files.printable(path), problem))
    return sorted(found)


def _path_problem(path: bytes) -> str:
    """Why DVC cannot handle a path; empty if it can."""
    mode = os.lstat(path).st_mode
    try:
        path.decode("utf-8")
    except UnicodeDecodeError:
        return tr("its name is not UTF-8")
    if stat.S_ISLNK(mode):
        if not os.path.exists(path):
            return tr("a link to nothing, or to itself")
        target, parent = os.path.realpath(path), os.path.realpath(os.path.dirname(path))
        inside_target = os.path.isdir(path) and os.path.commonpath([target, parent]) == target
        return tr("a link to a folder that contains it") if inside_target else ""
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        return tr("neither a file nor a folder (FIFO, socket or device)")
    return "" if os.access(path, os.R_OK) else tr("not readable")


def main() -> int:
    args = parse_args()
    requirements = [args.params.parent / "requirements.txt", args.params.parent / "requirements-nodeps.txt"]
    faults = 0
    for findings in (machine(), packages(requirements), device(), named_inputs(args.params)):
        for each in findings:
            faults += bool(each.fix)
            print(f"{'!' if each.fix else ' '} {each.what:<14} {each.found}" + (f"\n{'':<17}-> {each.fix}" if each.fix else ""))
    print("\n" + (tr("{count} to fix", count=faults) if faults else tr("all well")))
    return 2 if faults else 0


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--params", type=Path, default=Path("params.yaml"), help="the requirements files are expected beside it")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
