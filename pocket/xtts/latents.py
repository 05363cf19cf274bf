"""What the decoder hears, computed once: the GPT's latents of sentences it is told the codes of.

    python -m pocket.xtts.latents pocket/build/packed pocket/build/xtts

Reads   pocket/build/packed, pocket/build/xtts/{codes-ye.pt,codes-she.pt,gpt.pt}
Writes  pocket/build/xtts/latents.pt    per sentence: id, latents [N + 1, 256]

Both accents: a fine-tuned GPT says [ʃ], and its decoder is this one. Half of the sentences have [ʃ] and come from copies of the GPT that
were fine-tuned to say it: the base's own latents of [ʃ] are those of a surprise, and a decoder that knew only them made
[s] of what the fine-tuned voice said (20 lines: 6 % CER by Griffin-Lim of its codes, 13 % through that decoder). One copy
heard many voices, the others one each for as many steps as a fine-tuning has: they know it as a user's GPT knows its speaker.
"""

import argparse
import copy

import numpy as np
import torch

from pocket.arguments import arguments
from pocket.training import Progress
from pocket.xtts import base, fast_gpt
from pocket.xtts.packed import PackedCorpus
from pocket.xtts.train_gpt import TEXT_WEIGHT, Row, Sampler, read_rows
from voz.model import checkpoint
from voz.pipeline import command

ADAPTED_LR = 2e-4
MANY_VOICES_STEPS, ONE_VOICE_STEPS = 200, 80
ONE_VOICE_COPIES = 10


def adapted(gpt: torch.nn.Module, sampler: Sampler, steps: int) -> torch.nn.Module:
    """A copy of the GPT, fine-tuned on a sampler's sentences."""
    gpt = copy.deepcopy(gpt).train()
    shadow = fast_gpt.Shadow(gpt)
    optimizer = torch.optim.AdamW(gpt.parameters(), lr=ADAPTED_LR, betas=(0.9, 0.96), weight_decay=0.01)
    progress = Progress("[ʃ]", steps, 20)
    for step in range(steps):
        found = fast_gpt.losses(shadow.refresh(), sampler.batch(step + 1), sigma=None)
        (found["codes"] + TEXT_WEIGHT * found["text"]).backward()
        shadow.return_gradients()
        torch.nn.utils.clip_grad_norm_(gpt.parameters(), 1.0)
        optimizer.step()
        gpt.zero_grad(set_to_none=True)
        progress.add(step + 1, codes=found["codes"].item(), right=found["right"].item())
    return gpt.eval()


@torch.no_grad()
def latents(gpt: torch.nn.Module, rows: list[Row], sampler: Sampler) -> dict[str, torch.Tensor]:
    """Latents of each sentence: one before each code and one after the last, as coqui's inference hands to its decoder."""
    found: dict[str, torch.Tensor] = {}
    rng = np.random.default_rng(1)
    for first in range(0, len(rows), 12):
        part = rows[first : first + 12]
        samples = int(rng.uniform(2.5, 4.0) * 22050)
        cond = torch.cat([sampler.corpus.slices(rng, 1, samples, rows=sampler.clips[row.voice]) for row in part])
        mels = sampler.mel(cond)
        packed = fast_gpt.pack(gpt, fast_gpt.Batch(mels, [r.text for r in part], [r.codes for r in part], [r.places for r in part]))
        with torch.autocast("cpu", torch.bfloat16):
            out, _ = fast_gpt.latents_and_guidance(gpt, packed, gpt.get_style_emb(mels).transpose(1, 2), sigma=None)
        for row, own, spoken in zip(part, out, packed.is_code, strict=True):
            found[row.id] = own[spoken].half()
        if first % 1200 == 0:
            print(f"latents {first}/{len(rows)}", flush=True)
    return found


def with_sh(gpt: torch.nn.Module, she: list[Row], corpus: PackedCorpus, count: int) -> dict[str, torch.Tensor]:
    """Latents of about so many sentences with [ʃ]: half by the copy of many voices; half by the others, their own voice among them."""
    everyone = Sampler(she, corpus, steps=1)
    chosen = some(she, count)
    found = latents(adapted(gpt, everyone, MANY_VOICES_STEPS), in_order(chosen[::2]), everyone)
    told = sorted(everyone.of_role["asr"], key=lambda voice: (-len(everyone.of_voice[voice]), voice))[:ONE_VOICE_COPIES]
    for i, voice in enumerate(told):
        own = everyone.of_voice[voice]
        copied = adapted(gpt, Sampler(own, corpus, steps=1), ONE_VOICE_STEPS)
        others = [row for row in chosen[1::2][i::ONE_VOICE_COPIES] if row.voice not in told]
        found |= latents(copied, in_order([*own[::2], *others]), everyone)
    return found


def some(rows: list[Row], count: int) -> list[Row]:
    """About so many of them, of all lengths."""
    return rows[:: max(1, len(rows) // count)]


def in_order(rows: list[Row]) -> list[Row]:
    """Those of like length together: they make a batch."""
    return sorted(rows, key=lambda row: (row.tokens, row.id))


def main() -> None:
    args = parse_args()
    torch.set_num_threads(args.threads)
    corpus = PackedCorpus(args.packed, splits=("train",))
    model = base.random_model(args.build)
    gpt = torch.load(args.build / "gpt.pt", weights_only=True)
    model.gpt.load_state_dict(gpt["model"])
    model.gpt.eval()
    model.gpt.gpt.config.use_cache = False
    ye, she = (read_rows(args.build, "train", accents=(accent,)) for accent in ("ye", "she"))
    quarter = max(1, args.sentences // 4)
    by_base = [*some([row for row in ye if row.role == "gpt"], quarter), *some([row for row in ye if row.role != "gpt"], quarter)]
    found = latents(model.gpt, in_order(by_base), Sampler(ye, corpus, steps=1))
    found |= with_sh(model.gpt, she, corpus, 2 * quarter)
    checkpoint.write(args.build / "latents.pt", {"latents": found, "gpt_step": gpt["step"]})
    print(f"latents: {len(found)} sentences, GPT at step {gpt['step']}")


def parse_args() -> argparse.Namespace:
    parser = arguments(__doc__, "packed", "build")
    parser.add_argument(
        "--sentences",
        type=int,
        default=6000,
        help="of the train split: a quarter by the GPT's own voices, a quarter by other [ʝ] voices, half with [ʃ]",
    )
    return parser.parse_args()


if __name__ == "__main__":
    command.run(main)
