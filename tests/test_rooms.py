"""The rooms of voz: who may import whom, and that dvc.yaml names the rooms that a stage enters."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parent.parent
MAY_IMPORT = {  # each room: the rooms below it
    "pipeline": set(),
    "text": set(),
    "compat": set(),
    "audio": {"pipeline", "compat"},
    "data": {"pipeline"},
    "model": {"pipeline", "text", "compat", "audio", "data"},
    "metrics": {"pipeline", "text", "compat", "audio", "data", "model"},
    "report": {"pipeline"},
}
CODE = sorted(path for folder in ("voz", "stages", "tools") for path in (ROOT / folder).rglob("*.py"))
STAGES: dict[str, Any] = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]


def name_of(path: Path) -> str:
    """voz/audio/wav.py -> voz.audio.wav; a package has the name of its folder."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {name_of(path): path for path in CODE}


def room(module: str) -> str:
    """voz.audio.wav -> audio; "" for what is no part of voz."""
    parts = module.split(".")
    return parts[1] if parts[0] == "voz" and len(parts) > 1 else ""


def imported(path: Path) -> Iterator[tuple[str, list[str]]]:
    """Each module of ours that a file imports, wherever it does, with the names that it takes out of it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{path}: a relative import"
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                if whole in MODULES:
                    yield whole, []
                elif node.module in MODULES:
                    yield node.module, [alias.name]
        elif isinstance(node, ast.Import):
            yield from ((alias.name, []) for alias in node.names if alias.name in MODULES)


def reached(module: str, seen: set[str] | None = None) -> set[str]:
    """Every module of ours that importing this one imports, itself included."""
    seen = set() if seen is None else seen
    if module not in seen:
        seen.add(module)
        for other, _ in imported(MODULES[module]):
            reached(other, seen)
    return seen


@pytest.mark.parametrize("module", [name for name in MODULES if room(name)])
def test_rooms_import_downwards_only(module: str) -> None:
    allowed = MAY_IMPORT[room(module)] | {room(module)}
    for other, _ in imported(MODULES[module]):
        assert room(other) in allowed, f"{module} may not import {other}"


def test_no_module_imports_itself_through_others() -> None:
    for module, path in MODULES.items():
        for other, _ in imported(path):
            assert module not in reached(other), f"{module} and {other} import each other"


def test_nobody_uses_a_private_name_of_another_module() -> None:
    for path in CODE:
        taken = [(module, name) for module, names in imported(path) for name in names if name.startswith("_")]
        assert not taken, f"{path}: {taken}"
        local = {module.rsplit(".", 1)[-1] for module, names in imported(path) if not names}
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in local:
                assert not node.attr.startswith("_"), f"{path}:{node.lineno}: {node.value.id}.{node.attr}"


def test_packages_say_what_lives_there_and_hold_no_code() -> None:
    """But for what OpenMP must find in the environment when torch is loaded: voz sets it, the packages of commands import voz first."""
    before_torch = ("import os", "import voz as voz", "os.environ.setdefault('OMP_WAIT_POLICY', 'PASSIVE')")
    for path in CODE:
        if path.name == "__init__.py":
            body = [each for each in ast.parse(path.read_text(encoding="utf-8")).body if ast.unparse(each) not in before_torch]
            assert len(body) <= 1 and all(isinstance(each, ast.Expr) and isinstance(each.value, ast.Constant) for each in body), path
            assert body or path.parent.name in ("stages", "tools"), f"{path}: no docstring"


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_depends_on_its_file_and_the_rooms_that_it_enters(stage: str) -> None:
    rooms = {room(module) for module in reached(f"stages.{stage}")} - {""}
    needed = {f"stages/{stage}.py"} | {"voz/compat.py" if each == "compat" else f"voz/{each}" for each in rooms}
    needed |= {str(path.relative_to(ROOT)) for path in (ROOT / "stages").glob(f"{stage}.*") if path.suffix != ".py"}
    needed |= {"voz/locale"} if "--language" in STAGES[stage]["cmd"] else set()  # it writes what people read
    listed = {dep for dep in STAGES[stage]["deps"] if dep.startswith(("stages/", "voz/"))}
    assert listed == needed
