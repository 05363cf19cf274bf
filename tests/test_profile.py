"""`make profile`: a profile's values replace those of params.yaml, comments stay, and a missing base is refused."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tools import profile
from voz.data.base_files import BASE_FILES
from voz.pipeline.command import UserError

ROOT = Path(__file__).parent.parent
PROFILES = sorted((ROOT / "profiles").glob("*.yaml"))


def leaves(node: dict, where: str = "") -> dict[str, object]:
    """A nested dict as {"train.lr": 5e-06, ...}."""
    flat = {}
    for key, value in node.items():
        flat |= leaves(value, f"{where}{key}.") if isinstance(value, dict) else {f"{where}{key}": value}
    return flat


def load(path: Path) -> dict[str, object]:
    return leaves(yaml.safe_load(path.read_text(encoding="utf-8")))


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """params.yaml and profiles in a folder of their own, with no base in it."""
    shutil.copy(ROOT / "params.yaml", tmp_path)
    shutil.copytree(ROOT / "profiles", tmp_path / "profiles")
    return tmp_path


def run(checkout: Path, name: str) -> subprocess.CompletedProcess[str]:
    command = [
        sys.executable,
        "-m",
        "tools.profile",
        name,
        "--params",
        str(checkout / "params.yaml"),
        "--profiles",
        str(checkout / "profiles"),
    ]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def put_base(checkout: Path) -> None:
    """Create empty files in place of the models: `make profile` checks only that they exist."""
    for path in PROFILES:
        values = load(path)
        for file in [
            *(checkout / str(values["base"]) / name for name in BASE_FILES),
            *(checkout / str(values[key]) for key in ("asr", "judge")),
        ]:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.touch()


@pytest.mark.parametrize("path", PROFILES, ids=lambda path: path.stem)
def test_every_overlay_key_is_in_params_with_the_same_type(path: Path) -> None:
    shipped = load(ROOT / "params.yaml")
    for key, value in load(path).items():
        assert type(shipped[key]) is type(value), key


def test_params_as_shipped_are_the_pocket_profile() -> None:
    shipped = load(ROOT / "params.yaml")
    assert {key: shipped[key] for key in load(ROOT / "profiles/pocket.yaml")} == load(ROOT / "profiles/pocket.yaml")


def test_each_profile_sets_the_same_keys_so_that_switching_back_leaves_nothing_behind() -> None:
    assert set(load(ROOT / "profiles/pocket.yaml")) == set(load(ROOT / "profiles/xtts_v2.yaml"))


def test_xtts_v2_is_the_recipe_to_the_digit() -> None:
    values = load(ROOT / "profiles/xtts_v2.yaml")
    recipe = {"train.lr": 5e-6, "train.weight_decay": 1e-2, "train.batch_size": 2, "train.grad_accumulation": 1, "train.epochs": 10}
    recipe |= {"synthesize.temperature": 0.7, "synthesize.top_p": 0.85, "synthesize.top_k": 50, "base": "models/xtts_v2"}
    assert {key: values[key] for key in recipe} == recipe


def test_there_and_back_gives_the_same_bytes_with_every_comment(checkout: Path) -> None:
    put_base(checkout)
    before = (checkout / "params.yaml").read_text(encoding="utf-8")
    assert run(checkout, "xtts_v2").returncode == 0
    there = (checkout / "params.yaml").read_text(encoding="utf-8")
    assert yaml.safe_load(there)["base"] == "models/xtts_v2"
    assert [line.partition("#")[2] for line in there.splitlines()] == [line.partition("#")[2] for line in before.splitlines()]
    assert run(checkout, "pocket").returncode == 0
    assert (checkout / "params.yaml").read_text(encoding="utf-8") == before


def test_a_users_own_value_survives_a_profile_that_does_not_name_it(checkout: Path) -> None:
    put_base(checkout)
    params = checkout / "params.yaml"
    params.write_text(params.read_text(encoding="utf-8").replace("notes: data/demo/notes", "notes: data/notes"), encoding="utf-8")
    run(checkout, "xtts_v2")
    assert load(params)["notes"] == "data/notes"


def test_missing_base_is_refused_with_the_command_that_fetches_it(checkout: Path) -> None:
    before = (checkout / "params.yaml").read_bytes()
    done = run(checkout, "xtts_v2")
    assert done.returncode == 2
    assert done.stderr == "error: base: models/xtts_v2: missing; params.yaml was not changed; run `make base`\n"
    assert (checkout / "params.yaml").read_bytes() == before


def test_files_that_a_base_lacks_are_named(checkout: Path) -> None:
    put_base(checkout)
    (checkout / "models/xtts_v2/dvae.pth").unlink()
    assert "base: models/xtts_v2: dvae.pth missing; params.yaml was not changed" in run(checkout, "xtts_v2").stderr


def test_unknown_profile_names_the_known_ones(checkout: Path) -> None:
    done = run(checkout, "xtts_v3")
    assert done.returncode == 2
    assert "pocket, xtts_v2" in done.stderr


def test_a_key_that_params_does_not_have_is_refused() -> None:
    params = profile.read(ROOT / "params.yaml")
    with pytest.raises(UserError, match=r"train\.learning_rate"):
        profile.overlay(params, {"train": {"learning_rate": 1e-5}})
