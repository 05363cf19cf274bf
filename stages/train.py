"""Fine-tune the base's GPT on the dataset and export the voice; the eval split chooses the epoch and the reference recording.

    python -m stages.train data/dataset models/voice --base models/pocket/xtts --asr models/pocket/whisper.pt --epochs reports/epochs \\
        --metrics reports/train.json --plots reports/plots/train

Reads   data/dataset/{manifest.jsonl, wavs/<id>.wav, consent.yaml}; the splits train and eval, of test only that there are clips
        BASE/{model.pth, config.json, vocab.json, dvae.pth, mel_stats.pth}, never written
        ASR, the Whisper checkpoint that transcribes the eval lines
Writes  models/voice/{model.pth, config.json, vocab.json, reference.wav, README.md}; with `method: lora` adapter.pth, no model.pth
        reports/epochs/epochs.json                     by epoch (0 = base): losses; CER, similarity, sheísmo of eval lines; both choices
        reports/epochs/epoch-NN/<clip>-<take>.wav      the eval lines as they were spoken after each epoch
        reports/epochs/live/                           DVCLive's curves; during the training they grow in reports/.epochs.tmp/live/
        reports/train.json, reports/plots/train/{train,eval,cer,similarity,sheismo}.csv    aggregate numbers and curves

The model, its loss and its optimizer are those of coqui's GPTTrainer, with its prompt mask repaired (voz/model/gpt_trainer.py); a clip
that is conditioned on another clip (`conditioning: other_clip`) needs no mask. After an interruption or a kill the same command
continues, and ends with the same bytes.
"""

import argparse
import functools
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import torch
from pydantic import Field, field_validator

from voz.data import consent
from voz.metrics import epoch_lines, eval_lines, reference
from voz.metrics.epoch_lines import EpochLines
from voz.metrics.reference import Candidate
from voz.model import (
    clip_features,
    device,
    export,
    gpt_trainer,
    learned,
    lora,
    needs,
    processes,
    stored,
    together,
    train_log,
    training_loop,
    training_material,
    transcriber,
    voice,
    xtts,
)
from voz.model.batches import Sample
from voz.model.history import History, Scores
from voz.model.schedule import Schedule
from voz.model.training_material import Material
from voz.pipeline import cache, cache_folders, command, files, language, params
from voz.pipeline.checked import section

STEP_VERSION = 3  # raise when the same data and parameters give other weights; tests/test_training_loop.py holds golden losses


@section
class Params:
    """Section `train` of params.yaml."""

    method: Literal["full", "lora"]
    lora_rank: int = Field(ge=1)
    lora_alpha: float = Field(gt=0)
    lora_dropout: float = Field(ge=0, lt=1)
    export_dtype: Literal["fp16", "fp32"]
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
    select: Literal["loss", "cer", "similarity"]
    patience: int = Field(ge=0)
    max_steps: int = Field(ge=0)
    warmup_steps: int = Field(ge=0)
    lr_schedule: Literal["constant", "cosine"]
    max_grad_norm: float = Field(ge=0)
    layers: Literal["all"] | Annotated[int, Field(ge=1)]
    min_minutes: float = Field(ge=0)
    max_minutes: float = Field(ge=0)
    deterministic: bool = True
    seed: int

    @field_validator("betas")
    @classmethod
    def _below_one(cls, value: list[float]) -> list[float]:
        if not all(0 <= beta < 1 for beta in value):
            raise ValueError(f"{value} are not two numbers in [0, 1)")
        return value

    @property
    def schedule(self) -> Schedule:
        """The parameters of the training loop."""
        return Schedule(**{name: getattr(self, name) for name in Schedule.__dataclass_fields__})

    @property
    def affecting(self) -> dict[str, Any]:
        """The parameters that decide the weights in training, beside its clips."""
        without = {"min_minutes", "max_minutes", "export_dtype"} | (set() if self.adapters else {"lora_rank", "lora_alpha", "lora_dropout"})
        without |= {"deterministic"} if self.deterministic else set()
        return {name: value for name, value in asdict(self).items() if name not in without}

    @property
    def adapters(self) -> lora.Settings | None:
        """Those of `method: lora`."""
        return lora.Settings(self.lora_rank, self.lora_alpha, self.lora_dropout, self.seed) if self.method == "lora" else None


