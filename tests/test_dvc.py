"""DVC behaves: the real pipeline under the real dvc, in a temporary repository with four notes, two steps, one line.

The costly first run is shared; the tests follow one another on it, as a person's day would, and each leaves the
repository as it found it.
"""

import collections
import csv
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

ROOT = Path(__file__).parent.parent
NOTES = "data/tiny/notes"
TINY = {
    "notes": NOTES,
    "train": {"epochs": 2, "batch_size": 2},
    "evaluate": {"lines": 1},
    "synthesize": {"max_tries": 1},
}

pytestmark = pytest.mark.pipeline


class Checkout:
    """A repository of its own with the project's files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def run(self, *command: str, status: int = 0) -> str:
        """Run a command in the repository with this Python first on PATH and return what it printed."""
        env = {key: value for key, value in os.environ.items() if not key.startswith("DVC_")}
        env |= {"PATH": f"{Path(sys.executable).parent}:{env['PATH']}", "DVC_NO_ANALYTICS": "1", "GIT_CONFIG_NOSYSTEM": "1"}
        for who in ("AUTHOR", "COMMITTER"):
            env |= {f"GIT_{who}_NAME": "test", f"GIT_{who}_EMAIL": "test@example.invalid"}
        done = subprocess.run(command, cwd=self.folder, env=env, capture_output=True, text=True, check=False, timeout=900)
        assert done.returncode == status, f"{command}: {done.returncode}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        return done.stdout + done.stderr

    def repro(self) -> list[str]:
        """`dvc repro`; returns the stages that ran, in order."""
        lines = self.run("dvc", "repro").splitlines()
        return [line.split("'")[1] for line in lines if line.startswith("Running stage")]

    def commit(self, message: str) -> None:
        """Commit everything that git does not ignore."""
        self.run("git", "add", "-A")
        self.run("git", "commit", "-qm", message)

    def change(self, overlay: dict[str, Any]) -> None:
        """Write values into params.yaml, comments kept."""
        yaml = YAML()
        path = self.folder / "params.yaml"
        data = yaml.load(path.read_text())
        for key, value in overlay.items():
            data[key].update(value) if isinstance(value, dict) else data.__setitem__(key, value)
        with open(path, "w") as file:
            yaml.dump(data, file)

    def last_log(self, stage: str) -> dict[str, Any]:
        """What the last run of a stage computed and reused."""
        line = (self.folder / ".cache" / "log" / f"{stage}.jsonl").read_text().splitlines()[-1]
        values: dict[str, Any] = json.loads(line)
        return values

    def ids(self, manifest: str) -> set[str]:
        """The ids in a manifest."""
        return {json.loads(line)["id"] for line in (self.folder / manifest).read_text().splitlines()}


def demo_notes() -> list[str]:
    """Names of demo notes of 6 to 12 s by the demo speaker, sorted; the planted faults left out."""
    with open(ROOT / "data/demo/truth.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    ends: dict[str, float] = {}
    for row in rows:
        ends[row["name"]] = max(ends.get(row["name"], 0.0), float(row["end_s"]))
    main = collections.Counter(row["voice"] for row in rows).most_common(1)[0][0]
    others = {row["name"] for row in rows if row["voice"] != main}
    bytes_of = {name: (ROOT / "data/demo/notes" / name).read_bytes() for name in ends}
    twice = {content for content, count in collections.Counter(bytes_of.values()).items() if count > 1}
    return sorted(name for name, end_s in ends.items() if 6 <= end_s <= 12 and name not in others and bytes_of[name] not in twice)


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """The project with four notes, one commit before and one after the first `dvc repro`."""
    folder = tmp_path_factory.mktemp("pipeline") / "repo"
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True)
    for name in listed.stdout.splitlines():
        if (ROOT / name).is_file() and not name.startswith(("pocket/", "benchmarks/", "dvc.lock", "reports/", ".dvc/")):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    (folder / NOTES).mkdir(parents=True)
    for name in demo_notes()[:4]:
        shutil.copy2(ROOT / "data/demo/notes" / name, folder / NOTES)
    shutil.copy2(ROOT / "data/demo/notes/consent.yaml", folder / NOTES)
    (folder / "data/texts.txt").write_text("Bueno muchachos, gracias por la bancada.\n")
    here = Checkout(folder)
    here.change(TINY)
    here.run("git", "init", "-q", "-b", "main")
    here.run("dvc", "init", "-q")
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
    assert set(metrics["diff"]) == {"reports/summary.json"} and "loss" in metrics["diff"]["reports/summary.json"]
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
    (bars,) = drawn["reports/plots/evaluate/similarity.csv"]
    assert [row["voice"] for row in bars["content"]["data"]["values"]] == ["real", "base", "fine_tuned"]
    assert all(each["content"]["title"]["text"] for plots in drawn.values() for each in plots)


def test_the_base_is_never_written(checkout: Checkout) -> None:
    for path in sorted((ROOT / "models/pocket").rglob("*")):
        if path.is_file():
            assert (checkout.folder / path.relative_to(ROOT)).read_bytes() == path.read_bytes(), path.name
