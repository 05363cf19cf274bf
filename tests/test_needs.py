"""What a training says that it needs, and when it is refused."""

from pathlib import Path

import pytest
import torch

from tests import tiny_base
from voz.model import batches, gpt_trainer, lora, needs, training_loop
from voz.model.schedule import Schedule
from voz.model.training_material import Material
from voz.pipeline import files
from voz.pipeline.command import UserError

PLAN = Schedule(3, 2, 1, 0.01, 1.0, "fp32", seed=1, conditioning="same_clip", lower_layers_alpha=1.0)
SAMPLES = [batches.Sample(f"{index:012x}", Path("x.wav"), "", torch.arange(20), 100_000) for index in range(4)]
CLIPS, MINUTES = {"train": 4, "eval": 1, "test": 2}, {"train": 3.0, "eval": 0.5, "test": 0.75}
MATERIAL = Material([], CLIPS, MINUTES, SAMPLES, SAMPLES[:1], "", "", "")


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_base.make(tmp_path_factory.mktemp("needs") / "base")


def build(base: Path, adapters: lora.Settings | None = None) -> gpt_trainer.Trainer:
    return gpt_trainer.build(base, lr=1e-3, weight_decay=1e-2, betas=[0.9, 0.96], eps=1e-8, adapters=adapters)


def state_of(trainer: gpt_trainer.Trainer, folder: Path) -> int:
    """Bytes of what a training of this model keeps when it is interrupted after its first epoch."""
    learning = sum(weight.numel() for weight in trainer.xtts.gpt.parameters() if weight.requires_grad)
    folder.mkdir(parents=True)
    for name, per_weight in ((training_loop.STATE, 12), (training_loop.BEST, 4)):
        (folder / name).write_bytes(bytes(learning * per_weight))
    return learning * 16


def test_memory_is_what_a_training_takes_beside_the_weights_that_are_loaded(base: Path, tmp_path: Path) -> None:
    """Gradient 4 bytes and AdamW's moments 8 for each weight that learns, and the activations."""
    for adapters in (None, lora.Settings(4, 8.0, 0.0, 1)):
        trainer = build(base, adapters)
        learning = sum(weight.numel() for weight in trainer.xtts.gpt.parameters() if weight.requires_grad)
        found = needs.of(trainer, SAMPLES, 2, tmp_path)
        assert found.memory == 12 * learning + needs.activations(trainer, SAMPLES, 2)


def test_a_resumed_training_is_not_refused_for_the_disk_that_it_has(base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trainer = build(base)
    fresh = needs.of(trainer, SAMPLES, 2, tmp_path / "new")
    kept = state_of(trainer, tmp_path / "begun")
    assert needs.of(trainer, SAMPLES, 2, tmp_path / "begun").disk == fresh.disk - kept
    monkeypatch.setattr(files, "free_bytes", lambda folder: fresh.disk - kept)
    with pytest.raises(UserError, match="GB free, training needs"):
        needs.announce(trainer, MATERIAL, PLAN, tmp_path / "new")
    needs.announce(trainer, MATERIAL, PLAN, tmp_path / "begun")


def test_clips_and_minutes_of_each_split_are_said_before_the_first_update(
    base: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    needs.announce(build(base), MATERIAL, PLAN, tmp_path)
    splits = "train 4 (3.0 min), eval 1 (0.5 min), test 2 (0.8 min)"
    assert capsys.readouterr().out.splitlines()[0] == f"train: clips: {splits}; 6 updates of 2 clips in 3 epochs"
