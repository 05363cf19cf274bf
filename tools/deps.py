"""Write into dvc.yaml which code each stage depends on: its own file and every voz/ file that it imports, directly or not.

    python -m tools.deps

Reads   stages/*.py, voz/**/*.py
Writes  dvc.yaml, only the `stages/...py` and `voz/...py` lines of `deps:`; comments stay
"""

import argparse
import ast
import io
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from voz.pipeline import command, files

PACKAGES = ("stages", "voz")


def imported(path: Path, root: Path, seen: set[Path] | None = None) -> set[Path]:
    """The files of `PACKAGES` under `root` that a file imports, directly or through others, itself included."""
    seen = set() if seen is None else seen
    if path in seen:
        return seen
    seen.add(path)
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            continue
        for name in names:
            file = root / f"{name.replace('.', '/')}.py"
            if name.split(".")[0] in PACKAGES and file.is_file():
                imported(file, root, seen)
    return seen


def code_of(stage: str, root: Path) -> list[str]:
    """The code that a stage depends on, in the order of dvc.yaml: its own file first, then voz/ sorted."""
    names = {str(file.relative_to(root)) for file in imported(root / "stages" / f"{stage}.py", root)}
    return sorted(names, key=lambda name: (not name.startswith("stages/"), name))


def is_code(dep: Any) -> bool:
    """True if an entry of `deps:` is one that this tool writes."""
    return isinstance(dep, str) and dep.startswith(("stages/", "voz/")) and dep.endswith(".py")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.parse_args()
    yaml = YAML()
    yaml.width, yaml.preserve_quotes = 120, True
    yaml.indent(mapping=2, sequence=4, offset=2)
    path = Path("dvc.yaml")
    data = yaml.load(path.read_text(encoding="utf-8"))
    for name, stage in data["stages"].items():
        code = code_of(name, Path())
        data_deps = [dep for dep in stage["deps"] if not is_code(dep)]
        if data_deps + code != list(stage["deps"]):
            stage["deps"][:] = data_deps + code
            print(f"{name}: {len(code)} files of code")
    text = io.StringIO()
    yaml.dump(data, text)
    files.write_text(path, text.getvalue())


if __name__ == "__main__":
    command.run(main)
