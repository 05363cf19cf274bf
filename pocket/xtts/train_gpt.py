"""Train the GPT that turns text and a voice's conditioning into codes.

    python -m torch.distributed.run --standalone --nproc-per-node 2 -m pocket.xtts.train_gpt pocket/build/packed pocket/build/xtts

Reads   pocket/build/packed (conditioning), pocket/build/xtts/codes-ye.pt
Writes  pocket/build/xtts/gpt.pt, gpt.jsonl    run again to go on

Two cores have little compute, hence bfloat16, four layers at first (the other two start as identities and join when the
speech is there), Muon for the matrices. Short sentences first, then all, then also two sentences of a voice in a row, so that
late positions are trained. One attention head in each of three layers is guided along the text at the start
(pocket/xtts/encode.py); the guidance fades out. After this first cycle, in which the rate falls to a twentieth, it rises again to half
and falls once more (warm restarts, Loshchilov and Hutter 2017, arXiv:1608.03983): after 6 000 steps the loss still falls.
"""

import argparse
import functools
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from pocket import processes
from pocket.arguments import arguments
from pocket.training import Numbers, Training, set_rate, warm_cosine
from pocket.xtts import base, fast_gpt
from pocket.xtts.gpt_batches import GptRow, Sampler, as_batch, read_rows
from pocket.xtts.packed import PackedCorpus
from voz.pipeline import command

FIRST_CYCLE, STEPS = 6000, 12_000
RESTART = 0.5  # of --lr
SAVE_EVERY = 200  # steps, about five minutes
GUIDANCE_WIDTH = 2.5  # characters
TEXT_WEIGHT = 0.01  # coqui's
SMOOTHING = 0.05  # of the probability: a code that the corpus lacks, as those of [ʃ], must not become impossible
SWAPPED = 0.06  # share of the input codes
MEASURED_VOICES = 16
OTHERS_RATE = 0.7  # of Muon's, for what is no matrix
# The conditioning's rate is never more than this share of --lr. At 0.7 of it the conditioning grew until the perceiver's norm overflowed:
# all latents 0 from then on, for every voice, and no gradient to recover with. At 0.2 it never came near.
CONDITIONING_LIMIT = 0.2


def optimizers(gpt: torch.nn.Module) -> list[torch.optim.Optimizer]:
    """Muon for the matrices of the GPT-2 blocks, AdamW for the rest and another for the conditioning, see `rates`."""
    matrices = [p for name, p in gpt.named_parameters() if name.startswith("gpt.h.") and p.ndim == 2]
    conditioning = list(fast_gpt.conditioning_modules(gpt).parameters())
    chosen = {id(p) for p in (*matrices, *conditioning)}
    rest = [p for p in gpt.parameters() if id(p) not in chosen]
    return [
        torch.optim.Muon(matrices, lr=1.0, weight_decay=0.02, momentum=0.95, adjust_lr_fn="match_rms_adamw"),
        torch.optim.AdamW(rest, lr=1.0, betas=(0.9, 0.95), weight_decay=0.02),
        torch.optim.AdamW(conditioning, lr=1.0, betas=(0.9, 0.99), weight_decay=0.02),
    ]


