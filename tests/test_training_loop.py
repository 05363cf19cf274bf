"""The training loop: golden losses, its signals and locks, and the interpolated weights."""

import math
import os
import signal
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import torch
from accelerate.state import AcceleratorState

from tests import tiny_base
from voz.audio import wav
from voz.model import batches, checkpoint, gpt_trainer, interpolation, lora, training_loop, xtts
from voz.model.history import History, Scores
from voz.model.schedule import Schedule
from voz.model.updates import Share
from voz.pipeline import command, files
from voz.pipeline.command import Terminated, UserError

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_base.make(tmp_path_factory.mktemp("train") / "base")


def test_a_finished_training_that_is_used_again_is_new_to_the_cache(base: Path, tmp_path: Path) -> None:
    """`cache_folders.trim` goes by the time of the folder."""
    loop_in(base, tmp_path, replace(PLAN, epochs=1)).run()
    os.utime(tmp_path / "training", (1, 1))
    loop_in(base, tmp_path, replace(PLAN, epochs=1)).run()
    assert (tmp_path / "training").stat().st_mtime > 1


def test_a_signal_waits_for_the_end_of_the_update_and_a_second_one_does_not() -> None:
    given = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell starts background jobs with SIGINT ignored
    try:
        with command.deferred_signals() as asked:
            os.kill(os.getpid(), signal.SIGINT)
            assert asked == [signal.SIGINT]
            with pytest.raises(Terminated):
                os.kill(os.getpid(), signal.SIGTERM)
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, given)


def test_one_training_at_a_time_and_no_temporary_file_of_a_killed_one(tmp_path: Path) -> None:
    (tmp_path / ".state.pt.123.tmp").write_bytes(b"half")
    with files.exclusive(tmp_path, what="training"):
        assert not (tmp_path / ".state.pt.123.tmp").exists()
        with pytest.raises(UserError, match="another process is running this training"), files.exclusive(tmp_path, what="training"):
            pass
    with files.exclusive(tmp_path, what="training"):
        pass


