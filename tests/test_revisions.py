"""Voices and files of commits and experiments, through the real dvc."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tools import revisions
from voz.pipeline.command import UserError

PIPELINE = """
stages:
  train:
    cmd: mkdir -p models/voice && cp params.yaml models/voice/model.pth
    params: [lr]
    outs: [models/voice]
"""


def run(*command: str) -> None:
    who = {f"GIT_{role}_{field}": "test@example.invalid" for role in ("AUTHOR", "COMMITTER") for field in ("NAME", "EMAIL")}
    subprocess.run(command, check=True, capture_output=True, env={**os.environ, **who, "DVC_NO_ANALYTICS": "1"})


def voice_of(name: str) -> Path:
    return revisions.voice_of(revisions.find(name))


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two commits and an experiment, whose voices hold their learning rate."""
    folder = tmp_path_factory.mktemp("checkout")
    before = Path.cwd()
    os.chdir(folder)
    try:
        run("git", "init", "-q")
        run("dvc", "init", "-q")
        Path("dvc.yaml").write_text(PIPELINE, encoding="utf-8")
        Path(".gitignore").write_text("/.cache\n", encoding="utf-8")
        for lr in (1, 2):
            Path("params.yaml").write_text(f"lr: {lr}\n", encoding="utf-8")
            run("dvc", "repro", "-q")
            run("git", "add", "-A")
            run("git", "commit", "-qm", f"lr {lr}")
        run("dvc", "exp", "run", "-q", "-n", "hotter", "-S", "lr=7")
        run("git", "checkout", "-q", "--", ".")
        run("dvc", "checkout", "-q")
    finally:
        os.chdir(before)
    return folder


@pytest.mark.parametrize(("rev", "expected"), [("HEAD~1", "lr: 1\n"), ("HEAD", "lr: 2\n"), ("hotter", "lr: 7\n")])
def test_voice_of_a_commit_or_an_experiment(checkout: Path, monkeypatch: pytest.MonkeyPatch, rev: str, expected: str) -> None:
    monkeypatch.chdir(checkout)
    assert (voice_of(rev) / "model.pth").read_text(encoding="utf-8") == expected
    assert Path("models/voice/model.pth").read_text(encoding="utf-8") == "lr: 2\n"
    assert subprocess.run(["git", "status", "--short"], capture_output=True, text=True, check=True).stdout == ""


def test_the_second_time_it_comes_from_the_cache(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(checkout)
    folder = voice_of("HEAD~1")
    (folder / "seen").touch()
    assert (voice_of("HEAD~1") / "seen").is_file()
    shutil.rmtree(folder)


def test_unknown_revision_is_one_line(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(checkout)
    with pytest.raises(UserError, match=r"nowhere: neither a commit nor an experiment; .*dvc exp show"):
        voice_of("nowhere")


def test_a_voice_that_is_gone_leaves_no_entry_in_the_cache(checkout: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """`dvc gc` removed it from the cache, and there is no remote."""
    shutil.copytree(checkout, tmp_path / "copy", symlinks=True)
    monkeypatch.chdir(tmp_path / "copy")
    shutil.rmtree(".cache", ignore_errors=True)
    run("dvc", "gc", "-w", "-f", "-q")
    with pytest.raises(UserError, match="dvc repro"):
        voice_of("HEAD~1")
    assert [path for path in Path(".cache/voices").rglob("*") if path.is_file()] == []


def test_commits_have_their_subject_and_the_working_tree_none(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(checkout)
    assert revisions.find("HEAD~1").subject == "lr 1"
    assert revisions.find("") == revisions.find("workspace") == revisions.Revision("workspace", "", "")
    assert voice_of("workspace") == Path("models/voice")


def test_files_of_git_and_of_dvc_are_read(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(checkout)
    for path in ("params.yaml", "models/voice/model.pth"):
        assert [revisions.read_text(revisions.find(name), path) for name in ("HEAD~1", "hotter", "")] == ["lr: 1\n", "lr: 7\n", "lr: 2\n"]
        assert revisions.read_text(revisions.find("HEAD"), f"{path}.none") is None
