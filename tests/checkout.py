"""A repository of its own with the project's files, in which the real git and dvc run."""

import collections
import csv
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

ROOT = Path(__file__).parent.parent


class Checkout:
    """A repository of its own with the project's files."""

    def __init__(self, folder: Path, **env: str) -> None:
        self.folder, self.env = folder, env

    def run(self, *command: str, status: int = 0) -> str:
        """Run a command in the repository with this Python first on PATH and return what it printed."""
        env = {key: value for key, value in os.environ.items() if not key.startswith("DVC_")}
        env |= {"PATH": f"{Path(sys.executable).parent}:{env['PATH']}", "DVC_NO_ANALYTICS": "1", "GIT_CONFIG_NOSYSTEM": "1"}
        for who in ("AUTHOR", "COMMITTER"):
            env |= {f"GIT_{who}_NAME": "test", f"GIT_{who}_EMAIL": "test@example.invalid"}
        env |= self.env
        with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:  # the workers of a queue would keep pipes open
            returncode = subprocess.run(command, cwd=self.folder, env=env, stdout=out, stderr=err, check=False, timeout=900).returncode
            printed = ""
            for file in (out, err):
                file.seek(0)
                printed += file.read()
        assert returncode == status, f"{command}: {returncode}\n{printed[-6000:]}"
        return printed

    def repro(self, *stages: str) -> list[str]:
        """`dvc repro`, of all stages or of some; returns the stages that ran, in order."""
        lines = self.run("dvc", "repro", *stages).splitlines()
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


def of_project(folder: Path, notes: str, count: int, overlay: dict[str, Any]) -> Checkout:
    """The project with `count` of the demo's notes in its folder `notes`, and `overlay` in params.yaml; nothing is committed yet."""
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True)
    for name in listed.stdout.splitlines():
        if (ROOT / name).is_file() and not name.startswith(("pocket/", "benchmarks/", "dvc.lock", "reports/", ".dvc/")):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    (folder / notes).mkdir(parents=True)
    for name in [*demo_notes()[:count], "consent.yaml"]:
        shutil.copy2(ROOT / "data/demo/notes" / name, folder / notes)
    (folder / "data/texts.txt").write_text("Bueno muchachos, gracias por la bancada.\n")
    here = Checkout(folder)
    here.change({"notes": notes, **overlay})
    here.run("git", "init", "-q", "-b", "main")
    here.run("dvc", "init", "-q")
    return here
