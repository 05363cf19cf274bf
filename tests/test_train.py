"""The train stage: what it writes, what it refuses, and that no interruption changes a byte."""

import csv
import hashlib
import json
import re
import signal
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from stages import train as train_stage
from tests import stock, tiny_base
from tests.train_stage import TRAIN, digests, finish, here, lay, start, wait_for_state
from voz.audio import limits, wav
from voz.data import consent
from voz.metrics import eval_lines, reference
from voz.model import batches, dvae, export, gpt_loss, gpt_trainer, stored, xtts
from voz.model.voice import load_voice
from voz.pipeline import records
from voz.pipeline.command import UserError

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def trained(base: Path, dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished training; the base as it was before lies in `before.json`."""
    folder = lay(tmp_path_factory.mktemp("whole") / "work", base, dataset)
    before = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(base.iterdir())}
    (folder / "before.json").write_text(json.dumps(before))
    status, out, err = finish(start(folder))
    assert status == 0, err
    (folder / "printed.txt").write_text(out)
    return folder


def test_voice_is_complete_and_the_base_untouched(trained: Path, base: Path) -> None:
    assert sorted(path.name for path in (trained / "models/voice").iterdir()) == sorted(export.FILES)
    after = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(base.iterdir())}
    assert after == json.loads((trained / "before.json").read_text())


def test_only_the_gpt_has_changed(trained: Path, base: Path) -> None:
    before, after = xtts.read_weights(base / "model.pth"), xtts.read_weights(trained / "models/voice/model.pth")
    assert before.keys() == after.keys()
    changed = {key for key in before if not torch.equal(before[key].to(after[key].dtype), after[key])}
    assert {key.split(".")[0] for key in changed} == {"gpt"}
    assert not any("conditioning" in key for key in changed)  # frozen with `conditioning: other_clip`
    dtypes = {part: {after[key].dtype for key in after if key.startswith("gpt.") == (part == "gpt")} for part in ("gpt", "rest")}
    assert dtypes["gpt"] == {torch.float16} and dtypes["rest"] == {before[key].dtype for key in before if not key.startswith("gpt.")}
    metrics = json.loads((trained / "reports/train.json").read_text())
    assert metrics["eval_loss"] < metrics["eval_loss_base"] - 0.1
    assert (metrics["updates"], metrics["train_clips"], metrics["eval_clips"]) == (4 * 3, 5, 2)  # 5 clips in batches of 2


def test_the_exported_epoch_is_the_best_on_eval(trained: Path, dataset: Path) -> None:
    """The exported weights, loaded anew and evaluated anew, have the loss that the metrics promise for the epoch of the least CER."""
    metrics = json.loads((trained / "reports/train.json").read_text())
    curves = {}
    for name, drawn in (("cer", "cer"), ("eval", "loss"), ("similarity", "similarity")):
        with open(trained / f"reports/plots/train/{name}.csv", newline="") as file:
            rows = list(csv.DictReader(file))
        assert [row["epoch"] for row in rows] == ["0", "1", "2", "3", "4"] and list(rows[0])[-1] == drawn  # what `dvc plots` draws
        assert [int(row["update"]) for row in rows] == [0, 3, 6, 9, 12]  # the axis of train.csv, for one plot of both
        curves[drawn] = [float(row[drawn]) for row in rows]
    assert (trained / "reports/plots/train/sheismo.csv").read_text() == "update,epoch,sheismo\n"  # no eval line has ⟨ll, y⟩
    assert metrics["best_epoch"] == min(range(1, 5), key=lambda epoch: (curves["cer"][epoch], curves["loss"][epoch]))
    weights = xtts.read_weights(trained / "models/voice/model.pth")
    model = gpt_trainer.build(trained / "base", lr=0.0, weight_decay=0.0, betas=[0.9, 0.96], eps=1e-8)
    model.xtts.gpt.load_state_dict({key.removeprefix("gpt."): value for key, value in weights.items() if key.startswith("gpt.")})
    assert eval_loss(model, dataset) == pytest.approx(metrics["eval_loss_stored"], abs=1e-6)
    assert 0 < abs(metrics["eval_loss_stored"] - metrics["eval_loss"]) < 1e-3  # float16 has 11 bits


def test_both_choices_are_written_down(trained: Path, dataset: Path) -> None:
    epochs = json.loads((trained / "reports/epochs/epochs.json").read_text())
    assert [row["epoch"] for row in epochs["epochs"]] == [0, 1, 2, 3, 4] and epochs["select"] == "cer"
    for row in epochs["epochs"]:
        assert len(row["wavs"]) == len(row["heard"]) == len(epochs["lines"]) == 2 * eval_lines.TAKES
        assert all(wav.samples(trained / "reports/epochs" / name, rate_hz=wav.OUTPUT_RATE_HZ) > 0 for name in row["wavs"])
    tried = epochs["references"]
    limit = min(each["cer"] for each in tried) + reference.SAME_CER
    ranks = [(each["cer"] > limit, -each["similarity"]) for each in tried]
    assert ranks == sorted(ranks) and len(tried) == reference.CANDIDATES
    chosen = (dataset / "wavs" / f"{tried[0]['id']}.wav").read_bytes()
    card = (trained / "models/voice/README.md").read_text()
    assert (trained / "models/voice/reference.wav").read_bytes() == chosen and f"| {tried[0]['id']} (chosen) |" in card
    assert f"| {epochs['best_epoch']} (chosen) |" in card and "chosen on eval by cer" in card


def test_it_tells_early_what_it_needs(trained: Path) -> None:
    printed = (trained / "printed.txt").read_text().splitlines()
    splits = r"train 5 \(0\.\d min\), eval 2 \(0\.\d min\), test 1 \(0\.\d min\)"
    assert re.fullmatch(rf"train: clips: {splits}; 12 updates of 2 clips in 4 epochs", printed[0])
    assert re.fullmatch(r"train: needs about \S+ GB more memory \(\S+ free\) and \S+ GB more disk \(\S+ free\)", printed[1])
    assert [line for line in printed if re.search(r"about \d+ min left: 7 updates of \S+ s, 3 evaluations", line)]
    assert printed[-1].startswith("train: stored in fp16: eval loss ") or "not better than the base" in printed[-1]


@torch.no_grad()
def eval_loss(model: gpt_trainer.Trainer, dataset: Path) -> float:
    """Loss per token over the eval split, without voz.model.training_loop."""
    model.learning(False)
    examples = [e for e in records.read(dataset, records.Example) if e.split == "eval"]
    sums, encoder = np.zeros(4), dvae.Dvae(tiny_base.POCKET, torch.device("cpu"))
    for sample in batches.load(examples, dataset / "wavs", xtts.read_tokenizer(tiny_base.POCKET)):
        _, batch = next(batches.singles([replace(sample, codes=encoder.encode(batches.pcm(sample)))]))
        sums += [float(value) for value in (*model(batch, False), *gpt_loss.counts(batch, masked=False))]
    return float(0.01 * sums[0] / sums[2] + sums[1] / sums[3])


def test_card_has_consent_licence_data_and_recipe(trained: Path) -> None:
    card = (trained / "models/voice/README.md").read_text()
    for each in ("Voz de prueba", consent.STATEMENT, consent.SCOPE, "2026-05-12", "| lr | 0.001 |", "the project's licence"):
        assert each in card
    examples = {"non-commercial": True, "voz.model.xtts.load_model": False}
    of_stock = export.describe(card_of(trained), sample_of(trained), stock=True)
    assert {text: text in of_stock for text in examples} == examples


EVALUATIONS = [{"loss": 2.0, "cer": 0.2, "similarity": 0.5}, {"loss": 1.0, "cer": 0.1, "similarity": 0.6}]
REFERENCES = [export.Reference("0123456789ab", 1.0, 0.1, 0.6)]


def card_of(folder: Path) -> export.Card:
    return export.Card(
        "models/xtts_v2", "0" * 64, "1" * 64, dict(TRAIN), consent.read(folder / "dataset"), 1, EVALUATIONS, 1.01, REFERENCES, 5, 2
    )


def sample_of(folder: Path) -> batches.Sample:
    return batches.Sample("0123456789ab", folder / "models/voice/reference.wav", "", torch.tensor([1]), 1)


def test_terminated_then_killed_then_run_again_gives_the_same_bytes(trained: Path, base: Path, dataset: Path, tmp_path: Path) -> None:
    folder = lay(tmp_path / "work", base, dataset)
    running = start(folder)
    at = wait_for_state(folder, 0.0)
    running.send_signal(signal.SIGTERM)
    status, _, err = finish(running)
    assert status == 143 and "run the same command again" in err and "Traceback" not in err
    assert not (folder / "models/voice").exists()
    running = start(folder)
    wait_for_state(folder, max(at, time.time()))  # the next state is that of this process
    time.sleep(0.1)
    running.send_signal(signal.SIGKILL)
    assert finish(running)[0] == -signal.SIGKILL
    status, out, err = finish(start(folder))
    assert status == 0 and "continuing in epoch" in out, err
    assert digests(folder) == digests(trained)


def test_run_again_trains_nothing_and_a_finished_training_keeps_no_optimizer(trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = digests(trained)
    here(trained, monkeypatch)
    assert digests(trained) == before
    log = [json.loads(line) for line in (trained / ".cache/log/train.jsonl").read_text().splitlines()]
    assert [row["computed"] for row in log] == [12, 0]
    assert not list(trained.glob(".cache/train/*/*/state.pt"))


def test_no_consent_no_training(base: Path, dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    silent = tmp_path / "silent"
    silent.mkdir()
    for name in ("manifest.jsonl", "wavs"):
        (silent / name).symlink_to(dataset / name)
    folder = lay(tmp_path / "work", base, silent)
    with pytest.raises(UserError) as caught:
        here(folder, monkeypatch)
    line = str(caught.value)
    assert "\n" not in line and all(word in line for word in ("consent.yaml", "speaker", "date", "statement", "scope"))
    assert sorted(path.name for path in folder.iterdir()) == ["base", "dataset", "params.yaml", "whisper.pt"]


@pytest.mark.parametrize(
    ("splits", "minutes", "said"),
    [
        ({"train": "train", "eval": "train", "test": "test"}, 0.0, "no clip in the eval split"),
        ({"train": "train", "eval": "eval", "test": "eval"}, 0.0, "no clip in the test split"),
        ({"train": "train", "eval": "eval", "test": "test"}, 2.0, "0.3 min of training speech, and train.min_minutes is 2"),
    ],
)
def test_too_little_is_refused_before_anything_is_computed(
    splits: dict[str, records.Split], minutes: float, said: str, base: Path, dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    poor = tmp_path / "poor"
    poor.mkdir()
    for name in ("wavs", "consent.yaml"):
        (poor / name).symlink_to(dataset / name)
    records.write(poor, [replace(each, split=splits[each.split]) for each in records.read(dataset, records.Example)])
    folder = lay(tmp_path / "work", base, poor, min_minutes=minutes)
    with pytest.raises(UserError, match=said):
        here(folder, monkeypatch)
    assert not (folder / ".cache").exists() and not (folder / "reports").exists()


def test_an_adapter_is_the_voice_of_a_lora_training_and_a_stored_dtype_trains_nothing_again(
    base: Path, dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The voice that is loaded has the loss that the metrics promise, in both precisions."""
    losses = {}
    for dtype in ("fp32", "fp16"):
        values = {"method": "lora", "lora_rank": 4, "lora_alpha": 8.0, "epochs": 1, "export_dtype": dtype}
        folder = lay(tmp_path / "work", base, dataset, **values)
        here(folder, monkeypatch)
        made = folder / "models/voice"
        assert sorted(path.name for path in made.iterdir()) == sorted(export.ADAPTER_FILES)
        card, metrics = (made / "README.md").read_text(), json.loads((folder / "reports/train.json").read_text())
        assert "make export" in card and "| lora_rank | 4 |" in card and f"as stored in {dtype}" in card
        model = gpt_trainer.build(base, lr=0.0, weight_decay=0.0, betas=[0.9, 0.96], eps=1e-8)
        with torch.no_grad():
            spoken = load_voice(made, torch.device("cpu"), base=base).model.gpt.state_dict()
            model.xtts.gpt.load_state_dict({name: spoken[name] for name in model.xtts.gpt.state_dict()})
        losses[dtype] = eval_loss(model, dataset)
        assert losses[dtype] == pytest.approx(metrics["eval_loss_stored"], abs=2e-6)
        assert metrics["eval_loss"] < metrics["eval_loss_base"]
        weights = torch.load(made / "adapter.pth", weights_only=True)["weights"]
        assert {each.dtype for each in weights.values()} == {stored.DTYPES[dtype]} and len(
            weights
        ) == 2 * 2 * 4  # A and B, layers, matrices
    assert losses["fp32"] == pytest.approx(metrics["eval_loss"], abs=2e-6)
    assert len(list(folder.glob(".cache/train/*/*/done.json"))) == 1


def test_the_real_profile_is_the_seed_recipe_to_the_digit() -> None:
    overlay = yaml.safe_load((ROOT / "profiles" / "xtts_v2.yaml").read_text())
    shipped = yaml.safe_load((ROOT / "params.yaml").read_text())
    recipe = TRAIN | {"epochs": 10, "batch_size": 2, "grad_accumulation": 1, "lr": 5e-6, "weight_decay": 1e-2, "precision": "fp32"}
    recipe |= {"conditioning": "same_clip", "lower_layers_alpha": 1.0, "select": "loss", "min_minutes": 2.0}
    assert train_stage.Params(**{**shipped["train"], **overlay["train"]}) == train_stage.Params(**recipe)  # type: ignore[arg-type]
    spoken = {**shipped["synthesize"], **overlay["synthesize"]}
    assert (spoken["temperature"], spoken["top_p"], spoken["top_k"]) == (0.7, 0.85, 50)
    assert (limits.MIN_CONDITIONING_SAMPLES, limits.MAX_CONDITIONING_SAMPLES) == (66_150, 132_300)
    assert (limits.MAX_SAMPLES, limits.MAX_TEXT_TOKENS) == (255_995, 200)


@torch.no_grad()
def test_stock_coqui_loads_and_speaks_a_voice_of_stock_widths(dataset: Path, tmp_path: Path) -> None:
    """Stored in half precision, it has float32 weights again there."""
    base = tiny_base.make(tmp_path / "base", xtts.Widths())
    examples = records.read(dataset, records.Example)
    reference = batches.Sample(examples[0].id, dataset / "wavs" / f"{examples[0].id}.wav", "", torch.tensor([1]), 1)
    weights = {key: value for key, value in xtts.read_weights(base / "model.pth").items() if key.startswith("gpt.")}
    folder = tmp_path / "voice"
    folder.mkdir()
    card = export.Card("base", "0" * 64, "1" * 64, dict(TRAIN), consent.read(dataset), 1, EVALUATIONS, 1.01, REFERENCES, 5, 2)
    export.write(folder, base, {key.removeprefix("gpt."): value.half() for key, value in weights.items()}, reference, card)
    assert stock.speak(folder) > 10 * 1024
