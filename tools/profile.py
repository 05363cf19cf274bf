"""Apply a profile to params.yaml: its values replace the ones there; comments and all other values stay.

    python -m tools.profile xtts_v2 [--params params.yaml] [--profiles profiles]        (`make profile NAME=xtts_v2`)

Reads profiles/NAME.yaml, writes params.yaml.
"""

import argparse
import io
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedBase, CommentedMap
from ruamel.yaml.error import YAMLError

from tools import inputs
from voz.pipeline import command
from voz.pipeline.command import UserError
from voz.pipeline.files import write_text
from voz.pipeline.language import later, tr


def overlay(params: CommentedMap, profile: dict[str, Any], *, where: str = "") -> list[str]:
    """Set the values of `profile` in `params`, in place.

    Args:
        where: prefix of the keys in the returned lines ("train.").

    Returns:
        One line for each value that changed.

    Raises:
        UserError: the profile has a key that params.yaml does not have.
    """
    changes = []
    for key, value in profile.items():
        name = f"{where}{key}"
        if key not in params:
            raise UserError("profile: {name}: params.yaml has no such key", "correct the profile", name=name)
        if isinstance(value, dict) != isinstance(params[key], dict):
            raise UserError(
                "profile: {name}: {value!r} in place of {old!r}",
                "correct the profile, or params.yaml",
                name=name,
                value=value,
                old=params[key],
            )
        if isinstance(value, dict):
            changes += overlay(params[key], value, where=f"{name}.")
        elif params[key] != value:
            changes.append(f"{name}: {params[key]} -> {value}")
            params[key] = value
    return changes


def yaml_tool() -> YAML:
    """A YAML reader and writer that keeps comments, quotes and long lines."""
    yaml = YAML()
    yaml.width = 4096
    yaml.preserve_quotes = True
    return yaml


def read(path: Path) -> CommentedMap:
    """Read a YAML file with its comments.

    Raises:
        UserError: the file is missing (names the others of its folder), or is not YAML with keys.
    """
    if not path.is_file():
        known = ", ".join(sorted(each.stem for each in path.parent.glob("*.yaml")))
        raise UserError(
            "{path}: no such file", "choose one of the files in {folder}: {known}", path=path, folder=path.parent, known=known or "none"
        )
    try:
        document = yaml_tool().load(path.read_text(encoding="utf-8"))
    except (YAMLError, UnicodeDecodeError) as error:
        raise UserError(
            "{path}: not YAML in UTF-8 ({reason})", "fix it, or `git checkout {path}`", path=path, reason=str(error).splitlines()[0]
        ) from error
    if not isinstance(document, CommentedMap):
        raise UserError("{path}: has no keys", "`git checkout {path}`", path=path)
    return document


def dump(document: CommentedMap) -> str:
    """The text of a document, each end-of-line comment one space after its value (ruamel would keep its old column)."""
    _reset_comment_columns(document)
    text = io.StringIO()
    yaml_tool().dump(document, text)
    return text.getvalue()


def _reset_comment_columns(node: CommentedBase) -> None:
    for tokens in node.ca.items.values():
        for token in tokens:
            if token is not None and not isinstance(token, list):
                token.start_mark.column = 0
    if isinstance(node, CommentedMap):
        for value in node.values():
            if isinstance(value, CommentedBase):
                _reset_comment_columns(value)


def main() -> None:
    args = parse_args()
    params = read(args.params)
    changes = overlay(params, read(args.profiles / f"{args.name}.yaml"))
    problems = [each for each in inputs.check(params, args.params.parent) if each.key in inputs.MODELS]
    if problems:
        fix = later("run `make base`") if args.name != "pocket" else later("run `git checkout -- models/pocket`")
        raise UserError("{key}: {what}; params.yaml was not changed", fix, key=problems[0].key, what=problems[0].what)
    write_text(args.params, dump(params))
    print("\n".join(changes) or tr("{params} has the values of the {name} profile already", params=args.params, name=args.name))


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name")
    parser.add_argument("--params", type=Path, default=Path("params.yaml"))
    parser.add_argument("--profiles", type=Path, default=Path("profiles"))
    return parser.parse_args()


if __name__ == "__main__":
    command.run(main)
