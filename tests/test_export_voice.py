"""`make export`: a folder that stock coqui-tts loads, whatever the voice's own folder holds."""

import shutil
from pathlib import Path

import pytest
import torch
import yaml

from tests import clips, stock, tiny_base
from tests.test_lora import build, store, teach
from tools import export_voice
from voz.audio import wav
from voz.data import consent
from voz.model import batches, stored, voice, xtts
from voz.model import export as folder_of_voice
from voz.pipeline import language
from voz.pipeline.command import UserError

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A base of stock widths and a voice that is an adapter to it."""
    folder = tmp_path_factory.mktemp("export")
    base = tiny_base.make(folder / "base", xtts.Widths())
    trainer = build(tiny_base.make(folder / "narrow"))  # of the same GPT; the trainer needs a DVAE that fits
    teach(trainer)
    (folder / "models").mkdir()
    made = store(trainer, base, folder / "models/voice", torch.float16)
    wav.write(made / "reference.wav", clips.pcm("mine-0"))
    values = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8")) | {"base": "base"}
    (folder / "params.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")
    return folder


def export(checkout: Path, monkeypatch: pytest.MonkeyPatch, *options: str) -> None:
    monkeypatch.chdir(checkout)
    monkeypatch.setenv("DVC_ROOT", str(checkout))
    monkeypatch.setattr("sys.argv", ["export_voice", *options])
    export_voice.main()


def test_stock_coqui_loads_and_speaks_a_merged_adapter(
    checkout: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    export(checkout, monkeypatch)
    assert capsys.readouterr().out.startswith("export: models/exported/, ")
    exported = checkout / "models/exported"
    assert sorted(path.name for path in exported.iterdir()) == sorted([*stored.WHOLE, "reference.wav"])
    assert stock.speak(exported) > 10 * 1024
    own = voice.load_voice(checkout / "models/voice", torch.device("cpu"), base=checkout / "base").model.state_dict()
    merged = voice.load_voice(exported, torch.device("cpu")).model.state_dict()
    assert own.keys() == merged.keys() and all(torch.allclose(own[name], merged[name], rtol=1e-3, atol=1e-6) for name in own)
    assert any(not torch.equal(own[name], value) for name, value in xtts.load_model(checkout / "base").state_dict().items())


@pytest.mark.parametrize("spoken_in", language.LANGUAGES)
def test_the_card_says_how_the_exported_folder_is_used_in_whatever_language_it_is(
    checkout: Path, monkeypatch: pytest.MonkeyPatch, spoken_in: str
) -> None:
    given = consent.Consent("Voz de prueba", "2026-05-12", consent.STATEMENT, consent.SCOPE)
    rows = [{"loss": 2.0, "cer": 0.2, "similarity": 0.5}] * 2
    used = {"method": "lora", "select": "cer", "export_dtype": "fp16"}
    card = folder_of_voice.Card("base", "0" * 64, "1" * 64, used, given, 1, rows, 2.0, [], 5, 2)
    reference = batches.Sample("0123456789ab", Path("reference.wav"), "", torch.tensor([1]), 1)
    voice_card = checkout / "models/voice/README.md"
    with language.used(spoken_in):
        voice_card.write_text(folder_of_voice.describe(card, reference, stock=True), encoding="utf-8")
    assert "`adapter.pth`" in voice_card.read_text(encoding="utf-8")
    export(checkout, monkeypatch, "--out", f"models/{spoken_in}")
    voice_card.unlink()
    written = (checkout / "models" / spoken_in / "README.md").read_text(encoding="utf-8")
    assert "adapter.pth" not in written and "model.load_checkpoint(config" in written


def test_whole_weights_are_copied_and_a_second_export_replaces_the_first(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = checkout / "whole"
    whole.mkdir(exist_ok=True)
    for name in stored.WHOLE:
        shutil.copyfile(checkout / "base" / name, whole / name)
    shutil.copyfile(checkout / "models/voice/reference.wav", whole / "reference.wav")
    for _ in range(2):
        export(checkout, monkeypatch, "--voice", "whole", "--out", "models/copy")
    assert (checkout / "models/copy/model.pth").read_bytes() == (whole / "model.pth").read_bytes()


def test_nothing_else_is_overwritten(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for out, said in (("models", "holds no voice"), ("models/voice", "holds no voice"), ("base", "the voice or the base itself")):
        with pytest.raises(UserError, match=said):
            export(checkout, monkeypatch, "--out", out)
    with pytest.raises(UserError, match="two voices"):
        export(checkout, monkeypatch, "--rev", "HEAD", "--voice", "whole")
