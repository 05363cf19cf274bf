"""Every requirement is pinned whole, brings along nothing that is not pinned, and has a licence on the allow-list."""

import importlib.metadata
import re
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tools import audit, licences, pins

ROOT = Path(__file__).parent.parent
FILES = sorted(ROOT.glob("requirements*.txt"))
MAIN = [ROOT / f"requirements{part}.txt" for part in ("", "-nodeps", "-dev", "-remotes")]
# torch brings CUDA's libraries, of the versions that its own metadata pin; the rest is asked for by --no-deps packages that do not need it.
PIN = re.compile(r"[A-Za-z0-9][\w.-]*==\d[\w.+]*(; \w+ [<>=!]+ \"[\w.]+\"( and \w+ [<>=!]+ \"[\w.]+\")*)?")
NOT_PINNED = re.compile(r"nvidia-.*|cuda-.*|triton|webrtcvad|typing")


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_each_line_is_a_pin_of_one_version(path: Path) -> None:
    for line in path.read_text(encoding="utf-8").splitlines():
        stated = line.partition("#")[0].strip()
        if stated and not stated.startswith(("-r ", "--extra-index-url https://download.pytorch.org/")):
            assert PIN.fullmatch(stated), line


def test_nothing_is_brought_along_that_is_not_pinned() -> None:
    pinned = {canonicalize_name(name) for path in MAIN for name, _ in pins.read(path)}
    brought = set()
    for name, _ in pins.read(ROOT / "requirements.txt"):
        for stated in importlib.metadata.requires(name) or []:
            needed = Requirement(stated)
            if needed.marker is None or needed.marker.evaluate({"extra": ""}):
                brought.add(canonicalize_name(needed.name))
    assert sorted(name for name in brought - pinned if not NOT_PINNED.fullmatch(name)) == []


def test_every_installed_package_has_a_licence_on_the_list() -> None:
    refused = []
    for name in {name for path in MAIN for name, _ in pins.read(path)} - licences.BY_HAND.keys():
        try:
            if not licences.is_allowed(licences.licence(name)):
                refused.append(name)
        except importlib.metadata.PackageNotFoundError:  # a marker leaves it out on this machine
            continue
    assert not refused


@pytest.mark.parametrize(
    ("expression", "allowed"),
    [
        ("MIT", True),
        ("GPL-3.0-only", False),
        ("", False),
        ("Apache-2.0 OR GPL-2.0-or-later", True),
        ("MIT AND GPL-3.0-only", False),
        ("MPL-2.0 AND (Apache-2.0 OR GPL-3.0-only)", True),
        ("MPL-2.0 AND (AGPL-3.0-only OR GPL-3.0-only)", False),
        ("ISC License (ISCL)", True),
    ],
)
def test_an_expression_of_licences(expression: str, allowed: bool) -> None:
    assert licences.is_allowed(expression) is allowed


def test_a_vulnerability_is_one_line() -> None:
    package = {"name": "left", "version": "1.0", "vulns": [{"id": "PYSEC-1", "fix_versions": ["1.1", "2.0"], "aliases": []}]}
    report = {"dependencies": [package, {"name": "right", "skip_reason": "not found"}], "fixes": []}
    assert audit.vulnerable(report) == ["left 1.0: PYSEC-1, fixed in 1.1, 2.0"]


def test_a_pin_for_another_python_is_no_pin_here(tmp_path: Path) -> None:
    (tmp_path / "r.txt").write_text('a==1.0\nb==2.0; python_version >= "3.0"\nc==3.0; python_version < "3.0"\n# d==4.0\ne==5.0  # why\n')
    assert pins.read(tmp_path / "r.txt") == [("a", "1.0"), ("b", "2.0"), ("e", "5.0")]
