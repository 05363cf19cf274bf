"""The inputs that params.yaml names are checked before DVC meets them, in one line that says what to write."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tools import inputs

ROOT = Path(__file__).parent.parent
SHIPPED = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))


def test_the_shipped_inputs_are_there() -> None:
    assert inputs.check(SHIPPED, ROOT) == []
    assert {key: SHIPPED[key] for key in inputs.DEMO} == inputs.DEMO


@pytest.mark.parametrize(
    ("key", "value", "what", "fix"),
    [
        ("notes", None, "empty", "write `notes: data/demo/notes`"),
        ("notes", "", "empty", "write `notes: data/demo/notes`"),
        ("notes", ["a"], "['a'] is not a path", "write `notes:"),
        ("notes", "~/audios", "~/audios: ~ has no meaning here", f"write {Path.home()}/audios"),
        ("notes", "data/none", "data/none: missing", "put your notes there"),
        ("notes", "params.yaml", "params.yaml: a file", "name a folder"),
        ("notes", "-rf", "-rf: a command takes it for an option", "write ./-rf"),
        ("notes", 'data/"mis" audios', "the shell does not read '\"' as a letter", "rename it"),
        ("notes", "data/$HOME", "the shell does not read '$' as a letter", "rename it"),
        ("notes", "data/a\nb", "the shell does not read '\\n' as a letter", "rename it"),
        ("asr", "small", "small: no such file", "write models/whisper/small.pt (`make base WHISPER=small`"),
        ("asr", "models/whisper/none.pt", "models/whisper/none.pt: missing", "`make base`"),
        ("asr", "models/pocket", "models/pocket: a folder", "name a file"),
        ("base", "models", "models: model.pth, config.json, vocab.json, dvae.pth, mel_stats.pth missing", "`make base`"),
        ("corrections", "data/none.csv", "data/none.csv: missing", "create it with the one line `clip,action,text`"),
    ],
)
def test_a_wrong_input_is_named_with_its_cure(key: str, value: object, what: str, fix: str) -> None:
    (problem,) = inputs.check(SHIPPED | {key: value}, ROOT)
    assert problem.key == key and what in problem.what and fix in problem.fix


def test_a_key_that_is_not_there_is_empty() -> None:
    (problem,) = inputs.check({key: value for key, value in SHIPPED.items() if key != "notes"}, ROOT)
    assert (problem.key, problem.what) == ("notes", "empty")


def test_what_dvc_tracks_but_has_not_checked_out(tmp_path: Path) -> None:
    (tmp_path / "notes.dvc").touch()
    assert "`dvc pull` fetches it" in inputs.check(SHIPPED | {"notes": "notes"}, tmp_path)[0].fix


def test_make_demo_stops_before_dvc_with_one_line(tmp_path: Path) -> None:
    shutil.copy(ROOT / "params.yaml", tmp_path)
    text = (tmp_path / "params.yaml").read_text(encoding="utf-8").replace("asr: models/pocket/whisper.pt", "asr: small")
    (tmp_path / "params.yaml").write_text(text, encoding="utf-8")
    for each in ("data", "models"):
        (tmp_path / each).symlink_to(ROOT / each)
    command = [sys.executable, "-m", "tools.inputs", "--params", str(tmp_path / "params.yaml")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    line = (
        f"error: {tmp_path}/params.yaml: asr: small: no such file; write models/whisper/small.pt (`make base WHISPER=small` fetches it)\n"
    )
    assert (done.returncode, done.stderr) == (2, line)
    recipe = subprocess.run(["make", "-n", "demo"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    assert recipe.index("python -m tools.inputs") < recipe.index("dvc repro")
