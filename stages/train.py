"""Fine-tune the base's GPT on the dataset and export the voice; the eval split chooses the epoch and the reference recording.

    python -m stages.train data/dataset models/voice --base models/pocket/xtts --epochs reports/epochs \\
        --metrics reports/train.json --plots reports/plots/train

Reads   data/dataset/{manifest.jsonl, wavs/<id>.wav, consent.yaml}; the splits train and eval, never test
        BASE/{model.pth, config.json, vocab.json, dvae.pth, mel_stats.pth}, never written
Writes  models/voice/{model.pth, config.json, vocab.json, reference.wav, README.md}
        reports/epochs/{epochs.json, epoch-NN.wav}     losses by eval clip, an eval line spoken after each epoch (0 = base)
        reports/epochs/live/                           DVCLive's curves; during the training they grow in reports/.epochs.tmp/live/
        reports/train.json, reports/plots/train/{train,eval}.csv    aggregate numbers and curves

The model, its loss and its optimizer are those of coqui's GPTTrainer, with its prompt mask repaired (voz/model/gpt_trainer.py); a clip
that is conditioned on another clip (`conditioning: other_clip`) needs no mask. No gradient clipping, as in the recipe. After an
interruption or a kill the same command continues, and ends with the same bytes.
"""

import argparse
import hashlib
import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal

import torch
from pydantic import Field, field_validator

from voz.data import consent
from voz.model import batches, checkpoint, clip_features, device, dvae, export, gpt_trainer, reference, train_log, training_loop, xtts
from voz.pipeline import cache, command, files, params, records
from voz.pipeline.checked import section

STEP_VERSION = 1  # raise when the same data and parameters give other weights; tests/test_training_loop.py holds golden losses
BYTES_PER_WEIGHT = 36  # on disk: weights 4 and Adam 8, both twice while a state replaces another; best weights twice; the export


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
        """The parameters of the training loop."""
        return training_loop.Schedule(**{name: getattr(self, name) for name in training_loop.Schedule.__dataclass_fields__})


@dataclass(frozen=True)
class Material:
    """The data of a training.

    examples: of the train and the eval split.
    train, held_out: the samples of the train and the eval split.
    data_hash: of the clips and texts of both splits.
    base_hash: of the base's files.
    dvae_hash: of those that decide the codes.
    """

    examples: list[records.Example]
    train: list[batches.Sample]
    held_out: list[batches.Sample]
    data_hash: str
    base_hash: str
    dvae_hash: str


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
    hashes = {name: files.hash_file(base / name) for name in xtts.BASE_FILES}
    dvae_hash = files.combined_hash({name: hashes[name] for name in dvae.FILES})
    return Material(examples, train, held_out, data_hash, files.combined_hash(hashes), dvae_hash)


def encoded(material: Material, base: Path, where: torch.device) -> Material:
    """The material with the audio codes of all clips."""
    samples = clip_features.with_codes([*material.train, *material.held_out], base, material.dvae_hash, where)
    return replace(material, train=samples[: len(material.train)], held_out=samples[len(material.train) :])


def require_space(folder: Path, model: gpt_trainer.Trainer) -> None:
    """Refuse a training that the disk cannot hold. `folder` is the training's; a finished one needs no more space.

    Raises:
        UserError: too little space is left.
    """
    if not (folder / training_loop.DONE).is_file():
        weights = sum(weight.numel() for weight in model.xtts.gpt.parameters())
        files.require_free(folder, weights * BYTES_PER_WEIGHT, what="training")


def aggregate(material: Material, history: training_loop.History, p: Params) -> dict[str, float | int]:
    """The metrics."""
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
    """Train to the end and leave the best epoch's weights in `model`. The optimizer, twice as large as the weights, is freed on return."""
    on = next(model.parameters()).device
    loop = training_loop.TrainingLoop(model, material.train, material.held_out, p.schedule, folder=folder, device=on, on_epoch=log)
    history = loop.run()
    cache.log("train", device=str(on), computed=loop.computed, update_s=loop.update_s / max(1, loop.computed))
    model.xtts.gpt.load_state_dict(training_loop.best_weights(folder))
    return history


def main() -> None:
    args = parse_args()
    p, compute = params.load("train", Params), params.load("compute", params.Compute)
    where = device.pick(compute.device)
    device.require_precision(p.precision, where)
    given = consent.read(args.dataset)
    xtts.require(args.base)
    material = gather(args.dataset, args.base)
    store = cache.Cache("train", STEP_VERSION, params=asdict(p), model=material.base_hash)
    folder = store.path(store.key(material.data_hash))
    device.seed_everything(p.seed)
    material = encoded(material, args.base, where)
    model = gpt_trainer.build(args.base, lr=p.lr, weight_decay=p.weight_decay, betas=p.betas, eps=p.eps).to(where)
    require_space(folder, model)
    if p.conditioning == "other_clip":
        model.learning(False)
        material = replace(material, train=clip_features.with_latents(material.train, model.xtts, material.base_hash))
    texts = {example.id: example.normalized for example in material.examples}
    with files.whole_folder(args.epochs) as epochs:
        log = train_log.TrainLog(folder, epochs, model, p.schedule, material.held_out, texts)
        history = learn(model, material, p, folder, log)
        log.report(history)
    model.learning(False)
    base_hash, trained = material.base_hash, folder.name
    chosen = reference.choose(model.xtts, base_hash, trained, material.examples, material.train, material.held_out)
    metrics = aggregate(material, history, p)
    card = card_of(material, metrics, p, given, args.base)
    with files.whole_folder(args.voice) as voice:
        export.write(voice, args.base, checkpoint.weights(model.xtts.gpt), chosen, card)
    with files.whole_folder(args.plots) as plots:
        train_log.write_curves(plots, history, p.schedule)
    files.write_json(args.metrics, metrics)
    cache.trim(compute.cache_gb)
    print_summary(metrics, p, chosen.id)


def card_of(material: Material, metrics: dict[str, float | int], p: Params, given: consent.Consent, base: Path) -> export.Card:
    """The values of the model card."""
    return export.Card(
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


def print_summary(metrics: dict[str, float | int], p: Params, reference_id: str) -> None:
    """A few lines for a person."""
    base, best = metrics["eval_loss_base"], metrics["eval_loss"]
    print(f"train: best on eval is epoch {metrics['best_epoch']} of {p.epochs}: loss {best:.4f}, base {base:.4f}; reference {reference_id}")
    if best >= base:
        print("train: no epoch is better than the base on eval: lower train.lr, or add notes")


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("voice", type=Path, help="folder of the finished voice, made anew")
    parser.add_argument("--base", type=Path, required=True, help="folder of the XTTS base")
    parser.add_argument("--epochs", type=Path, required=True, help="folder of losses and a spoken line for each epoch, made anew")
    parser.add_argument("--metrics", type=Path, required=True)
    parser.add_argument("--plots", type=Path, required=True, help="folder of curves, made anew")
    return parser.parse_args()


if __name__ == "__main__":
    command.run(main)
