"""Check the inputs that params.yaml names before DVC meets them: its own messages name neither the key nor the cure.

    python -m tools.inputs [--params params.yaml]        (`make demo` runs it before `dvc repro`; `make doctor` shows the same)

Paths are relative to the folder of params.yaml, as for DVC. Exit status: 0 all are there, 2 the first that is not is named.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from voz.data.base_files import BASE_FILES
from voz.pipeline import command, files, params
from voz.pipeline.command import UserError
from voz.pipeline.language import later, tr

DEMO = {
    "notes": "data/demo/notes",
    "corrections": "data/demo/corrections.csv",
    "base": "models/pocket/xtts",
    "asr": "models/pocket/whisper.pt",
    "judge": "models/pocket/whisper.pt",
}
FOLDERS = ("notes", "base")
MODELS = ("base", "asr", "judge")
UNQUOTABLE = '"$`\\'  # within double quotes, which dvc.yaml puts around these paths, a shell reads these four
_GET = {
    "notes": later("put your notes there, or `git checkout -- data/demo` for the demo's"),
    "corrections": later("create it with the one line `clip,action,text`, or `git checkout -- data/demo` for the demo's"),
    "base": later("`make base`, or `git checkout -- models/pocket` for the demo's"),
    "asr": later("`make base`, or `git checkout -- models/pocket` for the demo's"),
    "judge": later("name another Whisper checkpoint, or the file of `asr` for none"),
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
    example = tr("write `{key}: {value}`, or where yours are", key=key, value=DEMO[key])
    if value is None or value == "":
        return Problem(key, tr("empty"), example)
    if not isinstance(value, str):
        return Problem(key, tr("{value!r} is not a path", value=value), example)
    if value.startswith("~"):
        return Problem(key, tr("{value}: ~ has no meaning here", value=value), tr("write {value}", value=Path(value).expanduser()))
    if value.startswith("-"):
        return Problem(key, tr("{value}: a command takes it for an option", value=value), tr("write {value}", value=f"./{value}"))
    wrong = [char for char in value if char in UNQUOTABLE or not char.isprintable()]
    if wrong or "${" in value:
        what = tr("{value!r}: the shell does not read {sign!r} as a letter", value=value, sign=wrong[0])
        return Problem(key, what, tr("rename it; spaces, ñ, ( ) and ' are fine"))
    return None


def _presence(key: str, path: Path, value: str) -> Problem | None:
    """An input that is not there, or is a file in place of a folder."""
    if not path.exists():
        if files.dvc_pointer(path).is_file():
            return Problem(key, tr("{value}: missing", value=value), tr("`dvc checkout` restores it, `dvc pull` fetches it"))
        if key == "asr" and "/" not in value:
            name = value.removesuffix(".pt")
            fix = tr("write models/whisper/{name}.pt (`make base WHISPER={name}` fetches it)", name=name)
            return Problem(key, tr("{value}: no such file", value=value), fix)
        return Problem(key, tr("{value}: missing", value=value), tr(_GET[key]))
    if path.is_dir() != (key in FOLDERS):
        what = tr("{value}: a folder", value=value) if path.is_dir() else tr("{value}: a file", value=value)
        return Problem(key, what, tr("name a folder") if key in FOLDERS else tr("name a file"))
    missing = [name for name in BASE_FILES if not (path / name).is_file()] if key == "base" else []
    return Problem(key, tr("{value}: {names} missing", value=value, names=", ".join(missing)), tr(_GET[key])) if missing else None


def main() -> None:
    args = parse_args()
    for problem in check(params.read(args.params), args.params.parent):
        raise UserError("{params}: {key}: {what}", "{fix}", params=args.params, key=problem.key, what=problem.what, fix=problem.fix)


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--params", type=Path, default=Path("params.yaml"))
    return parser.parse_args()


if __name__ == "__main__":
    command.run(main)
