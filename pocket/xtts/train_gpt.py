"""Train the GPT that turns text and a voice's conditioning into codes.

    python -m pocket.xtts.train_gpt pocket/build/packed pocket/build/xtts

Reads   pocket/build/packed (conditioning), pocket/build/xtts/codes-ye.pt
Writes  pocket/build/xtts/gpt.pt    every 200 steps; run again to go on

Compute is what lacks on two cores, hence bfloat16, four layers at first (the other two start as identities and join when the
speech is there), Muon for the matrices. Short sentences first, then all, then also two sentences of a voice in a row, so that
places of long ones are learnt. One attention head in each of four layers is led along the text at the start
(pocket/xtts/encode.py); the lead fades out.
"""

import argparse
import bisect
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from pocket.arguments import arguments
from pocket.training import Progress, resume, warm_cosine
from pocket.xtts import base, fast_gpt
from pocket.xtts.packed import PackedCorpus, mel_transform
from voz.model import checkpoint
from voz.pipeline import command

STEPS = 6000
TOKENS = 2600  # per step, text and codes
VOICES = {"gpt": 1, "asr": 1, "varied": 4}  # per step, by role; each voice's conditioning is computed once
MAX_ROW_TOKENS = 330  # of two sentences in a row
TEXT_WEIGHT = 0.01  # coqui's
SMOOTHING = 0.05  # of the odds: a code it never says, as those of [ʃ], must not become unthinkable to it
GARBLED = 0.06  # of the codes it hears
# Of --lr, by optimizer. What listens learnt at the second's rate once, and grew until the perceiver's norm overflowed: all
# latents 0 from then on, for every voice, and no gradient to come back with. At the third's it stayed alive for 1 200 steps.
RATES = (1.0, 0.7, 0.2)


@dataclass(frozen=True)
class Row:
    """One sentence, ready for the GPT; see pocket/xtts/encode.py."""

    id: str
    voice: str
    role: str
    codes: torch.Tensor
    text: torch.Tensor
    places: torch.Tensor

    @property
    def tokens(self) -> int:
        return len(self.codes) + len(self.text) + 3


def read_rows(build: Path, split: str, *, accents: tuple[str, ...] = ("ye",)) -> list[Row]:
    """Sentences of one split, short ones first. The GPT never hears [ʃ]: that is what fine-tuning has to bring."""
    found = [row for accent in accents for row in torch.load(build / f"codes-{accent}.pt", weights_only=True)["rows"]]
    rows = [Row(r["id"], r["voice"], r["role"], r["codes"].long(), r["text"].long(), r["places"]) for r in found if r["split"] == split]
    return sorted(rows, key=lambda row: (row.tokens, row.id))


