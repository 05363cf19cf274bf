"""The pins of a requirements file: `name==version`, one a line."""

import re
from pathlib import Path

from packaging.requirements import Requirement

_PIN = re.compile(r"[A-Za-z0-9][\w.-]*==[^\s;]+")


def read(requirements: Path) -> list[tuple[str, str]]:
    """Name and version of each package that is pinned for this Python and system, in the order of the file."""
    lines = requirements.read_text(encoding="utf-8").splitlines()
    wanted = [Requirement(line.split(" #")[0]) for line in lines if _PIN.match(line)]
    return [(each.name, next(iter(each.specifier)).version) for each in wanted if each.marker is None or each.marker.evaluate()]
