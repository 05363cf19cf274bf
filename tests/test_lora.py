"""Adapters: what learns and is stored, the merge into the base, and a training that is killed in between."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tests import tiny_base
from tests.test_training_loop import PLAN, kill_after, loop_in
from voz.model import gpt_trainer, interpolation, learned, lora, stored, training_loop, xtts
from voz.pipeline.command import UserError

CPU = torch.device("cpu")
LORA = lora.Settings(rank=4, alpha=8.0, dropout=0.1, seed=1)
MATRICES = 4  # of a layer: attention in and out, feed-forward in and out


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_base.make(tmp_path_factory.mktemp("lora") / "base")


def build(base: Path, settings: lora.Settings = LORA, layers: int | str = "all") -> gpt_trainer.Trainer:
    trainer = gpt_trainer.build(
        base,
        lr=1e-3,
        weight_decay=1e-2,
        betas=[0.9, 0.96],
        eps=1e-8,
        layers=layers,
        adapters=settings,  # type: ignore[arg-type]
    )
    trainer.learning(False)
    return trainer


@torch.no_grad()
def teach(trainer: gpt_trainer.Trainer, size: float = 0.05) -> None:
    """Give the adapters values as large as those of a training."""
    generator = torch.Generator().manual_seed(3)
    for weight in learned.of(trainer.xtts.gpt).linear.values():
        weight.copy_(size * torch.randn(weight.shape, generator=generator))


def outputs(gpt: torch.nn.Module) -> torch.Tensor:
    """What the layers make of seeded numbers. [1, 12, C]"""
    inputs = torch.randn(1, 12, 64, generator=torch.Generator().manual_seed(4))
    with torch.no_grad():
        return gpt.gpt(inputs_embeds=inputs).last_hidden_state  # type: ignore[no-any-return]


def store(trainer: gpt_trainer.Trainer, base: Path, folder: Path, dtype: torch.dtype = torch.float32) -> Path:
    """A voice's folder without its recording."""
    folder.mkdir()
    exported = learned.of(trainer.xtts.gpt).stored(dtype)
    lora.adapter_of(exported, base=stored.hash_of(base), scaling=LORA.scaling).write(folder / lora.FILE)
    for name in stored.CONFIGURATION:
        (folder / name).write_bytes((base / name).read_bytes())
    return folder


def merged(adapted: Path, base: Path, folder: Path) -> Path:
    """The same voice as a whole model."""
    folder.mkdir()
    stored.write(folder, stored.find(adapted, base).weights())
    for name in stored.CONFIGURATION:
        (folder / name).write_bytes((base / name).read_bytes())
    return folder


def test_only_adapters_learn_and_at_first_they_change_nothing(base: Path) -> None:
    trainer = build(base)
    plain = gpt_trainer.build(base, lr=1e-3, weight_decay=0.0, betas=[0.9, 0.96], eps=1e-8)
    plain.learning(False)
    assert torch.equal(outputs(trainer.xtts.gpt), outputs(plain.xtts.gpt))
    parts = learned.of(trainer.xtts.gpt)
    assert len(parts.trained) == 2 * MATRICES * 2 and parts.exported == parts.trained  # A and B, two layers
    assert sum(len(group["params"]) for group in trainer.get_optimizer().param_groups) == len(parts.trained)
    upper = learned.of(build(base, layers=1).xtts.gpt)
    assert {name.split(".")[2] for name in upper.trained} == {"1"} and len(upper.trained) == 2 * MATRICES


def test_the_first_values_of_a_follow_from_the_seed_alone(base: Path) -> None:
    torch.manual_seed(5)
    one = learned.of(build(base).xtts.gpt).state()
    torch.manual_seed(6)
    same, other = (learned.of(build(base, replace(LORA, seed=seed)).xtts.gpt).state() for seed in (1, 2))
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert any(not torch.equal(one[name], other[name]) for name in one)


def test_lower_layers_alpha_is_the_share_of_their_adapters(base: Path) -> None:
    trainer = build(base)
    gpt = trainer.xtts.gpt
    half = interpolation.Interpolation(learned.of(gpt).linear, 0.6)
    teach(trainer)
    weights = [gpt.gpt.h[layer].attn.c_attn.get_delta_weight("default").clone() for layer in (0, 1)]
    before = outputs(gpt)
    with half.applied():
        lower, upper = (gpt.gpt.h[layer].attn.c_attn.get_delta_weight("default") for layer in (0, 1))
        assert torch.allclose(lower, 0.6 * weights[0], atol=1e-7) and torch.equal(upper, weights[1])
    assert torch.equal(outputs(gpt), before)


