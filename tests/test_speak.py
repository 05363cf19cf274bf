"""`make speak`: as the stage speaks. With REV=... : tests/test_revisions.py."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from stages import synthesize
from tests import tiny_voice, tiny_whisper
from tools import speak

ROOT = Path(__file__).parent.parent


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
