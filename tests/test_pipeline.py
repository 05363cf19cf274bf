"""dvc.yaml against the code: the order of the stages, outputs are ignored by git, params are real."""

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parent.parent
DVC: dict[str, Any] = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
PARAMS: dict[str, Any] = yaml.safe_load((ROOT / "params.yaml").read_text())
ORDER = ["convert", "segment", "transcribe", "curate", "train", "evaluate", "synthesize", "report"]


def paths(entries: list[Any]) -> list[str]:
    """Paths of a stage's deps, outs, metrics or plots, whichever way they are written."""
    return [entry if isinstance(entry, str) else next(iter(entry)) for entry in entries]


def test_stages_stand_in_the_order_data_flows() -> None:
    assert list(DVC) == ORDER


@pytest.mark.parametrize("stage", ORDER)
def test_stage_tracks_its_own_section_and_has_a_description(stage: str) -> None:
    assert DVC[stage]["params"] == [stage]
    assert stage in PARAMS and DVC[stage]["desc"]
    assert "compute" not in DVC[stage]["params"]  # where it runs must not rerun anything


def test_what_may_hold_a_voice_is_ignored_by_git() -> None:
    voices = [path for stage in DVC.values() for path in paths(stage.get("outs", []))]
    voices += ["data/notes", "data/corrections.csv", "models/xtts_v2", "models/whisper"]
    voices += ["data/.wav.tmp/a.wav", "reports/.lines.tmp/real/a.wav", ".spoken.wav.tmp"]  # of a stage that was killed
    found = subprocess.run(["git", "check-ignore", *voices], cwd=ROOT, capture_output=True, text=True, check=False).stdout.split()
    assert sorted(found) == sorted(voices)


def test_git_keeps_only_aggregate_numbers_of_the_stages() -> None:
    kept = [path for stage in DVC.values() for kind in ("metrics", "plots") for path in paths(stage.get(kind, []))]
    assert all(path.endswith(".json") or path.startswith("reports/plots/") for path in kept)
    for stage in DVC.values():
        for kind in ("metrics", "plots"):
            assert all(entry[path]["cache"] is False for entry in stage.get(kind, []) for path in entry)


def test_no_stage_persists_or_loops_over_files() -> None:
    text = (ROOT / "dvc.yaml").read_text()
    assert "persist" not in text and "foreach" not in text
