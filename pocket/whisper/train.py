"""Train the pocket Whisper on the corpus as a phone transmits it. Resumes from its checkpoint.

    python -m pocket.whisper.train pocket/build/corpus pocket/build/whisper models/pocket/whisper.pt

Reads   pocket/build/corpus/manifest.jsonl             its texts define the vocabulary
        pocket/build/whisper/shard-*.i16, *.jsonl      (pocket/whisper/shards.py)
Writes  pocket/build/whisper/checkpoint.pt             weights, optimizer, step
        pocket/build/whisper/checkpoint.jsonl          the curve: step, cross-entropy, CER on the dev voices, hours
        pocket/build/whisper/newest.pt                 the model exported with each checkpoint
        models/pocket/whisper.pt                       at the end: what `whisper.load_model(path)` reads, half precision

In most steps the encoder gets a batch cut to its longest clip (plus some silence), with the first of its positions; in a tenth of the
steps, and in all of the last ones, the full 12 s that inference pads to.
"""

import argparse
import functools
from dataclasses import asdict
from pathlib import Path

import jiwer
import numpy as np
import torch
import whisper
from whisper.decoding import DecodingOptions, decode
from whisper.model import Whisper

from pocket.arguments import arguments
from pocket.corpus.manifest import read_manifest
from pocket.corpus.sentences import fold
from pocket.training import Numbers, Training, set_rate, warm_cosine
from pocket.whisper.batches import LETTERS, SEED, WINDOW_S, Batches, log_mel, prompt_texts
from pocket.whisper.losses import loss_of
from pocket.whisper.shards import RATE_HZ, ShardClip, Shards, read_clips
from pocket.whisper.vocabulary import DIMS, LANGUAGE, CompactVocab
from voz.model import checkpoint
from voz.pipeline import command

STEPS = 8400
SAVE_EVERY = 500  # steps, about five minutes
DIAGONAL_STEPS = 1000  # attention is guided to the diagonal at first, then to CTC's alignment
WARMUP_STEPS = 250
PEAK_RATE, FINAL_SHARE, WEIGHT_DECAY, CLIP_NORM = 1.5e-3, 0.02, 0.02, 1.0
DEV_CLIPS = 40
MEASURE_BELOW = 3.0  # cross-entropy under which the dev CER is worth its time


def export(model: Whisper, vocab: CompactVocab, path: Path) -> None:
    checkpoint.write(path, {"dims": asdict(DIMS), "model_state_dict": vocab.full_state(model.state_dict())})


@torch.no_grad()
def error_rate(path: Path, shards: Shards, clips: list[ShardClip], *, batch: int = 20) -> float:
    """CER over `clips` (letters only, lower case) of the exported model, at 12 s of padding and greedy, as the product runs it."""
    model = whisper.load_model(str(path), device="cpu").eval()
    options = DecodingOptions(language=LANGUAGE, without_timestamps=True, fp16=False)
    texts: list[str] = []
    for at in range(0, len(clips), batch):
        rows = [shards.read(clip) for clip in clips[at : at + batch]]
        padded = np.stack([np.pad(row[: int(WINDOW_S * RATE_HZ)], (0, max(0, int(WINDOW_S * RATE_HZ) - len(row)))) for row in rows])
        texts += [result.text for result in decode(model, log_mel(torch.from_numpy(padded)), options)]
    return float(jiwer.cer([fold(clip.text) for clip in clips], [fold(text) for text in texts]))


class Learner:
    """The model, CTC's layer and their optimizer, with random weights from SEED."""

    def __init__(self, vocab: CompactVocab) -> None:
        torch.manual_seed(SEED)
        self.vocab = vocab
        self.model = vocab.small_model().train()
        self.letters = torch.nn.Linear(DIMS.n_audio_state, len(LETTERS) + 1)
        self.weights = [*self.model.parameters(), *self.letters.parameters()]
        self.optimizer = torch.optim.AdamW(self.weights, lr=PEAK_RATE, betas=(0.9, 0.98), weight_decay=WEIGHT_DECAY, fused=True)

    def advance(self, batches: Batches, steps: int, step: int) -> Numbers:
        """One step of `steps`."""
        batch = batches.make(step, steps)
        set_rate(self.optimizer, warm_cosine(step, steps=steps, warm=WARMUP_STEPS, peak=PEAK_RATE, last=FINAL_SHARE))
        loss, cross_entropy = loss_of(self.model, self.letters, self.vocab, batch, diagonal=step < DIAGONAL_STEPS)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.weights, CLIP_NORM)
        self.optimizer.step()
        return {"cross_entropy": cross_entropy.item(), "loss": loss.item()}

    def measure(self, path: Path, shards: Shards, clips: list[ShardClip], means: Numbers) -> Numbers:
        """Export to `path`; the CER of that model once the cross-entropy is low."""
        export(self.model, self.vocab, path)
        return {"cer_dev": error_rate(path, shards, clips)} if means["cross_entropy"] < MEASURE_BELOW else {}


def main() -> None:
    args = parse_args()
    torch.set_num_threads(args.threads)
    clips = read_clips(args.data)
    prompts = prompt_texts([clip.text for clip in clips if clip.split == "train"])
    learner = Learner(CompactVocab([row.text for row in read_manifest(args.corpus)], prompts))
    parts = {"model": learner.model, "letters": learner.letters, "optimizer": learner.optimizer}
    training = Training(args.data / "checkpoint.pt", parts, steps=args.steps, save_every=SAVE_EVERY, print_every=50)
    training.resume()
    if not args.export_only:
        batches = Batches(args.data, learner.vocab, clips)
        print(f"{learner.vocab.size} tokens, {len(batches.clips)} clips, from step {training.done}", flush=True)
        dev = [clip for clip in clips if clip.split == "dev"][:DEV_CLIPS]
        training.run(
            functools.partial(learner.advance, batches, args.steps),
            measure=functools.partial(learner.measure, args.data / "newest.pt", batches.shards, dev),
        )
    export(learner.model, learner.vocab, args.out)


def parse_args() -> argparse.Namespace:
    parser = arguments(__doc__, "corpus", "data", "out", steps=STEPS)
    parser.add_argument("--export-only", action="store_true", help="write the checkpoint's weights to OUT and stop")
    return parser.parse_args()


if __name__ == "__main__":
    command.run(main)
