"""Fine-tune the base's GPT on the dataset and export the voice; epoch and reference are chosen on eval.

    python -m stages.train data/dataset models/voice --base models/pocket/xtts --epochs reports/epochs \\
        --metrics reports/train.json --plots reports/plots/train

Reads   data/dataset/{manifest.jsonl, wavs/<id>.wav, consent.yaml}; the splits train and eval, never test
        BASE/{model.pth, config.json, vocab.json, dvae.pth, mel_stats.pth}, never written
Writes  models/voice/{model.pth, config.json, vocab.json, reference.wav, README.md}
        reports/epochs/{epochs.json, epoch-NN.wav}     eval losses by clip, an eval line spoken after each epoch (0 = base)
        reports/epochs/live/                           DVCLive's curves, growing while it trains
        reports/train.json, reports/plots/train/{train,eval}.csv    aggregate numbers and curves

The loss, the model and its optimizer are coqui's GPTTrainer's. Its prompt mask is repaired (voz/model/gpt_trainer.py), or not needed where
other clips condition (`conditioning: other_clip`). No gradient clipping, as in the recipe. Interrupted or killed: run it again, it
continues where it was and ends with the same bytes.
"""

import argparse
import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal

import torch
from pydantic import Field, field_validator

from voz.data import consent
from voz.model import batches, checkpoint, device, gpt_trainer, train_log, training_loop, voice, xtts
from voz.pipeline import cache, command, files, params, records
from voz.pipeline.checked import section

STEP_VERSION = 1  # raise when the same data and parameters give other weights; tests/test_training_loop.py holds golden losses
CODES_VERSION = 1  # raise when the same clip gives other audio codes
LATENTS_VERSION = 1  # raise when the same clip gives other conditioning latents
BYTES_PER_WEIGHT = 36  # weights 4, Adam 8: two states while one replaces the other, best weights twice, the export


@section
class Params:
    """Section `train` of params.yaml."""

    epochs: int = Field(ge=1)
    batch_size: int = Field(ge=1)
    grad_accumulation: int = Field(ge=1)
    conditioning: Literal["same_clip", "other_clip"]
    lower_layers_alpha: float = Field(ge=0, le=1)
    lr: float = Field(ge=0)
    weight_decay: float = Field(ge=0)
    betas: list[float] = Field(min_length=2, max_length=2)
    eps: float = Field(ge=0)
    text_loss_weight: float = Field(ge=0)
    mel_loss_weight: float = Field(ge=0)
    precision: Literal["fp32", "bf16", "fp16"]
    seed: int

    @field_validator("betas")
    @classmethod
    def _below_one(cls, value: list[float]) -> list[float]:
        if not all(0 <= beta < 1 for beta in value):
            raise ValueError(f"{value} are not two numbers in [0, 1)")
        return value

    @property
    def schedule(self) -> training_loop.Schedule:
        """The part of the parameters that the loop needs."""
        return training_loop.Schedule(**{name: getattr(self, name) for name in training_loop.Schedule.__dataclass_fields__})


@dataclass(frozen=True)
class Material:
    """What the training is made of, and the hashes of it.

    data_hash: of the train and eval clips and their texts; the test split changes nothing here.
    """

    examples: list[records.Example]
    train: list[batches.Sample]
    held_out: list[batches.Sample]
    data_hash: str
    base_hash: str


def gather(dataset: Path, base: Path) -> Material:
    """Read and check the train and eval clips.

    Raises:
        UserError: a split is empty, or a clip cannot be used (it is named).
    """
    tokenizer = xtts.read_tokenizer(base)
    examples = [e for e in records.read(dataset, records.Example) if e.split in ("train", "eval")]
    splits = {name: [e for e in examples if e.split == name] for name in ("train", "eval")}
    for name, found in splits.items():
        if not found:
            raise command.UserError(f"{dataset}: no clip in the {name} split", "add notes, or see reports/ledger/curate.csv")
    train, held_out = (batches.load(splits[name], dataset / "wavs", tokenizer) for name in ("train", "eval"))
    sha256 = {sample.id: sample.sha256 for sample in (*train, *held_out)}
    lines = [json.dumps([e.id, e.split, e.normalized, sha256[e.id]]) for e in sorted(examples, key=lambda e: e.id)]
    data_hash = hashlib.sha256("\n".join(lines).encode()).hexdigest()
    return Material(examples, train, held_out, data_hash, files.hash_files(base, list(xtts.BASE_FILES)))


def with_codes(samples: list[batches.Sample], model: gpt_trainer.Trainer, base: Path) -> list[batches.Sample]:
    """The samples with the audio codes that the base's DVAE gives them."""
    dvae = files.hash_files(base, ["dvae.pth", "mel_stats.pth", "config.json"])
    codes = _by_content(samples, "codes", CODES_VERSION, dvae, lambda sample: model.codes(batches.pcm(sample)), label="audio codes")
    return [replace(sample, codes=found) for sample, found in zip(samples, codes, strict=True)]


def with_latents(samples: list[batches.Sample], model: gpt_trainer.Trainer, base_hash: str) -> list[batches.Sample]:
    """The samples with their conditioning latents. The conditioning encoder is frozen, so its latents are computed once."""
    model.learning(False)
    latents = _by_content(
        samples, "latents", LATENTS_VERSION, base_hash, lambda sample: model.latents(batches.pcm(sample)), label="latents"
    )
    return [replace(sample, latents=found) for sample, found in zip(samples, latents, strict=True)]


