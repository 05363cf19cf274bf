"""pocket/dvc.yaml: its commands exist, and its stages depend on the code of their group that they import."""

import ast
import importlib.util
import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
STAGES = yaml.safe_load((ROOT / "pocket" / "dvc.yaml").read_text(encoding="utf-8"))["stages"]


def module_of(stage: str) -> str:
    found = re.search(r"-m (pocket\.[\w.]+)", STAGES[stage]["cmd"])
    assert found is not None, stage
    return found.group(1)


def imports(module: str, seen: set[str]) -> set[str]:
    """The modules of pocket that one imports, directly or through others, itself included."""
    path = ROOT / f"{module.replace('.', '/')}.py"
    if module in seen or not path.is_file():
        return seen
    seen.add(module)
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("pocket"):
            for name in (node.module, *(f"{node.module}.{alias.name}" for alias in node.names)):
                imports(str(name), seen)
    return seen


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_runs_what_exists_and_depends_on_its_group(stage: str) -> None:
    module = module_of(stage)
    assert importlib.util.find_spec(module) is not None
    deps = [dep for dep in STAGES[stage]["deps"] if not dep.startswith("build/")]
    assert all((ROOT / "pocket" / dep).exists() for dep in deps)
    group = module.split(".")[1]
    files = [f"{'/'.join(name.split('.')[1:])}.py" for name in imports(module, set()) if name.split(".")[1] in (group, "training")]
    assert [file for file in files if file not in deps and file.split("/")[0] not in deps] == []
