"""`make speak`: as the stage speaks. With REV=... : tests/test_revisions.py."""

import multiprocessing
import os
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile
import yaml

from stages import synthesize
from tests import clips, test_lora, tiny_voice, tiny_whisper
from tools import speak
from tools.forgetting import traces
from tools.forgetting.trail import Trail
from voz.audio import sniff
from voz.pipeline import cache_folders, command, files, parallel
from voz.pipeline.command import UserError

ROOT = Path(__file__).parent.parent


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with a voice and params.yaml."""
    tiny_voice.make(tmp_path / "models" / "voice", stop_bias=1.0)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    values = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    values["compute"]["device"], values["synthesize"]["max_tries"] = "cpu", 1
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")
    return tmp_path


def say(monkeypatch: pytest.MonkeyPatch, *options: str) -> None:
    monkeypatch.setattr("sys.argv", ["speak", *options])
    speak.main()


def test_a_text_sounds_as_the_first_try_of_the_stage(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "Bueno muchachos, son las 3."
    tiny_whisper.make(here / "whisper.pt")
    (here / "texts.txt").write_text(f"Otra cosa.\n{text}\n", encoding="utf-8")
    monkeypatch.setattr(
        "sys.argv", ["synthesize", "models/voice", "outputs", "--base", "models/voice-base", "--texts", "texts.txt", "--asr", "whisper.pt"]
    )
    synthesize.main()
    say(monkeypatch, "--text", text, "--out", "new/hola.wav")
    assert Path("new/hola.wav").read_bytes() == Path("outputs/02-bueno-muchachos-son-las-3.wav").read_bytes()


def test_the_ending_of_the_name_is_the_format_and_a_folder_gets_a_name(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "there").mkdir()
    for out, name in (("x.mp3", "x.mp3"), ("x.opus", "x.opus"), ("there", "there/hola-che.wav"), ("new/", "new/hola-che.wav")):
        say(monkeypatch, "--text=-Hola, che.", "--out", out)
        assert capsys.readouterr().out.startswith(f"{name}   ")
        assert (
            sniff.sniff(Path(name).read_bytes()[: sniff.HEAD_BYTES]).name
            == {".mp3": "mp3", ".opus": "ogg-opus", ".wav": "wav"}[Path(name).suffix]
        )


def test_an_unknown_ending_is_refused_before_the_work(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.rmtree("models")
    with pytest.raises(UserError, match=r"x\.docx: no format .*\.mp3"):
        say(monkeypatch, "--text", "Hola.", "--out", "x.docx")


def test_any_voice_with_any_recording_as_its_reference(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("models/voice").rename("from afar")
    with pytest.raises(UserError, match=r"models/voice: no voice"):
        say(monkeypatch, "--text", "Hola.")
    spoken = []
    for reference in ("mine-0.ogg", "mine-1.ogg"):
        say(monkeypatch, "--text", "Hola, che.", "--voice", "from afar", "--speaker-wav", str(clips.FIXTURES / reference))
        spoken.append(Path("spoken.wav").read_bytes())
    assert spoken[0] != spoken[1]
    for stage in ("speech", "conditioning"):  # `make forget` finds what was made from a recording by its hash
        labels = [path.read_text(encoding="utf-8") for path in here.glob(f".cache/{stage}/??/*/{cache_folders.LABEL}")]
        for reference in ("mine-0.ogg", "mine-1.ogg"):
            assert sum(files.hash_file(clips.FIXTURES / reference) in label for label in labels) == 1
    with pytest.raises(UserError, match=r"texts\.csv: no audio"):
        say(monkeypatch, "--text", "Hola.", "--voice", "from afar", "--speaker-wav", str(clips.FIXTURES / "texts.csv"))
    with pytest.raises(UserError, match="two voices"):
        say(monkeypatch, "--text", "Hola.", "--voice", "from afar", "--rev", "HEAD")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_no_copy_of_a_recording_outlives_its_process_except_where_forget_looks(
    here: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    (here / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(here / "temporary"))
    before, context = set(here.rglob("*")), multiprocessing.get_context("fork")
    ready = context.Event()

    def wait_with_a_reference() -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell starts background jobs with SIGINT ignored
        with speak.reference_wav(clips.FIXTURES / "mine-0.ogg"):
            ready.set()
            time.sleep(60)

    def left() -> set[Path]:
        return {path for path in set(here.rglob("*")) - before if path.is_file()}

    process = context.Process(target=command.run, args=(wait_with_a_reference,))
    process.start()
    assert ready.wait(30) and left()
    os.kill(process.pid or 0, number)
    process.join(30)
    if number != signal.SIGKILL:
        assert (process.exitcode, left()) == (128 + number, set())
        return
    found = traces.in_cache(cache_folders.root(), Trail(set()), weights=False)
    assert left() and all(any(folder in path.parents for folder in found) for path in left())
    with speak.reference_wav(clips.FIXTURES / "mine-1.ogg"):  # the next command removes them
        pass
    assert not left()


def test_an_adapter_speaks_with_its_base_and_with_no_other(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    base = here / "models/voice-base"
    adapted = test_lora.store(test_lora.build(base), base, here / "models/adapted")
    shutil.copyfile("models/voice/reference.wav", adapted / "reference.wav")
    values = yaml.safe_load(Path("params.yaml").read_text(encoding="utf-8"))
    for folder in ("models/voice-base", "models/voice"):
        Path("params.yaml").write_text(yaml.safe_dump(values | {"base": folder}), encoding="utf-8")
        if folder == "models/voice":
            with pytest.raises(UserError, match=r"models/adapted: its adapter belongs to another base than models/voice "):
                say(monkeypatch, "--text", "Hola.", "--voice", "models/adapted")
        else:
            say(monkeypatch, "--text", "Hola.", "--voice", "models/adapted", "--out", "adapted.wav")
            say(monkeypatch, "--text", "Hola.", "--voice", folder, "--speaker-wav", "models/voice/reference.wav", "--out", "base.wav")
    assert Path("adapted.wav").read_bytes() == Path("base.wav").read_bytes()  # an untrained adapter changes nothing


def test_a_stream_is_a_wav_of_the_same_sound_with_the_mark(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    text = "Bueno muchachos, gracias por la bancada. Nos vemos mañana a la tarde."
    say(monkeypatch, "--text", text)
    capsysbinary.readouterr()
    say(monkeypatch, "--text", text, "--stream", "--out", "nothing.wav")
    streamed = capsysbinary.readouterr().out
    whole, rate_hz = soundfile.read("spoken.wav", dtype="int16")
    header, pcm = streamed[:44], np.frombuffer(streamed[44:], np.int16)
    Path("capped.wav").write_bytes(header[:40] + struct.pack("<I", 2 * len(pcm)) + streamed[44:])
    assert (soundfile.info("capped.wav").samplerate, rate_hz) == (24_000, 24_000)
    assert len(pcm) == len(whole) and np.abs(pcm.astype(int) - whole).max() <= 4  # 1e-4 of full scale
    assert not Path("nothing.wav").exists()


def test_a_player_that_is_closed_ends_the_stream_quietly() -> None:
    program = "import numpy as np; from tools import speak; speak.write_stream(iter([np.zeros(2**20, np.float32)] * 9), None)"
    stream = subprocess.Popen([sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert stream.stdout is not None and stream.stderr is not None
    assert stream.stdout.read(44)[:4] == b"RIFF"
    stream.stdout.close()
    assert (stream.stderr.read(), stream.wait(60)) == (b"", 0)


def test_a_long_text_shows_how_far_it_is(here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """2 640 characters are fifteen parts."""
    monkeypatch.setattr(parallel, "BAR_DELAY_S", 0.0)
    say(monkeypatch, "--text", "Bueno muchachos, gracias por la bancada de todos estos años. " * 44)
    shown = capsys.readouterr()
    assert "speak: 100%" in shown.err and "15/15" in shown.err
    assert float(shown.out.split()[1]) > 10


def test_a_tilde_is_the_home_folder() -> None:
    assert speak.output_path("~/hola.wav", "hola") == Path.home() / "hola.wav"


def test_nothing_to_speak_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match="nothing to speak"):
        say(monkeypatch, "--text", " ")


@pytest.mark.parametrize("text", ["-Hola", 'Cuesta $500 y "algo" más', "$(touch made); `touch made`", "¿Qué?\\n"])
def test_make_hands_the_text_over_as_typed(tmp_path: Path, text: str) -> None:
    shutil.copy(ROOT / "Makefile", tmp_path)
    (tmp_path / ".venv/bin").mkdir(parents=True)
    (tmp_path / "tools").mkdir()
    for name in ("requirements.txt", "requirements-nodeps.txt", "tools/system.py", ".venv/.installed"):
        (tmp_path / name).touch()
    (tmp_path / "tools/speak.py").write_text(
        "import sys\nprint(next(each.removeprefix('--text=') for each in sys.argv if each.startswith('--text=')))\n", encoding="utf-8"
    )
    (tmp_path / ".venv/bin/python").symlink_to(sys.executable)
    done = subprocess.run(["make", "-s", "speak", f"TEXT={text}"], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout == f"{text}\n"
    assert not (tmp_path / "made").exists()
