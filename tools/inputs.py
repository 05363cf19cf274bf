"""Check the inputs that params.yaml names before DVC meets them: its own messages name neither the key nor the cure.

    python -m tools.inputs [--params params.yaml]        (`make demo` runs it before `dvc repro`; `make doctor` shows the same)

Paths are relative to the folder of params.yaml, as for DVC. Exit status: 0 all are there, 2 the first that is not is named.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from voz.data.base_files import BASE_FILES
from voz.pipeline import command, params
from voz.pipeline.command import UserError

DEMO = {
    "notes": "data/demo/notes",
    "corrections": "data/demo/corrections.csv",
    "base": "models/pocket/xtts",
    "asr": "models/pocket/whisper.pt",
    "judge": "models/pocket/whisper.pt",
}
FOLDERS = ("notes", "base")
UNQUOTABLE = '"$`\\'  # within double quotes, which dvc.yaml puts around these paths, a shell reads these four
_GET = {
    "notes": "put your notes there, or `git checkout -- data/demo` for the demo's",
    "corrections": "create it with the one line `clip,action,text`, or `git checkout -- data/demo` for the demo's",
    "base": "`make base`, or `git checkout -- models/pocket` for the demo's",
    "asr": "`make base`, or `git checkout -- models/pocket` for the demo's",
    "judge": "name another Whisper checkpoint, or the file of `asr` for none",
}


@dataclass(frozen=True)
class Problem:
    """What is wrong with an input, and what to do."""

    key: str  # in params.yaml
    what: str
    fix: str


def check(values: dict[str, Any], root: Path) -> list[Problem]:
    """What is wrong with the inputs that `values`, the contents of params.yaml in the folder `root`, names."""
    found = (_spelling(key, values.get(key)) or _presence(key, root / values[key], values[key]) for key in DEMO)
    return [problem for problem in found if problem]


def _spelling(key: str, value: object) -> Problem | None:
    """A value that is no path, or one that DVC or the shell reads as another."""
    example = f"write `{key}: {DEMO[key]}`, or where yours are"
    if value is None or value == "":
        return Problem(key, "empty", example)
    if not isinstance(value, str):
        return Problem(key, f"{value!r} is not a path", example)
    if value.startswith("~"):
        return Problem(key, f"{value}: ~ has no meaning here", f"write {Path(value).expanduser()}")
    if value.startswith("-"):
        return Problem(key, f"{value}: a command takes it for an option", f"write ./{value}")
    wrong = [char for char in value if char in UNQUOTABLE or not char.isprintable()]
    if wrong or "${" in value:
        return Problem(key, f"{value!r}: the shell does not read {wrong[0]!r} as a letter", "rename it; spaces, ñ, ( ) and ' are fine")
    return None


def _presence(key: str, path: Path, value: str) -> Problem | None:
    """An input that is not there, or is a file in place of a folder."""
    if not path.exists():
        if path.with_name(f"{path.name}.dvc").is_file():
            return Problem(key, f"{value}: missing", "`dvc checkout` restores it, `dvc pull` fetches it")
        if key == "asr" and "/" not in value:
            name = value.removesuffix(".pt")
            return Problem(key, f"{value}: no such file", f"write models/whisper/{name}.pt (`make base WHISPER={name}` fetches it)")
        return Problem(key, f"{value}: missing", _GET[key])
    if path.is_dir() != (key in FOLDERS):
        return Problem(key, f"{value}: {'a folder' if path.is_dir() else 'a file'}", f"name a {'folder' if key in FOLDERS else 'file'}")
    missing = [name for name in BASE_FILES if not (path / name).is_file()] if key == "base" else []
    return Problem(key, f"{value}: {', '.join(missing)} missing", _GET[key]) if missing else None


def main() -> None:
    args = parse_args()
    for problem in check(params.read(args.params), args.params.parent):
        raise UserError(f"{args.params}: {problem.key}: {problem.what}", problem.fix)


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--params", type=Path, default=Path("params.yaml"))
    return parser.parse_args()


if __name__ == "__main__":
    command.run(main)