class Optimizers:
    """Several optimizers under one state dict."""

    def __init__(self, all_of_them: list[torch.optim.Optimizer]) -> None:
        self.all = all_of_them

    def state_dict(self) -> dict[str, Any]:
        return {str(i): one.state_dict() for i, one in enumerate(self.all)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        for i, one in enumerate(self.all):
            one.load_state_dict(state[str(i)])


def rate(step: int, *, steps: int, lr: float) -> float:
    """The learning rate of a step: of the first cycle, or of the second."""
    if step < FIRST_CYCLE:
        return warm_cosine(step, steps=FIRST_CYCLE, warm=100, peak=lr)
    return warm_cosine(step - FIRST_CYCLE, steps=steps - FIRST_CYCLE, warm=100, peak=RESTART * lr)


def rates(step: int, *, steps: int, lr: float) -> tuple[float, float, float]:
    """The learning rates of a step: of the matrices, of the rest, and of the conditioning."""
    now = rate(step, steps=steps, lr=lr)
    return now, OTHERS_RATE * now, min(now, CONDITIONING_LIMIT * lr)


@torch.no_grad()
def evaluate(gpt: torch.nn.Module, rows: list[GptRow], sampler: Sampler) -> Numbers:
    """Cross-entropy, accuracy and guidance loss on sentences of the dev split; how far the conditioning of voices differs.

    Raises:
        UserError: the GPT ignores its reference recording.
    """
    rng = np.random.default_rng(0)
    sums = np.zeros(3)
    for first in range(0, len(rows), 16):
        part = sorted(rows[first : first + 16], key=lambda row: row.voice)
        batch = as_batch(sampler.conditioning(rng, [row.voice for row in part], 3 * 22050), part)
        with torch.autocast("cpu", torch.bfloat16):
            found = fast_gpt.losses(gpt, batch, sigma=GUIDANCE_WIDTH)
        sums += np.array([found["codes"].item(), found["right"].item(), found["guided"].item()]) * len(part)
    codes, right, guided = sums / len(rows)
    spread = fast_gpt.voice_spread(gpt, sampler.some_conditioning(MEASURED_VOICES))
    if spread < fast_gpt.MIN_SPREAD:
        raise command.UserError(
            f"the GPT ignores its reference recording (spread {spread:.0e})", "take a smaller --lr; its conditioning is reset"
        )
    return {"dev_codes": codes, "dev_right": right, "dev_guided": guided, "voice_spread": spread}


@dataclass
class Learner:
    """The GPT, what it learns with, and the schedule. grow_at: share of the first cycle after which the last two layers join."""

    gpt: torch.nn.Module
    fast: fast_gpt.Bfloat16Copy
    optimizers: Optimizers
    steps: int
    lr: float
    grow_at: float
    rank: int
    world: int

    def advance(self, sampler: Sampler, step: int) -> Numbers:
        """One step."""
        for optimizer, now in zip(self.optimizers.all, rates(step, steps=self.steps, lr=self.lr), strict=True):
            set_rate(optimizer, now)
        guidance = max(0.0, 1 - 2 * step / FIRST_CYCLE)  # gone at half of it
        found = fast_gpt.losses(
            self.fast.refresh(),
            sampler.batch(step).of_process(self.rank, self.world),
            sigma=GUIDANCE_WIDTH if guidance else None,
            layers=fast_gpt.FIRST_LAYERS if step < self.grow_at * FIRST_CYCLE else None,
            swapped=SWAPPED,
            seed=step * self.world + self.rank,
        )
        codes = (1 - SMOOTHING) * found["codes"] + SMOOTHING * found["uniform"]
        (codes + TEXT_WEIGHT * found["text"] + guidance * found["guided"]).backward()
        self.fast.return_gradients()
        processes.average_gradients(self.gpt)
        norm = torch.nn.utils.clip_grad_norm_(self.gpt.parameters(), 1.0)
        for optimizer in self.optimizers.all:
            optimizer.step()
        self.gpt.zero_grad(set_to_none=True)
        return {**{name: found[name].item() for name in ("codes", "text", "guided", "right")}, "norm": norm.item()}


def main() -> None:
    args = parse_args()
    torch.set_num_threads(args.threads)
    rank, world = processes.join()
    corpus = PackedCorpus(args.packed, splits=("train", "dev"))
    rows, dev = read_rows(args.build, "train"), [row for row in read_rows(args.build, "dev") if row.role == "gpt"]
    gpt = base.random_model(args.build).gpt
    gpt.gpt.config.use_cache = False  # training builds a cache it never uses
    pace = sum(len(r.codes) for r in rows) / sum(len(r.text) for r in rows)
    fast_gpt.initialise(gpt, codes_per_character=pace)
    print(f"gpt: {len(rows)} sentences, {len({r.voice for r in rows})} voices, {pace:.2f} codes per character", flush=True)
    sampler, chosen = Sampler(rows, corpus, steps=FIRST_CYCLE), Optimizers(optimizers(gpt))
    parts = {"model": gpt, "optimizer": chosen}
    training = Training(args.build / "gpt.pt", parts, steps=args.steps, save_every=SAVE_EVERY, print_every=20, writes=rank == 0)
    training.resume()
    if fast_gpt.voice_spread(gpt, sampler.some_conditioning(MEASURED_VOICES)) < fast_gpt.MIN_SPREAD:
        fast_gpt.reset_conditioning(gpt)
        print("the GPT ignores its reference recording: its conditioning is reset", flush=True)
    gpt.train()
    learner = Learner(gpt, fast_gpt.Bfloat16Copy(gpt), chosen, args.steps, args.lr, args.grow_at, rank, world)
    training.run(functools.partial(learner.advance, sampler), measure=lambda means: evaluate(gpt, dev, sampler))
    processes.leave()


def parse_args() -> argparse.Namespace:
    parser = arguments(__doc__, "packed", "build", steps=STEPS)
    parser.add_argument("--lr", type=float, default=2e-3)
    parser.add_argument("--grow-at", type=float, default=0.6, help="share of the first 6 000 steps after which the last two layers join")
    return parser.parse_args()


if __name__ == "__main__":
    command.run(main)
