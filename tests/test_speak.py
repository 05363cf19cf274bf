"""`make speak`: as the stage speaks; with REV=... the voice of a commit or an experiment through the real dvc."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from stages import synthesize
from tests import tiny_voice, tiny_whisper
from tools import speak
from voz.pipeline.command import UserError

ROOT = Path(__file__).parent.parent
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
    assert (speak.voice_of(rev) / "model.pth").read_text(encoding="utf-8") == expected
    assert Path("models/voice/model.pth").read_text(encoding="utf-8") == "lr: 2\n"
    assert subprocess.run(["git", "status", "--short"], capture_output=True, text=True, check=True).stdout == ""


def test_the_second_time_it_comes_from_the_cache(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(checkout)
    folder = speak.voice_of("HEAD~1")
    (folder / "seen").touch()
    assert (speak.voice_of("HEAD~1") / "seen").is_file()
    shutil.rmtree(folder)


def test_unknown_revision_is_one_line(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(checkout)
    with pytest.raises(UserError, match=r"nowhere: neither a commit nor an experiment; .*dvc exp show"):
        speak.voice_of("nowhere")


def test_a_voice_that_is_gone_leaves_no_entry_in_the_cache(checkout: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """`dvc gc` removed it from the cache, and there is no remote."""
    shutil.copytree(checkout, tmp_path / "copy", symlinks=True)
    monkeypatch.chdir(tmp_path / "copy")
    shutil.rmtree(".cache", ignore_errors=True)
    run("dvc", "gc", "-w", "-f", "-q")
    with pytest.raises(UserError, match="dvc repro"):
        speak.voice_of("HEAD~1")
    assert [path for path in Path(".cache/voices").rglob("*") if path.is_file()] == []


def test_a_text_sounds_as_the_first_try_of_the_stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "Bueno muchachos, son las 3."
    tiny_voice.make(tmp_path / "models" / "voice", stop_bias=1.0)
    tiny_whisper.make(tmp_path / "whisper.pt")
    (tmp_path / "texts.txt").write_text(f"Otra cosa.\n{text}\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    values = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    values["compute"]["device"], values["synthesize"]["max_tries"] = "cpu", 1
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")
    monkeypatch.setattr("sys.argv", ["synthesize", "models/voice", "outputs", "--texts", "texts.txt", "--asr", "whisper.pt"])
    synthesize.main()
    monkeypatch.setattr("sys.argv", ["speak", "--text", text, "--out", "new/hola.wav"])
    speak.main()
    assert Path("new/hola.wav").read_bytes() == Path("outputs/02-bueno-muchachos-son-las-3.wav").read_bytes()


def test_nothing_to_speak_is_refused() -> None:
    done = subprocess.run([sys.executable, "-m", "tools.speak", "--text", " "], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "nothing to speak" in done.stderr


@pytest.mark.parametrize("text", ['Cuesta $500 y "algo" más', "$(touch made); `touch made`", "¿Qué?\\n"])
def test_make_hands_the_text_over_as_typed(tmp_path: Path, text: str) -> None:
    shutil.copy(ROOT / "Makefile", tmp_path)
    (tmp_path / ".venv/bin").mkdir(parents=True)
    (tmp_path / "tools").mkdir()
    for name in ("requirements.txt", "requirements-nodeps.txt", "tools/system.py", ".venv/.installed"):
        (tmp_path / name).touch()
    (tmp_path / "tools/speak.py").write_text("import sys\nprint(sys.argv[sys.argv.index('--text') + 1])\n", encoding="utf-8")
    (tmp_path / ".venv/bin/python").symlink_to(sys.executable)
    done = subprocess.run(["make", "-s", "speak", f"TEXT={text}"], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout == f"{text}\n"
    assert not (tmp_path / "made").exists()