def noise_clips(folder: Path) -> tuple[list[batches.Sample], list[batches.Sample]]:
    """Seeded noise, which unlike speech depends on no synthesizer's version: 4 clips to train on, 1 eval clip."""
    numbers = np.random.default_rng(7)
    samples = []
    for index in range(5):
        pcm = np.cumsum(numbers.standard_normal(70_000 + 3_000 * index)).astype(np.float32)
        wav.write(folder / f"{index:012x}.wav", 0.5 * (pcm - pcm.mean()) / np.abs(pcm - pcm.mean()).max())
        tokens, codes = torch.tensor(numbers.integers(5, 40, 20)), torch.tensor(numbers.integers(0, 512, -(-len(pcm) // 1024)))
        samples.append(batches.Sample(f"{index:012x}", folder / f"{index:012x}.wav", "", tokens, len(pcm), codes))
    return samples[:4], samples[4:]


SILENT = Scores(cer=0.5, similarity=0.5, transcripts=())


def losses(
    base: Path,
    folder: Path,
    *,
    precision: str = "fp32",
    accumulate: int = 1,
    conditioning: str = "same_clip",
    lower_layers_alpha: float = 1.0,
) -> list[float]:
    """Eval losses of two epochs over the seeded clips."""
    schedule = Schedule(
        2, 2 // accumulate, accumulate, 0.01, 1.0, precision, seed=1, conditioning=conditioning, lower_layers_alpha=lower_layers_alpha
    )
    evaluations: list[int] = []
    loop = loop_in(base, folder, schedule, on_epoch=lambda history: evaluations.append(len(history.clips)))
    history = loop.run()
    assert evaluations == [1, 2, 3] and loop.pace.updates == 4
    assert 1 <= history.best_epoch(schedule) <= 2 and set(training_loop.best_weights(folder / "training")) == set(loop.gpt.state_dict())
    return [row["loss"] for row in history.eval_losses(schedule)]


GOLDEN = [7.066374, 7.046831, 7.025264]  # of the base and after each of two epochs
GOLDEN_OTHER_CLIP = [7.066374, 7.049418, 7.029850]


def test_golden_losses(base: Path, tmp_path: Path) -> None:
    """When this fails, training gives other weights than before: raise STEP_VERSION in stages/train.py."""
    assert losses(base, tmp_path) == pytest.approx(GOLDEN, abs=2e-4)


def test_golden_losses_conditioned_on_another_clip(base: Path, tmp_path: Path) -> None:
    assert losses(base, tmp_path, conditioning="other_clip") == pytest.approx(GOLDEN_OTHER_CLIP, abs=2e-4)


def test_bf16_and_accumulation_train_to_nearly_the_same(base: Path, tmp_path: Path) -> None:
    """Neither gives the same bits: bf16 rounds, and batches of one draw other dropout than batches of two."""
    for name, settings in (("bf16", {"precision": "bf16"}), ("split", {"accumulate": 2})):
        (tmp_path / name).mkdir()
        found = losses(base, tmp_path / name, **settings)  # type: ignore[arg-type]
        assert found == pytest.approx(GOLDEN, abs=0.01) and found != pytest.approx(GOLDEN, abs=1e-6)


def test_interpolated_weights_are_applied_and_removed(base: Path) -> None:
    gpt = gpt_trainer.build(base, lr=0.0, weight_decay=0.0, betas=[0.9, 0.96], eps=1e-8).xtts.gpt
    before = {name: weight.detach().clone() for name, weight in gpt.named_parameters()}
    half = interpolation.Interpolation(dict(gpt.named_parameters()), 0.5)
    with torch.no_grad():
        for weight in gpt.parameters():
            weight.add_(1.0)
    own = {name: weight.detach().clone() for name, weight in gpt.named_parameters()}
    with half.applied():
        changed = {name for name, weight in gpt.named_parameters() if not torch.equal(weight, own[name])}
        assert all(torch.allclose(dict(gpt.named_parameters())[name], before[name] + 0.5, atol=1e-6) for name in changed)
    assert changed == set(interpolation.lower_half(dict(gpt.named_parameters()))) and {name.split(".")[2] for name in changed} == {"0"}
    assert all(torch.equal(weight, own[name]) for name, weight in gpt.named_parameters())


PLAN = Schedule(3, 2, 1, 0.01, 1.0, "fp32", seed=1, conditioning="same_clip", lower_layers_alpha=1.0)


def loop_in(
    base: Path,
    folder: Path,
    schedule: Schedule,
    *,
    lr: float = 1e-3,
    scores: Sequence[Scores] = (),
    layers: Literal["all"] | int = "all",
    adapters: lora.Settings | None = None,
    on_epoch: Callable[[History], None] = lambda history: None,
    device: torch.device = CPU,
) -> training_loop.TrainingLoop:
    """A training over the seeded clips, two updates an epoch; `scores` are those of the eval lines, by evaluation."""
    AcceleratorState._reset_state(reset_partial_state=True)  # Accelerate keeps one precision per process
    folder.mkdir(parents=True, exist_ok=True)
    train, held_out = noise_clips(folder)
    model = gpt_trainer.build(base, lr=lr, weight_decay=1e-2, betas=[0.9, 0.96], eps=1e-8, layers=layers, adapters=adapters).to(device)
    if schedule.conditioning == "other_clip":
        model.learning(False)
        train = [replace(sample, latents=xtts.conditioning(model.xtts, batches.pcm(sample)).latents[0].cpu()) for sample in train]

    def scores_of(epoch: int) -> Scores:
        return scores[epoch] if scores else SILENT

    return training_loop.TrainingLoop(
        model,
        train,
        held_out,
        schedule,
        folder=folder / "training",
        device=device,
        listen=scores_of,
        recall=scores_of,
        on_epoch=on_epoch,
    )


def heard(*cers: float) -> list[Scores]:
    return [Scores(cer, 0.5, ()) for cer in cers]


class Killed(BaseException):
    """In place of SIGKILL: nothing more is saved."""


def kill_after(loop: training_loop.TrainingLoop, updates: int) -> None:
    """Let a training end abruptly in the midst of an update, after its state was saved at the last chance."""
    make = loop.updates.make

    def fatal(own: Share, *, epoch: int, number: int) -> None:
        if loop.updates.made == updates:
            loop._save()
            raise Killed
        make(own, epoch=epoch, number=number)

    loop.updates.make = fatal  # type: ignore[method-assign]
    with pytest.raises(Killed):
        loop.run()


@pytest.mark.parametrize(
    ("options", "updates"),
    [
        ({"warmup_steps": 3, "lr_schedule": "cosine"}, 6),
        ({"max_grad_norm": 0.1}, 6),
        ({"max_steps": 3}, 3),
        ({"patience": 1, "select": "cer"}, 4),
        ({"layers": 1}, 6),
    ],
)
def test_a_killed_training_ends_with_the_same_bytes_with_each_option(
    options: dict[str, object], updates: int, base: Path, tmp_path: Path
) -> None:
    layers = options.pop("layers", "all")
    schedule, scores = replace(PLAN, **options), heard(0.9, 0.4, 0.5, 0.6)  # type: ignore[arg-type]
    whole = loop_in(base, tmp_path / "whole", schedule, scores=scores, layers=layers)  # type: ignore[arg-type]
    whole.run()
    assert len(whole.history.updates) == updates
    kill_after(loop_in(base, tmp_path / "killed", schedule, scores=scores, layers=layers), 2)  # type: ignore[arg-type]
    again = loop_in(base, tmp_path / "killed", schedule, scores=scores, layers=layers)  # type: ignore[arg-type]
    again.run()
    for name in (training_loop.BEST, training_loop.DONE):
        one, other = (tmp_path / each / "training" / name for each in ("whole", "killed"))
        assert one.read_bytes() == other.read_bytes()
    assert again.pace.updates == updates - 2


def test_each_option_changes_what_it_should(base: Path, tmp_path: Path) -> None:
    plain = loop_in(base, tmp_path / "plain", replace(PLAN, epochs=1))
    before = {name: weight.detach().clone() for name, weight in plain.gpt.named_parameters()}
    plain.run()
    frozen = loop_in(base, tmp_path / "frozen", replace(PLAN, epochs=1), layers=1)
    frozen.run()
    changed = {name for name, weight in frozen.gpt.named_parameters() if not torch.equal(weight, before[name])}
    assert {name.split(".")[2] for name in changed if name.startswith("gpt.h.")} == {"1"}  # the upper of two
    assert {name.split(".")[0] for name in changed} == {"gpt", "final_norm", "text_head", "mel_head"}
    slow = loop_in(base, tmp_path / "slow", replace(PLAN, epochs=1, warmup_steps=100))
    slow.run()
    moved = [sum(float((weight.detach() - before[name]).norm()) for name, weight in loop.gpt.named_parameters()) for loop in (plain, slow)]
    assert moved[1] < 0.1 * moved[0]
    with pytest.raises(UserError, match=r"train\.layers: 3, and the base has 2"):
        gpt_trainer.build(base, lr=1e-3, weight_decay=0.0, betas=[0.9, 0.96], eps=1e-8, layers=3)


def test_the_weights_of_the_best_epoch_are_kept_and_not_of_a_later_one(base: Path, tmp_path: Path) -> None:
    loop = loop_in(base, tmp_path, replace(PLAN, select="cer"), scores=heard(0.0, 0.3, 0.1, 0.2))
    loop.run()
    assert checkpoint.read(tmp_path / "training" / training_loop.BEST)["epoch"] == 2


def broken_at(loop: training_loop.TrainingLoop, bad: set[int]) -> training_loop.TrainingLoop:
    """The loss of some forward passes in training is NaN, as in half precision."""
    forward, calls = loop.updates.model.forward, iter(range(100))

    def overflowing(batch: batches.Batch, masked: bool = True) -> tuple[torch.Tensor, torch.Tensor]:
        text, mel = forward(batch, masked)
        return text, mel * math.nan if masked and next(calls) in bad else mel

    loop.updates.model.forward = overflowing
    return loop


def test_an_update_whose_loss_is_not_finite_is_left_out_and_counted(base: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    loop = broken_at(loop_in(base, tmp_path, PLAN), {1, 2})
    history = loop.run()
    assert [update is None for update in history.updates] == [False, True, True, False, False, False] and history.skipped() == 2
    assert all(torch.isfinite(weight).all() for weight in loop.gpt.parameters())
    assert "train: update 2, epoch 1: the loss is nan; this update is left out" in capsys.readouterr().out


def test_three_losses_in_a_row_that_are_not_finite_end_the_training_and_what_was_saved_stays(base: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"the loss is nan 3 times in a row \(update 5, epoch 3\); lower train.lr"):
        broken_at(loop_in(base, tmp_path, PLAN), {2, 3, 4}).run()
    assert checkpoint.read(tmp_path / "training" / training_loop.STATE)["position"] == [3, 0]
    assert checkpoint.read(tmp_path / "training" / training_loop.BEST)["epoch"] in (1, 2)


def test_a_last_evaluation_that_is_not_finite_is_not_saved_and_says_the_same_again(base: Path, tmp_path: Path) -> None:
    for _ in range(2):  # a rerun ended in a traceback: done.json held the loss
        loop = loop_in(base, tmp_path, replace(PLAN, epochs=2))
        step = loop.updates._step

        def explode(*, finite: torch.Tensor, step: Callable[..., None] = step, loop: training_loop.TrainingLoop = loop) -> None:
            step(finite=finite)
            if loop.updates.made == 3:
                with torch.no_grad():
                    next(loop.gpt.parameters()).fill_(math.inf)

        loop.updates._step = explode  # type: ignore[method-assign]
        with pytest.raises(UserError, match=r"the eval loss after epoch 2 is nan; lower train\.lr"):
            loop.run()
    assert not (tmp_path / "training" / training_loop.DONE).exists()
    assert checkpoint.read(tmp_path / "training" / training_loop.STATE)["position"] == [2, 0]
