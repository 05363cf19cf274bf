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
import copy

import numpy as np
import torch

from pocket.arguments import arguments
from pocket.training import Progress
from pocket.xtts import base, fast_gpt
from pocket.xtts.gpt_batches import GptRow, Sampler, as_batch, in_order, read_rows
from pocket.xtts.packed import PackedCorpus
from pocket.xtts.train_gpt import TEXT_WEIGHT
from voz.model import checkpoint
from voz.pipeline import command

ADAPTED_LR = 2e-4
MANY_VOICES_STEPS, ONE_VOICE_STEPS = 200, 80
ONE_VOICE_COPIES = 10


def adapted(gpt: torch.nn.Module, sampler: Sampler, steps: int) -> torch.nn.Module:
    """A copy of the GPT, fine-tuned on a sampler's sentences."""
    gpt = copy.deepcopy(gpt).train()
    fast = fast_gpt.Bfloat16Copy(gpt)
    optimizer = torch.optim.AdamW(gpt.parameters(), lr=ADAPTED_LR, betas=(0.9, 0.96), weight_decay=0.01)
    progress = Progress("[ʃ]", steps, 20)
    for step in range(steps):
        found = fast_gpt.losses(fast.refresh(), sampler.batch(step + 1), sigma=None)
        (found["codes"] + TEXT_WEIGHT * found["text"]).backward()
        fast.return_gradients()
        torch.nn.utils.clip_grad_norm_(gpt.parameters(), 1.0)
        optimizer.step()
        gpt.zero_grad(set_to_none=True)
        progress.add(step + 1, {name: found[name].item() for name in ("codes", "right")})
    return gpt.eval()


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
        if first % 1200 == 0:
            print(f"latents {first}/{len(rows)}", flush=True)
    return found


def of_sheismo(gpt: torch.nn.Module, she: list[GptRow], corpus: PackedCorpus, count: int) -> dict[str, torch.Tensor]:
    """Latents of about `count` sentences with [ʃ]: half from the copy of many voices, half from the others, their own voice among them."""
    everyone = Sampler(she, corpus, steps=1)
    chosen = some(she, count)
    found = latents(adapted(gpt, everyone, MANY_VOICES_STEPS), in_order(chosen[::2]), everyone)
    known = sorted(everyone.of_role["asr"], key=lambda voice: (-len(everyone.of_voice[voice]), voice))[:ONE_VOICE_COPIES]
    for i, voice in enumerate(known):
        own = everyone.of_voice[voice]
        copied = adapted(gpt, Sampler(own, corpus, steps=1), ONE_VOICE_STEPS)
        others = [row for row in chosen[1::2][i::ONE_VOICE_COPIES] if row.voice not in known]
        found |= latents(copied, in_order([*own[::2], *others]), everyone)
    return found


def some(rows: list[GptRow], count: int) -> list[GptRow]:
    """About `count` of them, of all lengths."""
    return rows[:: max(1, len(rows) // count)]


def main() -> None:
    args = parse_args()
    torch.set_num_threads(args.threads)
    corpus = PackedCorpus(args.packed, splits=("train",))
    model = base.random_model(args.build)
    gpt = checkpoint.read(args.build / "gpt.pt")
    model.gpt.load_state_dict(gpt["model"])
    model.gpt.eval()
    model.gpt.gpt.config.use_cache = False
    ye, she = (read_rows(args.build, "train", accent=accent) for accent in ("ye", "she"))
    quarter = max(1, args.sentences // 4)
    by_base = [*some([row for row in ye if row.role == "gpt"], quarter), *some([row for row in ye if row.role != "gpt"], quarter)]
    found = latents(model.gpt, in_order(by_base), Sampler(ye, corpus, steps=1))
    found |= of_sheismo(model.gpt, she, corpus, 2 * quarter)
    voices = {row.id: row.voice for row in (*ye, *she) if row.id in found}
    checkpoint.write(args.build / "latents.pt", {"latents": found, "voices": voices, "gpt_step": gpt["step"]})
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
