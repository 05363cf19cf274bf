"""voz/model/voice.py: a line comes from the cache to the last bit, and again from the model if anything about it changes."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests import clips, tiny_voice
from voz.audio import wav
from voz.model import generation, synthesis, voice, xtts
from voz.pipeline import cache, cache_folders
from voz.pipeline.command import UserError

POCKET = Path(__file__).parent.parent / "models" / "pocket" / "xtts"
CPU = torch.device("cpu")
SAMPLING = generation.Sampling(temperature=0.7, top_p=0.85, top_k=50, repetition_penalty=5.0)
TEXTS = ("bueno muchachos, gracias por la bancada.", "yo ya te dije que la llave está arriba de la mesa.", "dale, nos vemos mañana.")
CODES = [252, 934, 371, 330, 820, 598, 233, 238, 325, 793, 792, 2]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_voice.make(tmp_path_factory.mktemp("voice") / "voice", stop_bias=1.0)


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))


def counts() -> list[tuple[int, int]]:
    """Lines that each call of `speak` computed and took from the cache."""
    return [(line["computed"], line["reused"]) for line in cache.read_log("speech")]


def test_lines_from_the_cache_are_the_same_samples_and_need_no_model(folder: Path) -> None:
    lines = [*synthesis.number(TEXTS, seed=1), synthesis.Line(" ".join([f"{TEXTS[1].capitalize()}"] * 6), seed=1)]  # the last one is split
    first = voice.load_voice(folder, CPU)
    plain = synthesis.speak(first.model, first.conditioning, lines, SAMPLING)
    spoken = first.speak(lines, SAMPLING)
    again = voice.load_voice(folder, CPU)
    for one, other, third in zip(plain, spoken, again.speak(lines[::-1], SAMPLING)[::-1], strict=True):
        assert one.dtype == third.dtype == np.float32 and np.array_equal(one, other) and np.array_equal(one, third)
    assert "model" not in vars(again)
    (fewer, none), (no, all_) = counts()
    assert none == no == 0 and fewer == all_ > len(lines)


def test_only_a_new_line_is_computed_and_whatever_decides_its_samples_makes_it_new(folder: Path, tmp_path: Path) -> None:
    line = synthesis.Line(TEXTS[0], seed=1, id="a")
    (samples,) = voice.load_voice(folder, CPU).speak([line], SAMPLING)
    for changed in (replace(line, seed=2), replace(line, occurrence=1), replace(line, retry=1), replace(line, text=TEXTS[1])):
        _, new = voice.load_voice(folder, CPU).speak([line, changed], SAMPLING)
        assert counts()[-1] == (1, 1) and not np.array_equal(new, samples)
    voice.load_voice(folder, CPU).speak([line], generation.Sampling(**{**vars(SAMPLING), "temperature": 0.8}))
    assert counts()[-1] == (1, 0)
    wav.write(tmp_path / "other.wav", clips.pcm("other-0"))
    voice.Voice(folder, tmp_path / "other.wav", CPU).speak([line], SAMPLING)
    assert counts()[-1] == (1, 0)


def test_the_entry_names_the_clip_and_the_reference_for_make_forget(folder: Path, tmp_path: Path) -> None:
    spoken = voice.load_voice(folder, CPU)
    spoken.speak([synthesis.Line(TEXTS[0], seed=1, id="0123456789ab-0000000-0009000")], SAMPLING)
    (label,) = tmp_path.glob(f".cache/speech/??/*/{cache_folders.LABEL}")
    text = label.read_text(encoding="utf-8")
    assert "0123456789ab-0000000-0009000" in text and spoken.reference_hash in text


def test_a_recording_conditions_the_model_once(folder: Path, tmp_path: Path) -> None:
    first = voice.load_voice(folder, CPU)
    direct = xtts.conditioning(first.model, wav.read(folder / voice.REFERENCE))
    again = voice.load_voice(folder, CPU)
    for made in (first.conditioning, again.conditioning):
        assert torch.equal(made.latents, direct.latents) and torch.equal(made.speaker, direct.speaker)
    assert "model" not in vars(again)
    (label,) = tmp_path.glob(f".cache/conditioning/??/*/{cache_folders.LABEL}")
    assert first.reference_hash in label.read_text(encoding="utf-8")


def test_the_samples_of_a_line_are_golden(tmp_path: Path) -> None:
    """Guards voice.STEP_VERSION: when these change, the same line gets other samples, so raise it."""
    assert voice.STEP_VERSION == 3
    wav.write(tmp_path / "reference.wav", clips.pcm("mine-0"))
    pocket = voice.Voice(POCKET, tmp_path / "reference.wav", CPU)
    pocket.model.gpt.max_gen_mel_tokens = 12
    line = synthesis.Line(TEXTS[0], seed=1)
    ((_, generated),) = generation.generate(pocket.model, [synthesis.prepare(pocket.model, pocket.conditioning, line)], SAMPLING)
    assert generated.codes.tolist() == CODES
    (pcm,) = pocket.speak([line], SAMPLING)
    assert len(pcm) == 13_440 and float(np.sqrt(np.mean(np.square(pcm)))) == pytest.approx(0.041875, rel=1e-3)


def test_texts_are_read_as_the_model_reads_them(folder: Path) -> None:
    spoken = voice.load_voice(folder, CPU)
    assert spoken.readable("Son las 3.") == "Son las tres."
    for senseless in ("…", "жизнь"):
        with pytest.raises(UserError, match=senseless):
            spoken.readable(senseless)
    assert "model" not in vars(spoken)


def test_a_folder_without_a_voice_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"model\.pth.*dvc"):
        voice.load_voice(tmp_path / "models" / "voice", CPU)
    with pytest.raises(UserError, match=r"model\.pth.*config\.json"):
        voice.load_voice(tmp_path / "elsewhere", CPU)


def trainers(checkpoint: dict[str, Any]) -> dict[str, Any]:
    """The checkpoint as coqui's trainer writes it."""
    weights = {f"xtts.{name}": value for name, value in checkpoint["model"].items()}
    loss = {"train_loss": np.float64(2.5), "eval_loss": np.float32(2.7)}
    return {"config": {"run_name": "x"}, "model": weights, "optimizer": None, "step": 7, "date": "May 05, 2026", "model_loss": loss}