def test_what_is_merged_is_what_was_trained_and_what_peft_merges(base: Path, tmp_path: Path) -> None:
    trainer = build(base)
    teach(trainer)
    unmerged = outputs(trainer.xtts.gpt)
    folder = store(trainer, base, tmp_path / "voice")
    loaded = stored.find(folder, base).load(CPU)
    assert float((outputs(loaded.gpt) - unmerged).abs().max()) < 1e-5
    plain = outputs(xtts.load_model(base).gpt)
    assert float((unmerged - plain).abs().max()) > 0.05  # the adapters do something
    for layer in range(2):
        trainer.xtts.gpt.gpt.h[layer].mlp.c_proj.merge()
        theirs = trainer.xtts.gpt.gpt.h[layer].mlp.c_proj.base_layer.weight
        assert torch.allclose(loaded.gpt.gpt.h[layer].mlp.c_proj.weight, theirs, atol=1e-6)
    torch.load(folder / lora.FILE, weights_only=True)


def test_in_half_precision_it_is_half_as_large_and_says_nearly_the_same(base: Path, tmp_path: Path) -> None:
    trainer = build(base)
    teach(trainer)
    unmerged = outputs(trainer.xtts.gpt)
    whole, half = store(trainer, base, tmp_path / "whole"), store(trainer, base, tmp_path / "half", torch.float16)
    assert float((outputs(stored.find(half, base).load(CPU).gpt) - unmerged).abs().max()) < 1e-3
    numbers = sum(weight.numel() for weight in learned.of(trainer.xtts.gpt).exported.values())
    assert (whole / lora.FILE).stat().st_size - (half / lora.FILE).stat().st_size == pytest.approx(2 * numbers, rel=0.1)


def test_the_hash_of_the_model_changes_with_the_adapter(base: Path, tmp_path: Path) -> None:
    trainer = build(base)
    one = stored.find(store(trainer, base, tmp_path / "one"), base).hash
    teach(trainer)
    assert stored.find(store(trainer, base, tmp_path / "other"), base).hash != one != stored.find(base).hash


def test_another_base_or_none_or_a_damaged_adapter_is_refused(base: Path, tmp_path: Path) -> None:
    folder = store(build(base), base, tmp_path / "voice")
    with pytest.raises(UserError, match="needs its base"):
        stored.find(folder)
    other = tiny_base.make(tmp_path / "other")
    weights = torch.load(other / "model.pth", weights_only=True)
    weights["model"]["gpt.mel_head.bias"] += 1
    torch.save(weights, other / "model.pth")
    with pytest.raises(UserError, match=r"belongs to another base than .*other \(SHA-256 \w{12}, not \w{12}\); write the base") as caught:
        stored.find(folder, other)
    assert "\n" not in str(caught.value)
    good = (folder / lora.FILE).read_bytes()
    for bad in (good[: len(good) // 2], b"", b"no zip"):
        (folder / lora.FILE).write_bytes(bad)
        with pytest.raises(UserError, match="not a readable adapter"):
            stored.find(folder, base)
    for content in ({"weights": {}}, {"base": "x", "scaling": 2.0, "weights": {"gpt.h.0.lora_A.weight": torch.ones(2, 2)}}, [1]):
        torch.save(content, folder / lora.FILE)
        with pytest.raises(UserError, match="not a readable adapter"):
            stored.find(folder, base)


def test_an_adapter_of_another_width_is_refused() -> None:
    adapter = lora.Adapter("x", 2.0, {"gpt.l.lora_A.weight": torch.ones(2, 8), "gpt.l.lora_B.weight": torch.ones(4, 2)})
    for weights in ({}, {"gpt.l.weight": torch.ones(4, 8)}):
        with pytest.raises(UserError, match=r"no layer gpt\.l of its width"):
            adapter.merge_into(weights)


@pytest.mark.parametrize("layers", ["all", 1])
def test_a_killed_training_ends_with_the_same_bytes_and_its_state_is_small(base: Path, tmp_path: Path, layers: int | str) -> None:
    schedule = replace(PLAN, lower_layers_alpha=0.6)
    whole = loop_in(base, tmp_path / "whole", schedule, layers=layers, adapters=LORA)
    before = {name: weight.clone() for name, weight in whole.gpt.named_parameters()}
    losses = [row["loss"] for row in whole.run().eval_losses(schedule)]
    assert losses[-1] < losses[0] - 1e-3
    changed = {name for name, weight in whole.gpt.named_parameters() if not torch.equal(weight, before[name])}
    assert changed == set(whole.learned.trained)
    kill_after(loop_in(base, tmp_path / "killed", schedule, layers=layers, adapters=LORA), 3)
    assert (tmp_path / "killed/training" / training_loop.STATE).stat().st_size < 0.3 * (base / "model.pth").stat().st_size
    again = loop_in(base, tmp_path / "killed", schedule, layers=layers, adapters=LORA)
    again.run()
    for name in (training_loop.BEST, training_loop.DONE):
        one, other = (tmp_path / each / "training" / name for each in ("whole", "killed"))
        assert one.read_bytes() == other.read_bytes()
    assert set(training_loop.best_weights(tmp_path / "whole/training")) == set(whole.learned.trained)
