"""The dataset folder: stock coqui-tts reads what is written; the split is by note, and a new note moves no other."""

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from tests import clips
from voz import compat
from voz.data import dataset
from voz.pipeline import records
from voz.pipeline.command import UserError

NOTES = [hashlib.sha256(str(n).encode()).hexdigest()[:12] for n in range(200)]


def example(clip: records.Clip, text: str, split: str) -> records.Example:
    return records.Example(clip.id, clip.note, split, text, text, clip.duration_s, False, {"snr_db": 30.0})


def write(folder: Path) -> list[records.Example]:
    made = clips.write_clips(folder / "clips", {name: clips.pcm(name) for name in ("mine-0", "mine-1", "mine-2", "mine-3")})
    splits = ("train", "train", "eval", "test")
    examples = [example(clip, clips.texts()[name], split) for (name, clip), split in zip(made.items(), splits, strict=True)]
    dataset.write(folder / "dataset", examples, folder / "clips")
    return examples


def test_stock_coqui_reads_it_and_its_dataset_drops_nothing(tmp_path: Path) -> None:
    examples = write(tmp_path)
    assert compat  # imported first: torchaudio loads only with its repair
    from TTS.config.shared_configs import BaseDatasetConfig
    from TTS.tts.datasets import load_tts_samples
    from TTS.tts.layers.xtts.trainer.dataset import XTTSDataset
    from TTS.tts.layers.xtts.trainer.gpt_trainer import GPTArgs, GPTTrainerConfig

    from voz.model import xtts

    folder = str(tmp_path / "dataset")
    described = BaseDatasetConfig(
        formatter="ljspeech",
        dataset_name="v",
        path=folder,
        meta_file_train="metadata_train.csv",
        meta_file_val="metadata_eval.csv",
        language="es",
    )
    config = GPTTrainerConfig(datasets=[described], model_args=GPTArgs(max_conditioning_length=132300, min_conditioning_length=66150))
    train, evaluated = load_tts_samples(config, eval_split=True)
    assert [Path(s["audio_file"]).stem for s in train] == sorted(e.id for e in examples if e.split == "train")
    assert all(Path(s["audio_file"]).is_file() for s in train + evaluated) and len(evaluated) == 1
    tokenizer = xtts.read_tokenizer(Path(__file__).parent.parent / "models" / "pocket" / "xtts")
    kept = XTTSDataset(config, [*train, *evaluated], tokenizer, 22_050, is_eval=True)
    assert len(kept) == 3 and kept[0]["text_lengths"] > 20


def test_a_dataset_reads_back(tmp_path: Path) -> None:
    examples = write(tmp_path)
    assert dataset.read(tmp_path / "dataset") == sorted(examples, key=lambda e: e.id)
    (only,) = dataset.read(tmp_path / "dataset", "eval")
    assert dataset.wav(tmp_path / "dataset", only).read_bytes() == (tmp_path / "clips" / f"{only.id}.wav").read_bytes()
    with pytest.raises(UserError, match="no dataset"):
        dataset.read(tmp_path / "elsewhere")


@pytest.mark.parametrize("bad", ["uno|dos", "uno\ndos", "uno\u2028dos", ""])
def test_a_text_that_ljspeech_cannot_represent_is_refused(tmp_path: Path, bad: str) -> None:
    made = clips.write_clips(tmp_path / "clips", {"mine-0": clips.pcm("mine-0")})
    with pytest.raises(ValueError, match="line break"):
        dataset.write(tmp_path / "dataset", [replace(example(made["mine-0"], "x", "train"), text=bad)], tmp_path / "clips")


def test_adding_notes_moves_no_other() -> None:
    before = dataset.split_notes(NOTES[:100], eval_share=0.1, test_share=0.15)
    after = dataset.split_notes(NOTES, eval_share=0.1, test_share=0.15)
    assert {note: after[note] for note in before} == before
    counts = [list(after.values()).count(split) for split in ("train", "eval", "test")]
    assert counts[0] in range(135, 165) and counts[1] in range(10, 32) and counts[2] in range(18, 42)


@pytest.mark.parametrize("count", [3, 4, 7])
def test_no_split_is_empty(count: int) -> None:
    for start in range(0, 150, 7):
        notes = NOTES[start : start + count]
        splits = dataset.split_notes(notes, eval_share=0.01, test_share=0.01)
        assert set(splits.values()) == {"train", "eval", "test"}
        if min(map(dataset.position, notes)) >= 0.02:  # no note is in eval or test by its own hash: the two lowest are
            assert [splits[note] for note in sorted(notes, key=dataset.position)] == ["test", "eval", *["train"] * (count - 2)]
        assert splits == dataset.split_notes(reversed(notes), eval_share=0.01, test_share=0.01)


def test_two_notes_cannot_be_split() -> None:
    with pytest.raises(ValueError, match="2 notes"):
        dataset.split_notes(NOTES[:2], eval_share=0.1, test_share=0.1)
