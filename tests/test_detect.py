"""`make detect`: what it says of files, and its exit statuses."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests import clips
from tools import detect
from voz.audio import encode, watermark, wav

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recording, the same with the mark as Opus, both one after the other, and what is no audio."""
    made = tmp_path_factory.mktemp("detect")
    pcm = wav.resample(clips.pcm("mine-0"), wav.SAMPLE_RATE_HZ, 24_000)[: 5 * 24_000]
    marked = watermark.Watermark().mark(pcm, 24_000)
    encode.write(made / "plain.wav", pcm)
    encode.write(made / "-marked.opus", marked)
    encode.write(made / "both.flac", np.concatenate([pcm, marked]))
    (made / "words.txt").write_text("hola", encoding="utf-8")
    return made


def run(folder: Path, monkeypatch: pytest.MonkeyPatch, *names: str) -> int:
    monkeypatch.chdir(folder)
    monkeypatch.setattr("sys.argv", ["detect", "--", *names])
    with pytest.raises(SystemExit) as ended:
        detect.main()
    return int(ended.value.code or 0)


def test_make_hands_a_dollar_over_as_typed() -> None:
    done = subprocess.run(["make", "-n", "detect", "FILES='mi $nota.ogg'"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "tools.detect -- 'mi $nota.ogg' ||" in done.stdout


def test_a_line_for_each_file(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(folder, monkeypatch, "plain.wav", "-marked.opus", "both.flac") == 3
    plain, marked, both = capsys.readouterr().out.splitlines()
    assert plain.startswith("plain.wav   not marked")
    assert marked.startswith("-marked.opus   marked")
    assert both.startswith("both.flac   partly marked: 5-10 s of 10 s")


def test_status_is_0_if_all_are_marked_and_2_if_one_cannot_be_read(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(folder, monkeypatch, "-marked.opus", "both.flac") == 0
    assert run(folder, monkeypatch, "plain.wav", "words.txt", "nowhere.wav", "-marked.opus") == 2
    shown = capsys.readouterr()
    assert "error: words.txt: no audio can be decoded" in shown.err and "error: nowhere.wav: no such file" in shown.err
    assert shown.out.splitlines()[-1].startswith("-marked.opus   marked")  # the others are still told


def test_the_command_ends_with_that_status(folder: Path) -> None:
    command = [sys.executable, "-m", "tools.detect", str(folder / "plain.wav")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 3 and "not marked" in done.stdout, done.stderr
