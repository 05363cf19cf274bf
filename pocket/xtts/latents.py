"""The decoder's input, computed once: the GPT's latents of sentences whose codes it is given.

    python -m pocket.xtts.latents pocket/build/packed pocket/build/xtts

Reads   pocket/build/packed, pocket/build/xtts/{codes-ye.pt,codes-she.pt,gpt.pt}
Writes  pocket/build/xtts/latents.pt    per sentence: latents [N + 1, 256] and voice

Both accents: a fine-tuned GPT says [ʃ], and its decoder is this one. Half of the sentences have [ʃ] and come from copies of the GPT that
were fine-tuned on it: to the base every [ʃ] is unexpected, and a decoder trained on the base's latents alone turned the [ʃ] of the
fine-tuned voice into [s] (20 lines: 6 % CER by Griffin-Lim of its codes, 13 % through that decoder). One copy is trained on many voices,
the others on one each for as many steps as a fine-tuning has, so that they know their voice as a user's GPT knows its speaker.
"""

import argparse
import functools
import itertools
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from pocket.arguments import arguments
from pocket.xtts import base, fast_gpt
from pocket.xtts.gpt_batches import GptRow, Sampler, as_batch, read_rows
from pocket.xtts.packed import PackedCorpus
from pocket.xtts.train_gpt import TEXT_WEIGHT
from voz.model import checkpoint
from voz.pipeline import command, parallel

FINE_TUNING_LR = 2e-4
MANY_VOICES_STEPS, ONE_VOICE_STEPS = 200, 80
ONE_VOICE_COPIES = 6
BASE_SHARES = 4  # of the sentences that the base itself reads


def fine_tune(gpt: torch.nn.Module, sampler: Sampler, steps: int) -> None:
    """Fine-tune the GPT on a sampler's sentences."""
    gpt.train()
    fast = fast_gpt.Bfloat16Copy(gpt)
    optimizer = torch.optim.AdamW(gpt.parameters(), lr=FINE_TUNING_LR, betas=(0.9, 0.96), weight_decay=0.01)
    for step in range(steps):
        found = fast_gpt.losses(fast.refresh(), sampler.batch(step + 1), sigma=None)
        (found["codes"] + TEXT_WEIGHT * found["text"]).backward()
        fast.return_gradients()
        torch.nn.utils.clip_grad_norm_(gpt.parameters(), 1.0)
        optimizer.step()
        gpt.zero_grad(set_to_none=True)


@torch.no_grad()
def latents(gpt: torch.nn.Module, rows: list[GptRow], sampler: Sampler) -> dict[str, torch.Tensor]:
    """Latents of each sentence: one before each code and one after the last, as coqui's inference hands to its decoder."""
    found: dict[str, torch.Tensor] = {}
    rng = np.random.default_rng(1)
    for first in range(0, len(rows), 12):
        part = rows[first : first + 12]
        mels = sampler.conditioning(rng, [row.voice for row in part], int(rng.uniform(2.5, 4.0) * 22050))
        packed = fast_gpt.pack(gpt, as_batch(mels, part))
        with torch.autocast("cpu", torch.bfloat16):
            out, _ = fast_gpt.latents_and_guidance(gpt, packed, gpt.get_style_emb(mels).transpose(1, 2), sigma=None)
        for row, own, spoken in zip(part, out, packed.is_code, strict=True):
            found[row.id] = own[spoken].half()
    return found


@dataclass(frozen=True)
class Share:
    """Sentences that one GPT reads.

    accent, sentences: which, by their ids.
    learnt, steps: the voices that the GPT was fine-tuned on before, for so many steps; none for the base.
    """

    accent: str
    sentences: frozenset[str]
    learnt: frozenset[str] = frozenset()
    steps: int = 0


def shares(ye: list[GptRow], she: list[GptRow], count: int) -> list[Share]:
    """About `count` sentences: a quarter by the GPT's own voices, a quarter by other [ʝ] voices, half with [ʃ].

    Of those with [ʃ] half go to the copy of many voices, half to the others, their own voices' sentences among them.
    """
    quarter = max(1, count // 4)
    by_base = [*some([row for row in ye if row.role == "gpt"], quarter), *some([row for row in ye if row.role != "gpt"], quarter)]
    found = [Share("ye", ids(by_base[i::BASE_SHARES])) for i in range(BASE_SHARES)]
    chosen = some(she, 2 * quarter)
    found.append(Share("she", ids(chosen[::2]), frozenset(row.voice for row in she), MANY_VOICES_STEPS))
    sizes = Counter(row.voice for row in she if row.role == "asr")
    known = sorted(sizes, key=lambda voice: (-sizes[voice], voice))[:ONE_VOICE_COPIES]
    for i, voice in enumerate(known):
        own = [row for row in she if row.voice == voice]
        others = [row for row in chosen[1::2][i::ONE_VOICE_COPIES] if row.voice not in known]
        found.append(Share("she", ids([*own[::2], *others]), frozenset([voice]), ONE_VOICE_STEPS))
    return sorted(found, key=lambda share: -share.steps)  # the longest first


def ids(rows: list[GptRow]) -> frozenset[str]:
    """Of sentences."""
    return frozenset(row.id for row in rows)


def some(rows: list[GptRow], count: int) -> list[GptRow]:
    """About `count` of them, of all lengths."""
    return rows[:: max(1, len(rows) // count)]


def read_share(packed: Path, build: Path, share: Share) -> dict[str, torch.Tensor]:
    """The latents of a share, in a process of its own."""
    torch.set_num_threads(1)
    corpus, rows = PackedCorpus(packed, splits=("train",)), read_rows(build, "train", accent=share.accent)
    gpt = base.random_model(build).gpt
    gpt.load_state_dict(checkpoint.read(build / "gpt.pt")["model"])
    gpt.gpt.config.use_cache = False
    if share.learnt:
        fine_tune(gpt, Sampler([row for row in rows if row.voice in share.learnt], corpus, steps=1), share.steps)
    return latents(gpt.eval(), [row for row in rows if row.id in share.sentences], Sampler(rows, corpus, steps=1))


def main() -> None:
    args = parse_args()
    ye, she = (read_rows(args.build, "train", accent=accent) for accent in ("ye", "she"))
    wanted = shares(ye, she, args.sentences)
    made = parallel.map(functools.partial(read_share, args.packed, args.build), wanted, label="latents", unit="share")
    found = dict(itertools.chain.from_iterable(one.items() for one in made))
    voices = {row.id: row.voice for row in (*ye, *she) if row.id in found}
    step = checkpoint.read(args.build / "gpt.pt")["step"]
    checkpoint.write(args.build / "latents.pt", {"latents": found, "voices": voices, "gpt_step": step})
    print(f"latents: {len(found)} sentences, GPT at step {step}")


def parse_args() -> argparse.Namespace:
    parser = arguments(__doc__, "packed", "build", threads=False)
    parser.add_argument(
        "--sentences",
        type=int,
        default=3000,
        help="of the train split: a quarter by the GPT's own voices, a quarter by other [ʝ] voices, half with [ʃ]",
    )
    return parser.parse_args()


if __name__ == "__main__":
    command.run(main)
