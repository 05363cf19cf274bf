"""What a training's folder is named by: what starts a new training, and what finds the old one."""

import hashlib
import shutil
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest
import torch

from stages import train as train_stage
from tests.train_stage import TRAIN, digests, here, lay
from voz.audio import wav
from voz.metrics import eval_lines, reference
from voz.model import clip_features, training_material, transcriber, voice, xtts
from voz.pipeline import records

ROOT = Path(__file__).parent.parent


def test_another_whisper_trains_nothing_again_where_it_does_not_choose(base: Path, dataset: Path) -> None:
    asr = [transcriber.Transcriber(path, torch.device("cpu")) for path in (base.parent / "whisper.pt", ROOT / "models/pocket/whisper.pt")]
    material = training_material.gather(dataset, base, min_minutes=0.0)
    folders = {
        select: [
            train_stage.training_folder(material, train_stage.Params(**{**TRAIN, "select": select}), each, material.train[0])  # type: ignore[arg-type]
            for each in asr
        ]
        for select in ("loss", "similarity", "cer")
    }
    assert (
        folders["loss"][0] == folders["loss"][1]
        and folders["similarity"][0] == folders["similarity"][1]
        and folders["cer"][0] != folders["cer"][1]
    )


@pytest.mark.parametrize(("room", "version"), [(voice, "STEP_VERSION"), (eval_lines, "STEP_VERSION"), (clip_features, "CODES_VERSION")])
def test_a_changed_step_starts_a_new_training_whatever_chooses(
    base: Path, dataset: Path, monkeypatch: pytest.MonkeyPatch, room: ModuleType, version: str
) -> None:
    """The folder of a training holds its spoken lines, which a new version would mix with its own."""
    asr = transcriber.Transcriber(base.parent / "whisper.pt", torch.device("cpu"))
    material = training_material.gather(dataset, base, min_minutes=0.0)

    def folders() -> set[Path]:
        chosen = [train_stage.Params(**{**TRAIN, "select": select}) for select in ("loss", "cer", "similarity")]  # type: ignore[arg-type]
        return {train_stage.training_folder(material, p, asr, material.train[0]) for p in chosen}

    before = folders()
    monkeypatch.setattr(room, version, getattr(room, version) + 1)
    assert len(before | folders()) == 6


def test_other_embeddings_start_a_new_training_where_likeness_chooses(base: Path, dataset: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asr = transcriber.Transcriber(base.parent / "whisper.pt", torch.device("cpu"))
    material = training_material.gather(dataset, base, min_minutes=0.0)
    chosen = {select: train_stage.Params(**{**TRAIN, "select": select}) for select in ("loss", "cer", "similarity")}  # type: ignore[arg-type]
    before = {select: train_stage.training_folder(material, p, asr, material.train[0]) for select, p in chosen.items()}
    monkeypatch.setattr(clip_features, "EMBEDDING_VERSION", clip_features.EMBEDDING_VERSION + 1)
    after = {select: train_stage.training_folder(material, p, asr, material.train[0]) for select, p in chosen.items()}
    assert [select for select in chosen if after[select] != before[select]] == ["similarity"]


@pytest.mark.slow
def test_the_lines_of_two_references_are_never_mixed(base: Path, dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """curate's signal-to-noise ratios help to choose the recording that the epochs speak with; nothing else follows from its scores."""
    examples = with_seven_to_learn(dataset, tmp_path / "dataset")
    folder = lay(tmp_path / "work", base, tmp_path / "dataset", epochs=1)

    def spoken(*, noisy: str = "", **scores: float) -> dict[str, str]:
        """What the epochs speak where curate gave these scores to the clips, and the clip `noisy` a lower ratio."""
        rated = [replace(each, scores=scores | {"snr_db": 5.0 if each.id == noisy else scores["snr_db"]}) for each in examples]
        records.write(tmp_path / "dataset", rated)
        here(folder, monkeypatch)
        return {name: digest for name, digest in digests(folder).items() if name.startswith("reports/epochs/epoch-")}

    before = spoken(snr_db=30.0)
    assert spoken(snr_db=31.0, music=0.1) == before
    material, model = training_material.gather(tmp_path / "dataset", base, min_minutes=0.0), xtts.load_model(base)
    speaker = eval_lines.speaker_of(material.held_out, model, material.base_hash)
    first, *_ = reference.typical(material.examples, material.train, model, material.base_hash, speaker)
    after = spoken(snr_db=30.0, noisy=first.id)
    assert after != before and len(list(folder.glob(".cache/train/*/*/done.json"))) == 2
    shutil.rmtree(folder / ".cache/train")
    assert spoken(snr_db=30.0, noisy=first.id) == after


def with_seven_to_learn(dataset: Path, folder: Path) -> list[records.Example]:
    """A copy of the dataset with seven train clips: of so many, the one of the lowest signal-to-noise ratio cannot be the reference."""
    shutil.copytree(dataset, folder)
    examples = records.read(folder, records.Example)
    for each in [each for each in examples if each.split == "train"][:2]:
        note = hashlib.sha256(each.id.encode()).hexdigest()[:12]
        cut = replace(each, id=f"{note}{each.id[12:]}", note=note)
        wav.write(folder / "wavs" / f"{cut.id}.wav", wav.read(folder / "wavs" / f"{each.id}.wav")[::-1])
        examples.append(cut)
    records.write(folder, examples)
    return examples


def test_another_reference_starts_a_new_training(base: Path, dataset: Path) -> None:
    """The epochs speak with it, and the folder of a training holds what they spoke."""
    asr = transcriber.Transcriber(base.parent / "whisper.pt", torch.device("cpu"))
    material = training_material.gather(dataset, base, min_minutes=0.0)
    p = train_stage.Params(**TRAIN)  # type: ignore[arg-type]
    assert len({train_stage.training_folder(material, p, asr, clip) for clip in material.train}) == len(material.train)
