"""pocket/training.py: an interrupted training computes what an unbroken one does, and says where it is."""

import json
from pathlib import Path

import pytest
import torch

from pocket.training import Numbers, Training, set_rate, warm_cosine
from pocket.xtts import train_gpt

STEPS = 12


class Fit:
    """A line fitted to a batch that depends on the step alone; fails at a step, as an interrupted process would."""

    def __init__(self, path: Path, *, fails_at: int | None = None) -> None:
        torch.manual_seed(0)
        self.model, self.fails_at = torch.nn.Linear(3, 1), fails_at
        self.optimizer = torch.optim.AdamW(self.model.parameters())
        parts = {"model": self.model, "optimizer": self.optimizer}
        self.training = Training(path, parts, steps=STEPS, save_every=5, print_every=4)

    def advance(self, step: int) -> Numbers:
        if step == self.fails_at:
            raise KeyboardInterrupt
        x = torch.randn(8, 3, generator=torch.Generator().manual_seed(step))
        set_rate(self.optimizer, warm_cosine(step, steps=STEPS, warm=3, peak=0.1))
        loss = (self.model(x) - x.sum(1, keepdim=True)).square().mean()
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return {"loss": loss.item()}

    def run(self) -> torch.Tensor:
        self.training.resume()
        self.training.run(self.advance, measure=lambda means: {"doubled": 2 * means["loss"]}, states=lambda: {"exported": {}})
        return self.model.weight.detach()


def curve(path: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in path.with_suffix(".jsonl").read_text(encoding="utf-8").splitlines()]


def test_a_resumed_training_ends_as_an_unbroken_one(tmp_path: Path) -> None:
    unbroken, resumed = tmp_path / "unbroken.pt", tmp_path / "resumed.pt"
    wanted = Fit(unbroken).run()
    with pytest.raises(KeyboardInterrupt):
        Fit(resumed, fails_at=8).run()
    assert torch.load(resumed, weights_only=True)["step"] == 5
    assert torch.equal(Fit(resumed).run(), wanted)
    assert [{**row, "hours": 0} for row in curve(resumed)] == [{**row, "hours": 0} for row in curve(unbroken)]


def test_the_curve_has_a_row_for_each_save_with_means_since_the_last(tmp_path: Path) -> None:
    Fit(tmp_path / "fit.pt").run()
    rows = curve(tmp_path / "fit.pt")
    assert [row["step"] for row in rows] == [5, 10, 12]
    assert all(row["doubled"] == pytest.approx(2 * row["loss"], abs=2e-4) for row in rows)
    assert set(torch.load(tmp_path / "fit.pt", weights_only=True)) == {"exported", "model", "optimizer", "step"}


def test_a_finished_training_does_nothing(tmp_path: Path) -> None:
    wanted = Fit(tmp_path / "fit.pt").run().clone()
    again = Fit(tmp_path / "fit.pt", fails_at=0)
    assert torch.equal(again.run(), wanted)


def test_an_unpacked_model_goes_on_with_a_new_optimizer(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "fit.pt"
    torch.save({"model": {"weight": torch.ones(1, 3), "bias": torch.zeros(1)}, "step": STEPS - 1}, path)
    fit = Fit(path)
    fit.training.resume()
    assert torch.equal(fit.model.weight, torch.ones(1, 3)) and fit.training.done == STEPS - 1
    assert "optimizer anew" in capsys.readouterr().out


def test_the_rate_warms_up_and_falls_to_its_last_share() -> None:
    rates = [warm_cosine(step, steps=100, warm=10, peak=1.0, last=0.1) for step in range(101)]
    assert rates[0] == pytest.approx(0.1) and max(rates) == rates[10] == 1.0 and rates[-1] == pytest.approx(0.1)
    assert rates == sorted(rates[:11]) + sorted(rates[11:], reverse=True)


def test_the_gpts_rate_falls_twice() -> None:
    rates = [train_gpt.rate(step, steps=12_000, lr=2e-3) for step in range(12_000)]
    assert max(rates) == pytest.approx(2e-3) and rates.index(max(rates)) <= 100
    assert max(rates[6000:]) == pytest.approx(1e-3)
    assert rates[5999] == pytest.approx(1e-4, rel=0.01) and rates[11_999] == pytest.approx(5e-5, rel=0.01)
    conditioning = [train_gpt.rates(step, steps=12_000, lr=2e-3)[2] for step in range(12_000)]
    assert max(conditioning) == pytest.approx(4e-4) and conditioning[10_000:] == rates[10_000:]