def _by_content(
    samples: list[batches.Sample],
    name: str,
    version: int,
    model: str,
    compute: Callable[[batches.Sample], torch.Tensor],
    *,
    label: str,
) -> list[torch.Tensor]:
    """A tensor of each clip, from the cache where a clip of the same bytes has passed through the same model."""
    store = cache.Cache(name, version, params={}, model=model)
    return store.map(
        samples,
        key=lambda sample: store.key(sample.sha256),
        work=lambda sample, entry: checkpoint.write(entry / f"{name}.pt", {name: compute(sample)}),
        load=lambda entry: checkpoint.read(entry / f"{name}.pt")[name],
        label=label,
        unit="clip",
    )


def measure(material: Material, history: training_loop.History, p: Params) -> dict[str, float | int]:
    """Aggregate numbers only."""
    losses, best = history.eval_losses(p.schedule), history.best_epoch(p.schedule)
    return {
        "best_epoch": best,
        "eval_loss_base": losses[0]["loss"],
        "eval_loss": losses[best]["loss"],
        "eval_text_loss": losses[best]["text"],
        "eval_mel_loss": losses[best]["mel"],
        "updates": len(history.updates),
        "train_clips": len(material.train),
        "eval_clips": len(material.held_out),
    }


def learn(model: gpt_trainer.Trainer, material: Material, p: Params, folder: Path, log: train_log.TrainLog) -> training_loop.History:
    """Train to the end and leave the best epoch's weights in `model`. The optimizer, twice the weights, is gone on return."""
    on = next(model.parameters()).device
    loop = training_loop.TrainingLoop(model, material.train, material.held_out, p.schedule, folder=folder, device=on, on_epoch=log)
    history = loop.run()
    cache.log("train", device=str(on), computed=loop.computed, update_s=loop.update_s / max(1, loop.computed))
    model.xtts.gpt.load_state_dict(training_loop.best_weights(folder))
    return history


def main() -> None:
    args = parse_args()
    p, compute = params.load("train", Params), params.load("compute", params.Compute)
    given = consent.read(args.dataset)
    xtts.require(args.base)
    material = gather(args.dataset, args.base)
    store = cache.Cache("train", STEP_VERSION, params=asdict(p), model=material.base_hash)
    folder = store.path(store.key(material.data_hash))
    device.seed_everything(p.seed)
    model = gpt_trainer.build(args.base, lr=p.lr, weight_decay=p.weight_decay, betas=p.betas, eps=p.eps).to(device.pick(compute.device))
    if not (folder / training_loop.DONE).is_file():
        weights = sum(weight.numel() for weight in model.xtts.gpt.parameters())
        files.require_free(folder, weights * BYTES_PER_WEIGHT, what="training")
    train, held_out = (with_codes(samples, model, args.base) for samples in (material.train, material.held_out))
    if p.conditioning == "other_clip":
        train = with_latents(train, model, material.base_hash)
    material = replace(material, train=train, held_out=held_out)
    texts = {example.id: example.normalized for example in material.examples}
    log = train_log.TrainLog(folder, files.fresh_folder(args.epochs), model, p.schedule, held_out, texts)
    history = learn(model, material, p, folder, log)
    reference = voice.choose_reference(model, material.examples, train, held_out)
    metrics = measure(material, history, p)
    card = describe(material, metrics, p, given, args.base)
    voice.export(files.fresh_folder(args.voice), args.base, checkpoint.weights(model.xtts.gpt), reference, card)
    log.report(history)
    train_log.write_curves(files.fresh_folder(args.plots), history, p.schedule)
    files.write_json(args.metrics, metrics)
    cache.trim(compute.cache_gb)
    tell(metrics, p, reference.id)


def describe(material: Material, metrics: dict[str, float | int], p: Params, given: consent.Consent, base: Path) -> voice.Card:
    """What the model card tells."""
    return voice.Card(
        base=str(base),
        base_hash=material.base_hash,
        data_hash=material.data_hash,
        params=asdict(p),
        consent=given,
        epoch=int(metrics["best_epoch"]),
        loss=metrics["eval_loss"],
        base_loss=metrics["eval_loss_base"],
        train_clips=len(material.train),
        eval_clips=len(material.held_out),
    )


def tell(metrics: dict[str, float | int], p: Params, reference: str) -> None:
    """A few lines for a person."""
    base, best = metrics["eval_loss_base"], metrics["eval_loss"]
    print(f"train: best on eval is epoch {metrics['best_epoch']} of {p.epochs}: loss {best:.4f}, base {base:.4f}; reference {reference}")
    if best >= base:
        print("train: no epoch is better than the base on eval: lower train.lr, or add notes")


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("voice", type=Path, help="folder of the finished voice, made anew")
    parser.add_argument("--base", type=Path, required=True, help="folder of the XTTS base")
    parser.add_argument("--epochs", type=Path, required=True, help="folder for what each epoch did, made anew")
    parser.add_argument("--metrics", type=Path, required=True)
    parser.add_argument("--plots", type=Path, required=True, help="folder of curves, made anew")
    return parser.parse_args()


if __name__ == "__main__":
    command.run(main)