@pytest.mark.parametrize("layout", [trainers, lambda checkpoint: checkpoint["model"]], ids=["trainer", "weights alone"])
def test_a_voice_from_elsewhere_speaks_the_same(folder: Path, tmp_path: Path, layout: Callable[[dict[str, Any]], Any]) -> None:
    """Other tools write other layouts, keep no reference recording, and leave keys in config.json that this coqui-tts does not know."""
    elsewhere = tmp_path / "their voice"
    shutil.copytree(folder, elsewhere)
    (elsewhere / "reference.wav").unlink()
    torch.save(layout(torch.load(folder / "model.pth", weights_only=True)), elsewhere / "model.pth")
    config = json.loads((elsewhere / "config.json").read_text(encoding="utf-8"))
    (elsewhere / "config.json").write_text(json.dumps(config | {"unheard_of": 1}), encoding="utf-8")
    with pytest.raises(UserError, match=r"no reference\.wav.*SPEAKER_WAV"):
        voice.load_voice(elsewhere, CPU)
    theirs = voice.load_voice(elsewhere, CPU, reference=folder / "reference.wav")
    lines = synthesis.number(TEXTS[:1], seed=1)
    (one,), (other,) = theirs.speak(lines, SAMPLING), voice.load_voice(folder, CPU).speak(lines, SAMPLING)
    assert np.array_equal(one, other)


def test_what_is_no_checkpoint_of_a_model_is_said(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "voice")
    torch.save({"model": {"epoch": 3}}, tmp_path / "voice" / "model.pth")
    with pytest.raises(UserError, match="no weights of a model"):
        _ = voice.load_voice(tmp_path / "voice", CPU).model
    (tmp_path / "voice" / "model.pth").rename(tmp_path / "voice" / "best_model_120.pth")
    with pytest.raises(UserError, match=r"model\.pth missing.*rename best_model_120\.pth to model\.pth"):
        voice.load_voice(tmp_path / "voice", CPU)
