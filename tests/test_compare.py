"""`make compare`: two commits with real (tiny) voices, through the real dvc; what the page shows of them."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests import tiny_voice
from tests.report_site import HOSTILE, Page
from tests.test_revisions import run
from tools import revisions
from tools.compare import compare, numbers
from voz.pipeline import files
from voz.pipeline.command import UserError

ROOT = Path(__file__).parent.parent
PIPELINE = """
stages:
  train:
    cmd: "true"
    outs: [models/voice]
  evaluate:
    cmd: "true"
    deps: [data/dataset]
    outs: [reports/lines]
"""
NOTES = ("0123456789ab", "ba9876543210", "00ff00ff00ff")


def estimate(mean: float) -> dict[str, float]:
    return {"mean": mean, "low": mean - 0.1, "high": mean + 0.1}


def write_commit(folder: Path, *, cer: float, similarity: float, lr: float, stop_bias: float) -> None:
    """A voice, and what the stages would say of it."""
    shutil.rmtree(folder / "models/voice", ignore_errors=True)
    shutil.rmtree(folder / "models/voice-base", ignore_errors=True)
    tiny_voice.make(folder / "models" / "voice", stop_bias=stop_bias)
    shutil.rmtree(folder / "models/voice-base")
    values = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    values["compute"]["device"], values["train"]["lr"] = "cpu", lr
    (folder / "params.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")
    table = {"fine_tuned": {"cer": estimate(cer), "similarity": estimate(similarity)}, "real": {"cer": estimate(0.05)}}
    files.write_json(folder / "reports/evaluate.json", {"lines": 3, **table})
    files.write_json(folder / "reports/train.json", {"best_epoch": round(lr * 1000)})
    rows: list[dict[str, Any]] = [
        {
            "id": f"{note}-0000000-0009000",
            "note": note,
            "text": "hola",
            "fine_tuned": {"cer": cer + step, "similarity": similarity + step * step},
        }
        for note, step in zip(NOTES, (-0.01, 0.0, 0.01), strict=True)
    ]
    (folder / "reports/lines").mkdir(exist_ok=True)
    (folder / "reports/lines/manifest.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("checkout")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        run("git", "init", "-q")
        run("dvc", "init", "-q")
        (folder / "dvc.yaml").write_text(PIPELINE, encoding="utf-8")
        (folder / ".gitignore").write_text("/.cache\n/models/voice\n/reports/lines\n/reports/compare.html\n", encoding="utf-8")
        (folder / "data").mkdir()
        (folder / "data/dataset").write_text("one", encoding="utf-8")
        (folder / "data/texts.txt").write_text(f"Bueno muchachos.\nChe, ¿qué hora es?\n{HOSTILE}\n", encoding="utf-8")
        for name, cer, lr, stop_bias in (("the first", 0.4, 0.001, 1.0), ("the second", 0.2, 0.002, 1.5)):
            write_commit(folder, cer=cer, similarity=0.7, lr=lr, stop_bias=stop_bias)
            run("dvc", "commit", "-f", "-q")
            run("git", "add", "-A")
            run("git", "commit", "-qm", f"{name} <b>voice</b>")
    return folder


@pytest.fixture
def inside(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(checkout)
    monkeypatch.setenv("DVC_ROOT", str(checkout))
    return checkout


def write_page(monkeypatch: pytest.MonkeyPatch, *options: str) -> str:
    monkeypatch.setattr("sys.argv", ["compare", *options])
    compare.main()
    return Path("reports/compare.html").read_text(encoding="utf-8")


def test_the_page_has_every_line_twice_and_what_the_commits_say(inside: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    html = write_page(monkeypatch, "--a", "HEAD~1", "--b", "HEAD")
    page, text = Page(html), " ".join(Page(html).text.split())
    assert page.count("audio") == 2 * 3 * 4  # three texts are spoken four times, to have ten lines
    assert text.count("take 1 of 4") == 3
    assert "A: HEAD~1" in text and "the first <b>voice</b>" in text and page.count("script") == 3
    assert HOSTILE in page.text and not any(attrs.get("onerror") for _, attrs in page.tags)
    assert "params.yaml train.lr 0.001 0.002 +0.001" in text
    assert "train.json best_epoch 1 2 +1" in text
    assert "not measured on the same dataset" not in text
    for tag, attrs in page.tags:
        assert (attrs.get("src") or attrs.get("href") or "#").startswith(("data:", "#")), (tag, attrs)
    assert write_page(monkeypatch, "--a", "HEAD~1", "--b", "HEAD") == html
    assert write_page(monkeypatch, "--a", "HEAD~1") != html  # the working tree is called otherwise


def test_green_only_where_the_lines_show_it(inside: Path) -> None:
    """CER is lower by 0.2 on each of three lines; the similarity is the same on each."""
    found = {each.name: each for each in numbers.measures(revisions.find("HEAD~1"), revisions.find("HEAD"))}
    assert (found["cer"].better, found["similarity"].better) == ("fine_tuned", "")
    assert found["cer"].cells["difference"].mean == "-0.200" and found["cer"].cells["difference"].range == "-0.200 to -0.200"
    assert found["cer"].cells["real"].mean == "0.050"


def test_other_lines_give_no_interval() -> None:
    a = {("1", "hola"): ("n", {"cer": 0.1}), ("2", "chau"): ("m", {"cer": 0.1})}
    assert numbers.paired(a, {("1", "hola"): ("n", {"cer": 0.2})}) == {}
    assert numbers.paired({}, {}) == {}
    assert numbers.paired(a, a)["cer"]["mean"] == 0


def test_the_same_voice_twice_is_refused(inside: Path) -> None:
    with pytest.raises(UserError, match=r"HEAD and workspace: the same voice; .*make compare"):
        compare.read_sides(["HEAD", "workspace"], "cpu")


def test_values_that_one_side_lacks() -> None:
    found = numbers.changes("f", {"a": 1, "same": {"b": 2}, "c": True}, {"same": {"b": 2}, "c": False, "d": 0.5})
    assert [(each.name, each.a, each.b, each.difference) for each in found] == [
        ("a", "1", "–", ""),
        ("c", "True", "False", ""),
        ("d", "–", "0.5", ""),
    ]


@pytest.mark.parametrize(
    ("target", "module", "variables", "expected"),
    [
        ("compare", "compare/compare", ["A=$(x)~1", "B=`b`"], ["--a", "$(x)~1", "--b", "`b`", "--texts", "data/texts.txt"]),
        ("listen", "listen/serve", [], ["--python", ".venv/bin/python", "--port", "0", "--"]),
        (
            "listen",
            "listen/serve",
            ["REVS=HEAD~3 $exp", "LOG=a b"],
            ["--python", ".venv/bin/python", "--port", "0", "--log=a b", "--", "HEAD~3", "$exp"],
        ),
        ("listen", "listen/serve", ["LOG=$(touch made)"], ["--python", ".venv/bin/python", "--port", "0", "--log=$(touch made)", "--"]),
        ("remote", "remotes/add", ["URL=/b", "REMOTE=$(x)"], ["--name=$(x)", "--", "/b"]),
        ("push", "remotes/push", ["REMOTE=`b`"], ["--remote=`b`"]),
        ("push", "remotes/push", [], ["--remote="]),
        ("verify-remote", "remotes/push", ["REMOTE=other", "HASHES=1"], ["--remote=other", "--check", "--hashes"]),
    ],
)
def test_make_hands_the_names_over_as_typed(tmp_path: Path, target: str, module: str, variables: list[str], expected: list[str]) -> None:
    shutil.copy(ROOT / "Makefile", tmp_path)
    script = tmp_path / "tools" / f"{module}.py"
    script.parent.mkdir(parents=True)
    for name in ("requirements.txt", "requirements-nodeps.txt", "requirements-review.txt", "tools/system.py"):
        (tmp_path / name).touch()
    for folder in (".venv/bin", ".venv/review/bin"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "python").symlink_to(sys.executable)
        (tmp_path / folder / "pip").symlink_to(sys.executable)
    for name in (".installed", ".installed-review"):
        (tmp_path / ".venv" / name).touch()
    script.write_text("import json, sys\nprint(json.dumps(sys.argv[1:]))\n", encoding="utf-8")
    env = os.environ | {"LOG": "leak.jsonl", "A": "other"}  # what a shell happens to have
    done = subprocess.run(["make", "-s", target, *variables], cwd=tmp_path, env=env, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == expected
    assert not (tmp_path / "made").exists()
