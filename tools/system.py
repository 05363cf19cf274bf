"""Check what must be installed before any Python package: the Python version and the system packages.

    python3 -m tools.system [--install] [espeak-ng ...]

Imports only the standard library and our language.py, and runs on old versions of Python too, to say that they are too old. With --install
it installs what is missing by apt if that needs no password; otherwise it prints the exact command.
Exit status: 0 nothing is missing, or only optional packages are; 2 something is missing.
"""

import argparse
import ctypes.util
import importlib.util
import os
import platform
import shutil
import subprocess
import sys

from voz.pipeline.language import later, tr

OLDEST, NEWEST = (3, 11), (3, 13)  # numpy 2.4 and scipy 1.17 need 3.11; above 3.13 nobody checked that there are wheels
FFMPEG_LIBRARIES = ("avutil", "avcodec", "avformat", "avdevice", "avfilter", "swscale", "swresample")  # what torchcodec links to
NEEDED = ("git", "sox", "ffmpeg", "venv")
OPTIONAL = {"espeak-ng": later("the accent is not measured without it")}
PROGRAMS = {  # the programs of a package that has another name than its program; one of them is enough
    "chromium": ("chromium", "chromium-browser", "google-chrome"),
    "chromium-driver": ("chromedriver",),
}
FILES = {"wspanish": "/usr/share/dict/spanish"}  # the file of a package that has no program
PACKAGES = {"venv": "python3-venv"}
UBUNTU_PACKAGES = {"chromium": "chromium-browser", "chromium-driver": "chromium-chromedriver"}
INSTALLERS = (
    ("apt-get", "apt-get install -y --no-install-recommends"),
    ("brew", "brew install"),
    ("dnf", "dnf install"),
    ("pacman", "pacman -S"),
)


def wrong_python(version):
    # type: (tuple[int, ...]) -> str
    """What is wrong with a Python of this (major, minor) version; empty if nothing is."""
    if OLDEST <= tuple(version[:2]) <= NEWEST:
        return ""
    found = "{}.{}".format(*version[:2])
    return tr(
        "Python {version} found, 3.11, 3.12 or 3.13 needed; install one, or name it: make setup PYTHON=/path/to/python3.11", version=found
    )


def is_installed(name):
    # type: (str) -> bool
    """True if a system package can be used on this machine."""
    if name == "ffmpeg":
        return all(ctypes.util.find_library(library) for library in FFMPEG_LIBRARIES)
    if name == "venv":  # Debian packages it separately from Python
        return importlib.util.find_spec("ensurepip") is not None and importlib.util.find_spec("venv") is not None
    if name in FILES:
        return os.path.exists(FILES[name])
    return any(shutil.which(program) for program in PROGRAMS.get(name, (name,)))


def package_of(name):
    # type: (str) -> str
    """The name of a package on this system; `name` is Debian's."""
    try:
        ubuntu = platform.freedesktop_os_release().get("ID") == "ubuntu"
    except OSError:  # not Linux
        ubuntu = False
    return (UBUNTU_PACKAGES.get(name) if ubuntu else None) or PACKAGES.get(name, name)


def missing(names=NEEDED):
    # type: (tuple[str, ...]) -> list[str]
    """Those of `names` that are not installed, in their order."""
    return [name for name in names if not is_installed(name)]


def install_command(names):
    # type: (list[str]) -> str
    """The command that installs `names` on this system, ready to paste; a sentence if no installer is known."""
    packages = [package_of(name) for name in names]
    for program, command in INSTALLERS:
        if shutil.which(program):
            prefix = "" if program == "brew" or os.geteuid() == 0 else "sudo "
            return prefix + command + " " + " ".join(packages)
    return tr("install with your system's package manager: {packages}", packages=" ".join(packages))


def can_install():
    # type: () -> bool
    """True if apt is available and needs no password."""
    if not shutil.which("apt-get"):
        return False
    if os.geteuid() == 0:
        return True
    return shutil.which("sudo") is not None and subprocess.call(["sudo", "-n", "true"], stderr=subprocess.DEVNULL) == 0


def install(names):
    # type: (list[str]) -> None
    """Install by apt, quietly. If apt fails, its message is on the screen and subprocess.CalledProcessError is raised."""
    sudo = [] if os.geteuid() == 0 else ["sudo", "-n"]
    apt = [*sudo, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-qq"]
    subprocess.check_call([*apt, "update"])
    packages = [package_of(name) for name in names]
    subprocess.check_call([*apt, "install", "-y", "--no-install-recommends", *packages], stdout=subprocess.DEVNULL)


def main():
    # type: () -> int
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--install", action="store_true", help="install what is missing by apt if that needs no password")
    parser.add_argument("names", nargs="*", help="packages to look for (default: those that the set-up needs)")
    args = parser.parse_args()
    problem = wrong_python(sys.version_info[:2])
    if problem:
        print(tr("error: {line}", line=problem), file=sys.stderr)
        return 2
    names = missing(tuple(args.names) or (*NEEDED, *OPTIONAL))
    if names and args.install and can_install():
        print(tr("installing {names}", names=", ".join(names)))
        try:
            install(names)
        except subprocess.CalledProcessError as error:
            print(tr("apt-get failed with status {status}", status=error.returncode), file=sys.stderr)
        names = missing(tuple(names))
    needed = [name for name in names if name in args.names or name not in OPTIONAL]
    if needed:
        print(tr("error: {names} missing; run: {command}", names=", ".join(needed), command=install_command(needed)), file=sys.stderr)
        return 2
    for name in names:
        print(tr("{name} missing ({why}); run: {command}", name=name, why=tr(OPTIONAL[name]), command=install_command([name])))
    if not names:
        print(tr("system packages: all installed"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
