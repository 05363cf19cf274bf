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
from tests import clips, test_lora, tiny_voice, tiny_whisper
from voz.audio import watermark, wav
from voz.model import stored, synthesis, transcriber, whisper, xtts
from voz.model.voice import Voice, load_voice
from voz.pipeline import command, records

ROOT = Path(__file__).parent.parent
P = synthesize.Params(temperature=0.7, top_p=0.85, top_k=50, repetition_penalty=5.0, max_cer=0.3, max_tries=3, watermark="perth", seed=1)
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


def run(folder: Path, monkeypatch: pytest.MonkeyPatch, *, voice: str = "voice", **params: float | str) -> None:
    """The stage, in `folder`, with some of its parameters changed."""
    values = yaml.safe_load((folder / "params.yaml").read_text(encoding="utf-8"))
    values["compute"]["device"] = "cpu"
    values["synthesize"] |= {"max_cer": P.max_cer, "max_tries": P.max_tries} | params
    (folder / "params.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")
    monkeypatch.chdir(folder)
    monkeypatch.setattr("sys.argv", ["synthesize", voice, "outputs", "--base", "voice-base", "--texts", "texts.txt", "--asr", "whisper.pt"])
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


def test_an_adapter_speaks_with_its_base_as_the_merged_voice_does(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    base = folder / "voice-base"
    trainer = test_lora.build(base)
    test_lora.teach(trainer)
    adapted = test_lora.store(trainer, base, folder / "adapted")
    (folder / "texts.txt").write_text("Dale.", encoding="utf-8")
    (folder / "plain").mkdir()
    for name in stored.WHOLE:
        shutil.copyfile(base / name, folder / "plain" / name)
    spoken = {}
    for voice in (adapted, test_lora.merged(adapted, base, folder / "merged"), folder / "plain"):
        shutil.copyfile(folder / "voice" / "reference.wav", voice / "reference.wav")
        run(folder, monkeypatch, voice=voice.name, max_tries=1)
        spoken[voice.name] = (folder / "outputs" / "01-dale.wav").read_bytes()
    assert spoken["adapted"] == spoken["merged"] != spoken["plain"]


def test_what_is_written_carries_the_mark_unless_it_is_switched_off(tmp_path: Path) -> None:
    pcm = wav.resample(clips.pcm("mine-0"), wav.SAMPLE_RATE_HZ, 24_000)
    take = synthesize.Take(synthesis.Line("hola", seed=1, id="0123456789ab"), pcm, 0.0, "hola", 0.0, ())
    mark = watermark.Watermark()
    for name, given, found in (("marked", mark, True), ("plain", None, False)):
        (tmp_path / name).mkdir()
        synthesize.write(tmp_path / name, ["Hola"], [take], given)
        (row,) = records.read(tmp_path / name, records.SpokenLine)
        _, written = scipy.io.wavfile.read(tmp_path / name / row.file)
        assert len(written) == len(pcm)
        assert (mark.highest(written / np.float32(32768), 24_000) > 0.9) is found
        assert (row.watermark, row.watermark_confidence) == (("perth", 1.0) if found else ("none", 0.0))


def test_the_stage_marks_as_params_say(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "texts.txt").write_text("\n".join(TEXTS), encoding="utf-8")
    found = {}
    for kind in ("perth", "none"):
        run(folder, monkeypatch, max_tries=1, watermark=kind)
        rows = records.read(folder / "outputs", records.SpokenLine)
        assert {row.watermark for row in rows} == {kind}
        found[kind] = [scipy.io.wavfile.read(folder / "outputs" / row.file)[1] for row in rows]
    for marked, plain in zip(found["perth"], found["none"], strict=True):
        assert len(marked) == len(plain) and not np.array_equal(marked, plain)


def test_without_the_watermark_nothing_is_spoken(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It fails closed, in one line and before the work."""
    (folder / "texts.txt").write_text("\n".join(TEXTS), encoding="utf-8")
    outputs = folder / "outputs"
    shutil.rmtree(outputs, ignore_errors=True)
    monkeypatch.setattr(watermark, "_WEIGHTS_SHA256", "0" * 64)
    watermark._load_net.cache_clear()
    try:
        with pytest.raises(command.UserError, match="the watermark cannot be loaded"):
            run(folder, monkeypatch, watermark="perth")
    finally:
        watermark._load_net.cache_clear()
    assert not outputs.exists() and not (tmp_path / ".cache" / "speech").exists()


def test_an_unknown_watermark_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(command.UserError, match=r"synthesize\.watermark: 'audioseal' should be 'perth' or 'none'"):
        run(folder, monkeypatch, watermark="audioseal")


def test_the_best_of_the_tries_is_kept(voice: Voice, asr: transcriber.Transcriber) -> None:
    lines = synthesize.lines_of(TEXTS, voice, seed=1)
    tries = [synthesize.speak_once(voice, [replace(line, retry=retry) for line in lines], asr, P) for retry in range(3)]
    for line, take in enumerate(synthesize.speak_well(voice, lines, asr, P)):
        best = min((each[line] for each in tries), key=lambda one: (len(one.faults), one.cer))
        assert take.tries == 3 and take.faults == best.faults and take.cer == best.cer
        assert np.array_equal(take.pcm, best.pcm)
        assert set(take.dropped) == {fault for each in tries if each[line] is not best for fault in each[line].faults}


def test_only_lines_with_a_fault_are_spoken_again(voice: Voice, asr: transcriber.Transcriber) -> None:
    lines = synthesize.lines_of(TEXTS, voice, seed=1)
    first = synthesize.speak_well(voice, lines, asr, replace(P, max_tries=1))
    assert all("misheard" in take.faults for take in first)  # the transcripts are nonsense
    limit = sorted(take.cer for take in first)[1]
    takes = synthesize.speak_well(voice, lines, asr, replace(P, max_cer=limit, max_tries=2))
    failed = [take.cer > limit or take.faults != ("misheard",) for take in first]
    assert [take.tries for take in takes] == [2 if each else 1 for each in failed]
    assert True in failed


def test_fewer_faults_are_better_and_then_fewer_errors() -> None:
    pcm = np.zeros(10, np.float32)
    line = synthesis.Line("che. dale.", seed=1, id="0123456789ab")
    apart = replace(line, retry=1, text="che . dale .")
    first = synthesize.Take(line, pcm, 0.0, "", 0.2, ("too_long", "noise"))
    second = synthesize.Take(apart, pcm, 0.4, "", 0.9, ("misheard",))
    third = synthesize.Take(replace(line, retry=2), pcm, 0.0, "", 0.9, ("misheard",))
    best = first.with_try(second).with_try(third)
    assert (best.cut_s, best.cer, best.faults, best.tries) == (0.4, 0.9, ("misheard",), 3)
    assert best.dropped == ("misheard", "noise", "too_long")
    assert synthesize.row("Che. Dale.", best, "1.wav", confidence=None).normalized == "che . dale ."  # as it was spoken


def test_full_stops_are_set_apart_after_one_was_read_aloud() -> None:
    """What reaches the model, in its own tokens: the text of the first try, then the dot behind a space."""
    tokenizer = xtts.read_tokenizer(ROOT / "models" / "pocket" / "xtts")
    line = synthesis.Line("dale. nos vemos mañana.", seed=1)
    heard = synthesize.Take(line, np.zeros(10, np.float32), 0.0, "dale punto nos vemos mañana punto", 0.3, ("full_stop_read",))
    first, second = synthesize.another_try(line, 0, None), synthesize.another_try(line, 1, heard)
    spelled = [[tokenizer.tokenizer.id_to_token(i) for i in tokenizer.encode(each.text, "es")] for each in (first, second)]
    assert first.text == line.text and [row[-2:] for row in spelled] == [["a", "."], ["[SPACE]", "."]]
    assert "[UNK]" not in spelled[1]
    noisy = replace(heard, faults=("noise",))
    assert synthesize.another_try(line, 1, noisy).text == line.text
    assert synthesize.another_try(line, 2, replace(noisy, dropped=("full_stop_read",))).text == second.text


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


def test_groups_of_lines_change_nothing(voice: Voice, asr: transcriber.Transcriber, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = synthesize.lines_of(TEXTS, voice, seed=1)
    together = list(synthesize.group_by_group(voice, lines, asr, P))
    monkeypatch.setattr(synthesize, "GROUP", 1)
    for one, other in zip(together, synthesize.group_by_group(voice, lines, asr, P), strict=True):
        assert one.line == other.line and np.array_equal(one.pcm, other.pcm)
