"""The pins of a requirements file: `name==version`, one a line."""

import re
from pathlib import Path

_PIN = re.compile(r"(?P<name>[A-Za-z0-9][\w.-]*)==(?P<version>[^\s;]+)")


def read(requirements: Path) -> list[tuple[str, str]]:
    """Name and version of each pinned package, in the order of the file. A pin's marker is not evaluated."""
    lines = requirements.read_text(encoding="utf-8").splitlines()
    return [(match["name"], match["version"]) for line in lines if (match := _PIN.match(line))]
