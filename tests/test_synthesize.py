"""Texts into wavs: names, tries by Whisper's transcripts, and what comes from the cache."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import scipy.io.wavfile
import torch
import yaml

from stages import synthesize
from tests import tiny_voice, tiny_whisper
from voz.metrics import measures
from voz.model import synthesis, transcriber, whisper, xtts
from voz.model.voice import Voice, load_voice
from voz.pipeline import command, records

ROOT = Path(__file__).parent.parent
P = synthesize.Params(temperature=0.7, top_p=0.85, top_k=50, repetition_penalty=5.0, max_cer=0.3, max_tries=3, seed=1)
TEXTS = ("Bueno muchachos, gracias por la bancada.", "Son las 3.", "Bueno muchachos, gracias por la bancada.")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A voice, a Whisper of random weights, params.yaml."""
    made = tmp_path_factory.mktemp("synthesize")
    tiny_voice.make(made / "voice", stop_bias=1.0)
    tiny_whisper.make(made / "whisper.pt")
    shutil.copyfile(ROOT / "params.yaml", made / "params.yaml")
    return made


@pytest.fixture(scope="module")
def voice(folder: Path) -> Voice:
    return load_voice(folder / "voice", torch.device("cpu"))


@pytest.fixture(scope="module")
def asr(folder: Path) -> transcriber.Transcriber:
    return transcriber.Transcriber(folder / "whisper.pt", torch.device("cpu"))


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))


def run(folder: Path, monkeypatch: pytest.MonkeyPatch, **params: float) -> None:
    """The stage, in `folder`, with some of its parameters changed."""
    values = yaml.safe_load((folder / "params.yaml").read_text(encoding="utf-8"))
    values["compute"]["device"] = "cpu"
    values["synthesize"] |= {"max_cer": P.max_cer, "max_tries": P.max_tries} | params
    (folder / "params.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")
    monkeypatch.chdir(folder)
    monkeypatch.setattr("sys.argv", ["synthesize", "voice", "outputs", "--texts", "texts.txt", "--asr", "whisper.pt"])
    synthesize.main()


def test_a_list_becomes_numbered_wavs_and_a_manifest(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "texts.txt").write_text("\ufeff" + "\n\n".join(TEXTS) + "\n", encoding="utf-8")
    outputs = folder / "outputs"
    outputs.mkdir()
    (outputs / "99-old.wav").touch()
    run(folder, monkeypatch, max_tries=2)
    rows = sorted(records.read(outputs, records.SpokenLine), key=lambda row: row.file)
    names = ["01-bueno-muchachos-gracias-por-la-bancada.wav", "02-son-las-3.wav", "03-bueno-muchachos-gracias-por-la-bancada.wav"]
    assert [row.file for row in rows] == names == sorted(path.name for path in outputs.glob("*.wav"))
    assert [row.text for row in rows] == list(TEXTS)
    assert rows[1].normalized == "Son las tres."
    assert all(row.tries == 2 and row.cer > 0.3 and not row.passed for row in rows)  # the transcripts are nonsense
    for row in rows:
        rate_hz, pcm = scipy.io.wavfile.read(outputs / row.file)
        assert rate_hz == 24_000 and pcm.dtype == np.int16 and pcm.ndim == 1
        assert len(pcm) / rate_hz == pytest.approx(row.duration_s, abs=1e-3)
    assert (outputs / names[0]).read_bytes() != (outputs / names[2]).read_bytes()  # same text, its own random numbers
    printed = capsys.readouterr().out
    assert "best of 2 kept" in printed and "read as: Son las tres.\n" in printed


def test_again_from_the_cache_and_again_without_it_give_the_same_bytes(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forbidden(*args: object, **kwargs: object) -> None:
        raise AssertionError("a model is loaded")

    def written() -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in (folder / "outputs").iterdir()}

    (folder / "texts.txt").write_text("\n".join(TEXTS), encoding="utf-8")
    run(folder, monkeypatch, max_tries=2)
    before = written()
    with monkeypatch.context() as patch:
        patch.setattr(xtts, "load_model", forbidden)
        patch.setattr(whisper, "load", forbidden)
        run(folder, patch, max_tries=2)
    assert written() == before
    shutil.rmtree(tmp_path / ".cache")
    run(folder, monkeypatch, max_tries=2)
    assert written() == before


def test_the_best_of_the_tries_is_kept(voice: Voice, asr: transcriber.Transcriber) -> None:
    lines = synthesize.lines_of(TEXTS, voice, seed=1)
    tries = []
    for retry in range(3):
        again = [replace(line, retry=retry) for line in lines]
        pcms = synthesis.speak(voice.model, voice.conditioning, again, P)
        transcripts = asr.texts(pcms, rate_hz=24_000, ids=[line.id for line in again])
        tries.append([(measures.cer(line.text, words), pcm) for line, words, pcm in zip(lines, transcripts, pcms, strict=True)])
    for line, take in enumerate(synthesize.speak_well(voice, lines, asr, P)):
        cers = [each[line][0] for each in tries]
        assert take.tries == 3 and take.cer == min(cers)
        assert np.array_equal(take.pcm, tries[cers.index(min(cers))][line][1])


def test_only_lines_that_failed_are_spoken_again(voice: Voice, asr: transcriber.Transcriber) -> None:
    lines = synthesize.lines_of(TEXTS, voice, seed=1)
    first = [take.cer for take in synthesize.speak_well(voice, lines, asr, replace(P, max_tries=1))]
    limit = sorted(first)[1]
    takes = synthesize.speak_well(voice, lines, asr, replace(P, max_cer=limit, max_tries=2))
    assert [take.tries for take in takes] == [1 if cer <= limit else 2 for cer in first]
    assert {take.tries for take in takes} == {1, 2}


def test_bad_files_are_named(tmp_path: Path) -> None:
    (tmp_path / "empty.txt").write_text("\n \n", encoding="utf-8")
    (tmp_path / "latin.txt").write_bytes("mañana".encode("latin-1"))
    for name in ("missing.txt", "empty.txt", "latin.txt"):
        with pytest.raises(command.UserError, match=name):
            synthesize.read_texts(tmp_path / name)


def test_slugs() -> None:
    assert synthesize.slug("¿Qué hacés, Ñandú?") == "que-haces-nandu"
    assert synthesize.slug("¡…!") == "text"
    assert synthesize.slug("../../etc/passwd") == "etc-passwd"
    assert len(synthesize.slug("palabra " * 20)) <= synthesize.SLUG_LENGTH