class Sampler:
    """Batches of sentences of like length, voice by voice, the same for the same step."""

    def __init__(self, rows: list[Row], corpus: PackedCorpus, *, steps: int) -> None:
        self.steps, self.corpus, self.mel = steps, corpus, mel_transform(2048)
        self.rows = rows
        self.of_voice = {voice: [row for row in rows if row.voice == voice] for voice in sorted({row.voice for row in rows})}
        self.lengths = {voice: [row.tokens for row in own] for voice, own in self.of_voice.items()}
        self.of_role = {role: sorted({row.voice for row in rows if row.role == role}) for role in VOICES}
        self.clips = {voice: [row for row in corpus.rows if row.voice == voice] for voice in self.of_voice}

    def batch(self, step: int) -> fast_gpt.Batch:
        """The batch of a step. Up to 70 tokens at first, all lengths after a third of the steps, joined pairs after half."""
        rng = np.random.default_rng((base.SEED, step))
        limit = 70 + (MAX_ROW_TOKENS - 70) * min(1.0, 3 * step / self.steps)
        allowed = bisect.bisect_right([row.tokens for row in self.rows], limit)
        length = self.rows[int(rng.integers(0, allowed))].tokens
        pair = step > self.steps / 2 and rng.random() < 0.3
        voices = [str(voice) for role, count in VOICES.items() for voice in rng.permutation(self.of_role[role])[:count]]
        share = max(1, round(TOKENS / len(voices) / (length * (2 if pair else 1))))
        rows = [row for voice in voices for row in self.near(rng, voice, length, share * (2 if pair else 1))]
        if pair:
            rows = [join(a, b) for a, b in zip(rows[::2], rows[1::2], strict=True)]
        samples = int(rng.uniform(1.2, 2.0 if step < self.steps / 3 else 4.0) * 22050)
        cond = torch.cat([self.corpus.slices(rng, 1, samples, rows=self.clips[voice]) for voice in voices])
        return fast_gpt.Batch(self.mel(cond), [r.text for r in rows], [r.codes for r in rows], [r.places for r in rows])

    def voices(self, count: int) -> torch.Tensor:
        """What is heard of some voices, one recording each. [count, 80, S]"""
        rng = np.random.default_rng(0)
        return self.mel(torch.cat([self.corpus.slices(rng, 1, 3 * 22050, rows=self.clips[voice]) for voice in list(self.clips)[:count]]))

    def near(self, rng: np.random.Generator, voice: str, length: int, count: int) -> list[Row]:
        """Sentences of a voice whose length is nearest to `length`, drawn from a window a few times as wide as needed."""
        own = self.of_voice[voice]
        centre = bisect.bisect_left(self.lengths[voice], length)
        half_window = max(count, min(max(6, 2 * count), len(own) // 4))  # of few sentences, not all: their lengths differ
        low = max(0, min(centre - half_window, len(own) - 2 * half_window))
        window = own[low : low + 2 * half_window]
        return [window[i] for i in rng.choice(len(window), count, replace=len(window) < count)]


def join(a: Row, b: Row) -> Row:
    """Two sentences of a voice, one after the other; the language token is said once."""
    space = torch.tensor([base.SPECIAL.index("[SPACE]")])
    text = torch.cat([a.text, space, b.text[1:]])
    return Row(a.id, a.voice, a.role, torch.cat([a.codes, b.codes]), text, torch.cat([a.places, b.places + len(a.text)]))


def optimizers(gpt: torch.nn.Module) -> list[torch.optim.Optimizer]:
    """Muon for the matrices of the GPT-2 blocks, AdamW for the rest; what listens to the voice apart, see RATES."""
    matrices = [p for name, p in gpt.named_parameters() if name.startswith("gpt.h.") and p.ndim == 2]
    ears = list(fast_gpt.ears(gpt).parameters())
    chosen = {id(p) for p in (*matrices, *ears)}
    rest = [p for p in gpt.parameters() if id(p) not in chosen]
    return [
        torch.optim.Muon(matrices, lr=1.0, weight_decay=0.02, momentum=0.95, adjust_lr_fn="match_rms_adamw"),
        torch.optim.AdamW(rest, lr=1.0, betas=(0.9, 0.95), weight_decay=0.02),
        torch.optim.AdamW(ears, lr=1.0, betas=(0.9, 0.99), weight_decay=0.02),
    ]


class Together:
    """Several optimizers under one state dict."""

    def __init__(self, parts: list[torch.optim.Optimizer]) -> None:
        self.parts = parts

    def state_dict(self) -> dict[str, Any]:
        return {str(i): part.state_dict() for i, part in enumerate(self.parts)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        for i, part in enumerate(self.parts):
            part.load_state_dict(state[str(i)])


@torch.no_grad()
def evaluate(gpt: torch.nn.Module, rows: list[Row], sampler: Sampler) -> str:
    """Cross-entropy, accuracy and guidance on sentences of the dev split; how differently it hears their voices.

    Raises:
        UserError: it hears every voice alike.
    """
    rng = np.random.default_rng(0)
    sums = np.zeros(3)
    for first in range(0, len(rows), 16):
        part = sorted(rows[first : first + 16], key=lambda row: row.voice)
        cond = torch.cat([sampler.corpus.slices(rng, 1, 3 * 22050, rows=sampler.clips[row.voice]) for row in part])
        batch = fast_gpt.Batch(sampler.mel(cond), [r.text for r in part], [r.codes for r in part], [r.places for r in part])
        with torch.autocast("cpu", torch.bfloat16):
            found = fast_gpt.losses(gpt, batch, sigma=2.5)
        sums += np.array([found["codes"].item(), found["right"].item(), found["guided"].item()]) * len(part)
    codes, right, guided = sums / len(rows)
    spread = fast_gpt.spread(gpt, sampler.voices(16))
    if spread < fast_gpt.DEAF:
        raise command.UserError(
            f"GPT: it hears every voice alike (spread {spread:.0e})", "take a smaller --lr; its conditioning begins anew"
        )
    return f"codes {codes:.3f}  right {right:.3f}  guided {guided:.3f}  spread of the voices {spread:.3f}"


def main() -> None:
    args = parse_args()
    torch.set_num_threads(args.threads)
    corpus = PackedCorpus(args.packed, splits=("train", "dev"))
    rows, dev = read_rows(args.build, "train"), [row for row in read_rows(args.build, "dev") if row.role == "gpt"]
    model = base.random_model(args.build)
    gpt = model.gpt
    gpt.gpt.config.use_cache = False  # training builds a cache it never uses
    pace = sum(len(r.codes) for r in rows) / sum(len(r.text) for r in rows)
    fast_gpt.start_well(gpt, codes_per_character=pace)
    print(f"gpt: {len(rows)} sentences, {len({r.voice for r in rows})} voices, {pace:.2f} codes per character", flush=True)
    sampler, optimizer = Sampler(rows, corpus, steps=args.steps), Together(optimizers(gpt))
    path = args.build / "gpt.pt"
    done = resume(path, {"model": gpt, "optimizer": optimizer})
    if fast_gpt.spread(gpt, sampler.voices(16)) < fast_gpt.DEAF:
        fast_gpt.start_listening(gpt)
        print("it hears every voice alike: its conditioning begins anew", flush=True)
    progress = Progress("gpt", args.steps, 20)
    gpt.train()
    shadow = fast_gpt.Shadow(gpt)
    for step in range(done, args.steps):
        for part, rate in zip(optimizer.parts, RATES, strict=True):
            for group in part.param_groups:
                group["lr"] = warm_cosine(step, steps=args.steps, warm=100, peak=args.lr * rate)
        lead = max(0.0, 1 - 2 * step / args.steps)  # gone at half the steps
        layers = fast_gpt.FIRST_LAYERS if step < args.grow_at * args.steps else None
        sigma = 2.5 if lead else None
        found = fast_gpt.losses(shadow.refresh(), sampler.batch(step), sigma=sigma, layers=layers, garbled=GARBLED, seed=step)
        codes = (1 - SMOOTHING) * found["codes"] + SMOOTHING * found["even"]
        loss = codes + TEXT_WEIGHT * found["text"] + lead * found["guided"]
        loss.backward()
        shadow.return_gradients()
        norm = torch.nn.utils.clip_grad_norm_(gpt.parameters(), 1.0)
        for part in optimizer.parts:
            part.step()
        gpt.zero_grad(set_to_none=True)
        progress.add(
            step + 1,
            codes=found["codes"].item(),
            text=found["text"].item(),
            guided=found["guided"].item(),
            right=found["right"].item(),
            norm=norm.item(),
        )
        if (step + 1) % 200 == 0 or step + 1 == args.steps:
            checkpoint.write(path, {"model": gpt.state_dict(), "optimizer": optimizer.state_dict(), "step": step + 1})
            print(f"dev {step + 1}  {evaluate(gpt, dev, sampler)}", flush=True)


def parse_args() -> argparse.Namespace:
    parser = arguments(__doc__, "packed", "build")
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--lr", type=float, default=2e-3)
    parser.add_argument("--grow-at", type=float, default=0.6, help="share of the steps after which the last two layers join")
    return parser.parse_args()


if __name__ == "__main__":
    command.run(main)
