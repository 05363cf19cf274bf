"""The gradient scaler of `precision: fp16`: what it leaves out, and that a killed training goes on with its scale.

Accelerate has no fp16 on a CPU. Its optimizer and torch's scaler are the real ones here, around gradients in float32.
"""

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from accelerate.optimizer import AcceleratedOptimizer

from tests import tiny_base
from tests.test_training_loop import PLAN, broken_at, kill_after, loop_in
from voz.model import batches, checkpoint, training_loop

SCALE = 2.0**16  # at the beginning; a gradient that is not finite halves it


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_base.make(tmp_path_factory.mktemp("scaler") / "base")


def scaled(base: Path, folder: Path, *, overflow: int = -1) -> training_loop.TrainingLoop:
    """A training with a scaler, as Accelerate makes one for fp16. At one update a gradient overflows, as in half precision."""
    loop = loop_in(base, folder, PLAN)
    scaler = torch.amp.GradScaler("cpu", init_scale=SCALE)
    loop.updates.accelerator.scaler = scaler
    loop.updates.optimizer = AcceleratedOptimizer(loop.updates.optimizer.optimizer, device_placement=False, scaler=scaler)
    loop.gpt.mel_head.bias.register_hook(lambda gradient: gradient * math.inf if loop.updates.made == overflow else gradient)
    return loop


def scale_of(loop: training_loop.TrainingLoop) -> float:
    scale: float = loop.updates.accelerator.scaler.get_scale()
    return scale


def test_a_gradient_that_is_not_finite_changes_nothing_and_lowers_the_scale(base: Path, tmp_path: Path) -> None:
    loop = scaled(base, tmp_path, overflow=0)
    loop.trainer.learning(True)
    planned = batches.epoch(loop.train, batch_size=2, seed=1, number=1, other_clip=False)
    before = {name: weight.detach().clone() for name, weight in loop.gpt.named_parameters()}
    loop.updates.make(loop.updates.read(planned[:1]), epoch=1, number=0)
    assert all(torch.equal(weight, before[name]) for name, weight in loop.gpt.named_parameters())
    assert scale_of(loop) == SCALE / 2
    loop.updates.make(loop.updates.read(planned[1:]), epoch=1, number=1)
    assert any(not torch.equal(weight, before[name]) for name, weight in loop.gpt.named_parameters())
    assert scale_of(loop) == SCALE / 2
    assert all(math.isfinite(loss) for losses in loop.updates.losses() for loss in losses)  # the loss itself was never infinite


def test_a_gradient_that_is_not_finite_changes_nothing_where_its_norm_is_known(base: Path, tmp_path: Path) -> None:
    loop = loop_in(base, tmp_path, replace(PLAN, max_grad_norm=1.0))
    loop.gpt.mel_head.bias.register_hook(lambda gradient: gradient * math.inf)
    loop.trainer.learning(True)
    planned = batches.epoch(loop.train, batch_size=2, seed=1, number=1, other_clip=False)
    before = {name: weight.detach().clone() for name, weight in loop.gpt.named_parameters()}
    loop.updates.make(loop.updates.read(planned[:1]), epoch=1, number=0)
    assert all(torch.equal(weight, before[name]) for name, weight in loop.gpt.named_parameters())


def test_a_loss_that_is_not_finite_is_left_out_and_counted(base: Path, tmp_path: Path) -> None:
    loop = broken_at(scaled(base, tmp_path), {1})
    history = loop.run()
    assert [update is None for update in history.updates] == [False, True, False, False, False, False]
    assert all(torch.isfinite(weight).all() for weight in loop.gpt.parameters()) and scale_of(loop) == SCALE / 2


def test_the_scale_changes_no_update(base: Path, tmp_path: Path) -> None:
    plain, with_scaler = loop_in(base, tmp_path / "plain", PLAN), scaled(base, tmp_path / "scaled")
    found = [[row["loss"] for row in loop.run().eval_losses(PLAN)] for loop in (plain, with_scaler)]
    assert found[0] == pytest.approx(found[1], abs=1e-6)


def test_a_killed_training_goes_on_with_its_scale(base: Path, tmp_path: Path) -> None:
    whole = scaled(base, tmp_path / "whole", overflow=0)
    whole.run()
    kill_after(scaled(base, tmp_path / "killed", overflow=0), 3)
    assert checkpoint.read(tmp_path / "killed" / "training" / training_loop.STATE)["scaler"]["scale"] == SCALE / 2
    again = scaled(base, tmp_path / "killed")
    again.run()
    assert scale_of(again) == scale_of(whole) == SCALE / 2
    for name in (training_loop.BEST, training_loop.DONE):
        one, other = (tmp_path / each / "training" / name for each in ("whole", "killed"))
        assert one.read_bytes() == other.read_bytes()