@dataclass(frozen=True)
class Trained:
    """What a training came to.

    stored_loss: eval loss of the weights as they are stored.
    candidates: for the reference recording, the best first.
    """

    history: History
    stored_loss: float
    candidates: list[Candidate]


def training_folder(material: Material, p: Params, asr: transcriber.Transcriber, speaks_with: Sample) -> Path:
    """Where this training keeps its state and the lines that its epochs spoke. Its name depends on all that these depend on: on
    Whisper, or on the speaker encoder's embeddings, only where they choose.

    Args:
        speaks_with: the clip that the epochs speak with. curate's scores help to choose it (`reference.typical`), and decide nothing else.
    """
    versions = [clip_features.CODES_VERSION, voice.STEP_VERSION, eval_lines.STEP_VERSION]
    if p.conditioning == "other_clip":
        versions.append(clip_features.LATENTS_VERSION)
    judges = {"cer": [asr.hash, str(transcriber.GREEDY_VERSION)], "similarity": [str(clip_features.EMBEDDING_VERSION)]}
    store = cache.Cache("train", STEP_VERSION, params=p.affecting, model=material.base_hash)
    return store.path(store.key(material.data_hash, speaks_with.id, *map(str, versions), *judges.get(p.select, [])))


def aggregate(material: Material, trained: Trained, p: Params) -> dict[str, float | int]:
    """The metrics."""
    history = trained.history
    rows, best = train_log.evaluations(history, p.schedule), history.best_epoch(p.schedule)
    return {
        "best_epoch": best,
        "eval_loss_base": rows[0]["loss"],
        "eval_loss": rows[best]["loss"],
        "eval_loss_stored": trained.stored_loss,
        "eval_text_loss": rows[best]["text"],
        "eval_mel_loss": rows[best]["mel"],
        "eval_cer_base": rows[0]["cer"],
        "eval_cer": rows[best]["cer"],
        "eval_similarity_base": rows[0]["similarity"],
        "eval_similarity": rows[best]["similarity"],
        "updates": len(history.updates),
        "skipped_updates": history.skipped(),
        "train_clips": len(material.train),
        "train_minutes": material.minutes["train"],
        "eval_clips": len(material.held_out),
    }


def build(base: Path, p: Params) -> gpt_trainer.Trainer:
    """The model to train."""
    return gpt_trainer.build(base, lr=p.lr, weight_decay=p.weight_decay, betas=p.betas, eps=p.eps, layers=p.layers, adapters=p.adapters)


def loop_of(
    model: gpt_trainer.Trainer,
    material: Material,
    p: Params,
    folder: Path,
    listen: Callable[[int], Scores],
    recall: Callable[[int], Scores],
    log: Callable[[History], None],
) -> training_loop.TrainingLoop:
    """The training, not begun. listen, recall: see `TrainingLoop`"""
    return training_loop.TrainingLoop(
        model,
        material.train,
        material.held_out,
        p.schedule,
        folder=folder,
        device=model.device,
        listen=listen,
        recall=recall,
        on_epoch=log,
    )


def log_speed(loop: training_loop.TrainingLoop) -> None:
    """Note how long an update took in this process."""
    cache.log("train", device=str(loop.trainer.device), computed=loop.pace.updates, update_s=loop.pace.update_s)


def take_part(loop: Callable[[Callable[[History], None]], training_loop.TrainingLoop], epochs: Path, schedule: Schedule) -> None:
    """Do the part of one of several processes in a training. The first shows how far it is."""
    if not together.is_first():
        with processes.taking_part():
            loop(lambda history: None).run()
        return
    with processes.taking_part(), files.whole_folder(epochs) as folder:
        training = loop(train_log.TrainLog(folder, schedule))
        training.run()
        log_speed(training)


def learn(
    model: gpt_trainer.Trainer, material: Material, p: Params, folder: Path, spoken: EpochLines, log: train_log.TrainLog
) -> tuple[History, float]:
    """Train to the end and leave the best epoch's weights in `model`, as they are stored. The optimizer is freed on return.

    Returns:
        the history, and the eval loss of the weights as they are stored.
    """
    loop = loop_of(model, material, p, folder, spoken.listen, spoken.recall, log)
    history = loop.run()
    log_speed(loop)
    loop.learned.load(training_loop.best_weights(folder))
    loop.learned.round_to(stored.DTYPES[p.export_dtype])
    model.learning(False)
    return history, stored.eval_loss(loop.eval_loss, folder.name, p.export_dtype)


