"""List the targets of the Makefile in the user's language. Standard library only: it runs before anything is installed.

python3 -m tools.help        (`make help`)
"""

import re
from pathlib import Path

from voz.pipeline.language import tr

MAKEFILE = Path(__file__).parent.parent / "Makefile"


def described(makefile: str) -> dict[str, str]:
    """What each target does, by its name, in the order of the file."""
    return dict(re.findall(r"^([a-z-]+):.*?## (.+)$", makefile, flags=re.MULTILINE))


def main() -> None:
    for target, what in described(MAKEFILE.read_text(encoding="utf-8")).items():
        print(f"  make {target:<14} {tr(what)}")


if __name__ == "__main__":
    main()
