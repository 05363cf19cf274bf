"""dvc.yaml against the code: the order of the stages, outputs are ignored by git, params are real."""

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from voz.metrics import figures

ROOT = Path(__file__).parent.parent
FILE: dict[str, Any] = yaml.safe_load((ROOT / "dvc.yaml").read_text())
DVC: dict[str, Any] = FILE["stages"]
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


def cached(entry: Any) -> bool:
    """True if DVC keeps an output itself, so that git must not have it."""
    return isinstance(entry, str) or entry[next(iter(entry))].get("cache", True)


def test_what_may_hold_a_voice_is_ignored_by_git() -> None:
    voices = [path for stage in DVC.values() for path in paths(list(filter(cached, stage.get("outs", []))))]
    voices += ["data/notes", "data/corrections.csv", "models/xtts_v2", "models/whisper"]
    voices += ["data/.wav.tmp/a.wav", "reports/.lines.tmp/real/a.wav", ".spoken.wav.tmp"]  # of a stage that was killed
    found = subprocess.run(["git", "check-ignore", *voices], cwd=ROOT, capture_output=True, text=True, check=False).stdout.split()
    assert sorted(found) == sorted(voices)


def test_git_keeps_only_aggregate_numbers_of_the_stages() -> None:
    entries = [entry for stage in DVC.values() for kind in ("outs", "metrics") for entry in stage.get(kind, [])]
    kept = paths([entry for entry in entries if not cached(entry)])
    assert kept and all(path.endswith(".json") or path.startswith("reports/plots/") for path in kept)


def test_the_pipeline_has_one_metric() -> None:
    """Every other number is a plain output: `dvc exp show` is unreadable with the intervals of all figures."""
    assert [path for stage in DVC.values() for path in paths(stage.get("metrics", []))] == ["reports/summary.json"]
    assert not any("plots" in stage for stage in DVC.values())  # they would be drawn a second time, without titles


def test_plots_and_artifacts_are_outputs_of_a_stage() -> None:
    outs = paths([entry for stage in DVC.values() for entry in stage.get("outs", [])])
    for name, plot in ((name, plot) for entry in FILE["plots"] for name, plot in entry.items()):
        sources = plot["y"] if isinstance(plot["y"], dict) else [name]
        assert all(any(source.startswith(f"{out}/") for out in outs) for source in sources), name
        assert plot["title"] and plot["x_label"] and plot["y_label"]
        assert Path(name).parent.name != "evaluate" or Path(name).stem in figures.FIGURES
    assert set(FILE["artifacts"]) == {"voice", "dataset"}
    for artifact in FILE["artifacts"].values():
        assert artifact["path"] in outs and artifact["type"] and artifact["desc"] and artifact["labels"]


def test_no_stage_persists_or_loops_over_files() -> None:
    text = (ROOT / "dvc.yaml").read_text()
    assert "persist" not in text and "foreach" not in text


def test_the_demos_report_can_be_sent_by_mail() -> None:
    """The page in DVC's lock is the demo's; everything that it plays and shows is in it."""
    lock = yaml.safe_load((ROOT / "dvc.lock").read_text(encoding="utf-8"))
    (report,) = (out for out in lock["stages"]["report"]["outs"] if out["path"] == "reports/report.html")
    assert 1_000_000 < report["size"] <= 10_000_000
