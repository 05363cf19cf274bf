"""DVC behaves: the real pipeline under the real dvc, in a temporary repository with four notes, two steps, one line.

The costly first run is shared; the tests follow one another on it, as a person's day would, and each leaves the
repository as it found it.
"""

import json
import shutil
from pathlib import Path

import pytest

from tests import checkout as repositories
from tests.checkout import ROOT, Checkout, demo_notes

NOTES = "data/demo/tiny/notes"  # where .gitignore lets git take sound
TINY = {
    "train": {"epochs": 2, "batch_size": 2, "min_minutes": 0.0},
    "evaluate": {"lines": 1},
    "synthesize": {"max_tries": 1},
}

pytestmark = pytest.mark.pipeline


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """The project with four notes, one commit before and one after the first `dvc repro`."""
    folder = tmp_path_factory.mktemp("pipeline") / "repo"
    here = repositories.of_project(folder, NOTES, 4, TINY)
    here.run("dvc", "remote", "add", "-q", "-d", "store", str(folder.parent / "store"))
    here.commit("tiny")
    assert here.repro() == ["convert", "segment", "transcribe", "curate", "train", "evaluate", "synthesize", "report"]
    here.commit("first voice")
    return here


def test_clean_repro_makes_a_voice_and_a_report(checkout: Checkout) -> None:
    assert (checkout.folder / "models/voice/model.pth").stat().st_size > 1_000_000
    assert (checkout.folder / "reports/report.html").read_text().startswith("<!doctype html>")
    assert len(list((checkout.folder / "outputs").glob("*.wav"))) == 1


def test_second_repro_runs_nothing_and_leaves_git_clean(checkout: Checkout) -> None:
    assert checkout.repro() == []
    assert checkout.run("git", "status", "--porcelain") == ""


def test_temperature_reruns_synthesize_and_report_only(checkout: Checkout) -> None:
    checkout.change({"synthesize": {"temperature": 0.6}})
    assert checkout.repro() == ["synthesize", "report"]
    checkout.run("git", "checkout", "-q", ".")
    checkout.run("dvc", "checkout", "-q")
    assert checkout.repro() == []


def test_learning_rate_reruns_train_and_what_follows_and_commits_can_be_compared(checkout: Checkout) -> None:
    checkout.change({"train": {"lr": 1.5e-4}})
    assert checkout.repro() == ["train", "evaluate", "synthesize", "report"]
    checkout.commit("another learning rate")
    metrics = json.loads(checkout.run("dvc", "metrics", "diff", "--json", "HEAD~1"))
    assert set(metrics) == {"reports/summary.json"} and "loss" in metrics["reports/summary.json"]
    params = json.loads(checkout.run("dvc", "params", "diff", "--json", "HEAD~1"))
    assert params["params.yaml"]["train.lr"]["new"] == 1.5e-4
    checkout.run("dvc", "plots", "diff", "HEAD~1", "--out", "compared")
    assert (checkout.folder / "compared/index.html").is_file()
    shutil.rmtree(checkout.folder / "compared")
    checkout.run("git", "reset", "-q", "--hard", "HEAD~1")
    checkout.run("dvc", "checkout", "-q")


def test_one_more_note_is_the_only_one_computed_and_leaves_no_orphan_when_removed(checkout: Checkout) -> None:
    before = checkout.ids("data/clips/manifest.jsonl")
    name = demo_notes()[4]
    shutil.copy2(ROOT / "data/demo/notes" / name, checkout.folder / NOTES)
    ran = checkout.repro()
    new = checkout.ids("data/clips/manifest.jsonl") - before
    assert ran[:4] == ["convert", "segment", "transcribe", "curate"]
    assert checkout.last_log("convert")["computed"] == 1
    assert checkout.last_log("segment")["computed"] == 1
    assert checkout.last_log("transcribe")["computed"] == len(new) > 0
    (checkout.folder / NOTES / name).unlink()
    checkout.repro()
    assert checkout.ids("data/clips/manifest.jsonl") == before
    left = [path for folder in ("data/wav", "data/clips", "data/dataset/wavs") for path in (checkout.folder / folder).glob("*.wav")]
    assert not [path for path in left if any(path.stem.startswith(clip.split("-")[0]) for clip in new)]
    assert checkout.run("git", "status", "--porcelain") == ""  # the very same outputs


def test_experiments_in_place_and_in_a_copy_share_the_cache(checkout: Checkout) -> None:
    checkout.run("dvc", "exp", "run", "-n", "slower", "-S", "train.lr=2e-6")
    checkout.run("git", "checkout", "-q", ".")
    checkout.run("dvc", "checkout", "-q")
    checkout.run("dvc", "exp", "run", "--temp", "-n", "cooler", "-S", "synthesize.temperature=0.5")
    shown = checkout.run("dvc", "exp", "show", "--csv")
    assert "slower" in shown and "cooler" in shown
    assert checkout.run("git", "status", "--porcelain") == ""


def test_push_and_pull_bring_everything_to_a_fresh_clone(checkout: Checkout) -> None:
    checkout.run("dvc", "push", "-q")
    clone = Checkout(checkout.folder.parent / "clone")
    checkout.run("git", "clone", "-q", str(checkout.folder), str(clone.folder))
    clone.run("dvc", "pull", "-q")
    assert clone.repro() == []
    assert (clone.folder / "models/voice/model.pth").read_bytes() == (checkout.folder / "models/voice/model.pth").read_bytes()
    assert clone.run("git", "status", "--porcelain") == ""


def test_artifacts_can_be_fetched_without_a_clone(checkout: Checkout) -> None:
    checkout.run("git", "tag", "-a", "voice@v1.0.0", "-m", "first")
    target = checkout.folder.parent / "fetched"
    checkout.run("dvc", "artifacts", "get", str(checkout.folder), "voice", "-o", str(target))
    assert (target / "model.pth").read_bytes() == (checkout.folder / "models/voice/model.pth").read_bytes()


def test_plots_have_titles_and_one_picture_for_what_belongs_together(checkout: Checkout) -> None:
    drawn = json.loads(checkout.run("dvc", "plots", "show", "--json").splitlines()[-1])["data"]
    (loss,) = drawn["loss"]
    assert {Path(row["filename"]).stem for row in loss["content"]["data"]["values"]} == {"train", "eval"}
    (bars,) = drawn["reports/plots/evaluate/cer.csv"]
    assert [row["voice"] for row in bars["content"]["data"]["values"]] == ["real", "base", "fine_tuned"]
    assert all(each["content"]["title"]["text"] for plots in drawn.values() for each in plots)


def test_the_base_is_never_written(checkout: Checkout) -> None:
    for path in sorted((ROOT / "models/pocket").rglob("*")):
        if path.is_file():
            assert (checkout.folder / path.relative_to(ROOT)).read_bytes() == path.read_bytes(), path.name