def to_store(model: gpt_trainer.Trainer, base: Path, p: Params) -> dict[str, torch.Tensor] | lora.Adapter:
    """What the voice's folder holds of the model."""
    weights = learned.of(model.xtts.gpt).stored(stored.DTYPES[p.export_dtype])
    return lora.adapter_of(weights, base=stored.hash_of(base), scaling=p.adapters.scaling) if p.adapters else weights


def main() -> None:
    args = parse_args()
    p, compute = params.load("train", Params), params.load("compute", params.Compute)
    where = device.pick(compute.device)
    device.require_precision(p.precision, where)
    given = consent.read(args.dataset)
    xtts.require(args.base)
    asr = transcriber.Transcriber(args.asr, where)
    material = training_material.gather(args.dataset, args.base, min_minutes=p.min_minutes, max_minutes=p.max_minutes)
    device.seed_everything(p.seed, deterministic=p.deterministic)
    material = material.encoded(args.base, where)
    model = build(args.base, p).to(where)
    model.learning(False)
    lines = eval_lines.choose(material.held_out_examples, material.held_out, model.xtts, material.base_hash, asr, seed=p.seed)
    clips = reference.typical(material.examples, material.train, model.xtts, material.base_hash, lines.speaker)
    folder = training_folder(material, p, asr, clips[0])
    if not processes.inside():
        needs.announce(model, material, p.schedule, folder)
    material = material.conditioned(model, p.conditioning)
    heard = lines.once() if p.select == "loss" else lines  # where epochs are not chosen by ear, one take is enough to hear them
    spoken = EpochLines(folder, heard, model.xtts, clips[0])
    if processes.inside():
        take_part(functools.partial(loop_of, model, material, p, folder, spoken.listen, spoken.recall), args.epochs, p.schedule)
        return
    if compute.processes > 1 or compute.nodes > 1:
        processes.train(model, ["-m", "stages.train", *sys.argv[1:]], compute, folder)
    with files.whole_folder(args.epochs) as epochs:
        history, loss = learn(model, material, p, folder, spoken, train_log.TrainLog(epochs, p.schedule))
        candidates = reference.choose(model.xtts, f"{folder.name} {p.export_dtype}", clips, material.held_out, lines)
        with language.used(args.language):
            epoch_lines.write(epochs, history, p.schedule, spoken, candidates)
    trained = Trained(history, loss, candidates)
    with files.whole_folder(args.voice) as folder_of_voice, language.used(args.language):
        card = card_of(material, trained, p, given, args.base)
        export.write(folder_of_voice, args.base, to_store(model, args.base, p), candidates[0].sample, card)
    with files.whole_folder(args.plots) as plots:
        train_log.write_curves(plots, history, p.schedule, clips=len(material.train))
    files.write_json(args.metrics, aggregate(material, trained, p))
    cache_folders.trim(compute.cache_gb)
    train_log.print_outcome(history, p.schedule, stored_as=p.export_dtype, stored_loss=loss, reference=candidates[0].sample.id)


def card_of(material: Material, trained: Trained, p: Params, given: consent.Consent, base: Path) -> export.Card:
    """The values of the model card."""
    return export.Card(
        base=str(base),
        base_hash=material.base_hash,
        data_hash=material.data_hash,
        params=p.affecting | {"export_dtype": p.export_dtype},
        consent=given,
        epoch=trained.history.best_epoch(p.schedule),
        evaluations=train_log.evaluations(trained.history, p.schedule),
        stored_loss=trained.stored_loss,
        references=[export.Reference(c.sample.id, c.loss, c.scores.cer, c.scores.similarity) for c in trained.candidates],
        train_clips=len(material.train),
        eval_clips=len(material.held_out),
    )


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("voice", type=Path, help="folder of the finished voice, made anew")
    parser.add_argument("--base", type=Path, required=True, help="folder of the XTTS base")
    parser.add_argument("--asr", type=Path, required=True, help="Whisper checkpoint that transcribes the eval lines")
    parser.add_argument("--epochs", type=Path, required=True, help="folder of losses and spoken lines for each epoch, made anew")
    parser.add_argument("--metrics", type=Path, required=True)
    parser.add_argument("--plots", type=Path, required=True, help="folder of curves, made anew")
    parser.add_argument("--language", choices=language.LANGUAGES, default="en", help="of the model card, whatever the user's is")
    return parser.parse_args()


if __name__ == "__main__":
    command.run(main)
