"""List the licences of the pinned packages that are installed, and name those that are not on the allow-list.

    python -m tools.licences requirements.txt requirements-nodeps.txt    (`make licences`)

Licences are what a package's metadata state. Exit status 1: a package has a licence that is not allowed, or states none.
"""

import argparse
import importlib.metadata
import re
import sys
from pathlib import Path

from tools import pins

ALLOWED = frozenset(  # to use and pass on beside code under MIT; SPDX names, and the older names of the package index
    each.strip()
    for each in """
    MIT; MIT License; MIT-0; MIT-CMU; ISC; ISC License (ISCL); 0BSD; BSD-2-Clause; BSD-3-Clause; BSD License; 3-Clause BSD License; BSD;
    Apache-2.0; Apache-2.0 WITH LLVM-exception; Apache Software License; Apache License 2.0; Apache 2.0 License; Apache 2.0; BSL-1.0; Zlib;
    CC0-1.0; Unlicense; The Unlicense (Unlicense); PSF-2.0; Python Software Foundation License; CNRI-Python; Zope Public License; ZPL-2.1;
    MPL-2.0; Mozilla Public License 2.0 (MPL 2.0); LGPL-2.1-or-later; GNU Library or Lesser General Public License (LGPL)
    """.split(";")
)
# Packages whose metadata do not say it, or that need a reason: what their own licence files say.
BY_HAND = {
    "asyncssh": "EPL-2.0 OR GPL-2.0-or-later: used unchanged, for DVC's remotes over SSH",
    "atheris": "Apache-2.0",
    "grandalf": "GPL-2.0 OR EPL-1.0: used unchanged, by `dvc dag`",
    "pygit2": "GPL-2.0 with an exception for linking: used unchanged, by DVC",
    "torchcodec": "BSD-3-Clause",
}


def licence(package: str) -> str:
    """What an installed package's metadata state: an SPDX expression, or the names of its classifiers; empty if nothing.

    Raises:
        importlib.metadata.PackageNotFoundError: it is not installed.
    """
    metadata = importlib.metadata.metadata(package)
    if expressions := metadata.get_all("License-Expression"):
        return str(expressions[0])
    classifiers = [each.rpartition(" :: ")[2] for each in metadata.get_all("Classifier") or [] if each.startswith("License ::")]
    named = [each for each in classifiers if each != "OSI Approved"]
    return " AND ".join(named) or "".join(metadata.get_all("License") or []).strip().partition("\n")[0]


def is_allowed(expression: str) -> bool:
    """True if every licence of an expression is allowed, or one of those among which it lets choose."""
    while group := re.search(r"(^|AND |OR )\(([^()]*)\)", expression):  # in "ISC License (ISCL)", they belong to the name
        inner = group[1] + ("MIT" if is_allowed(group[2]) else "none")
        expression = expression[: group.start()] + inner + expression[group.end() :]
    return any(all(part.strip() in ALLOWED for part in choice.split(" AND ")) for choice in expression.split(" OR "))


def main() -> None:
    """Print a table of the packages, then those that are not allowed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("requirements", nargs="+", type=Path)
    refused = []
    for package in sorted({name for path in parser.parse_args().requirements for name, _ in pins.read(path)}, key=str.lower):
        try:
            stated = BY_HAND.get(package) or licence(package)
        except importlib.metadata.PackageNotFoundError:
            print(f"{package:32} not installed here")
            continue
        print(f"{package:32} {stated}")
        if package not in BY_HAND and not is_allowed(stated):
            refused.append(package)
    if refused:
        sys.exit(f"error: licence not on the allow-list of tools/licences.py: {', '.join(refused)}")


if __name__ == "__main__":
    main()
