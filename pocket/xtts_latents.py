"""What the decoder hears, computed once: the GPT's latents of sentences it is told the codes of, and voices' embeddings.

    python -m pocket.xtts_latents pocket/build/packed pocket/build/xtts

Reads   pocket/build/packed, pocket/build/xtts/{codes-ye.pt,codes-she.pt,gpt.pt,speaker.pt}
Writes  pocket/build/xtts/latents.pt    per sentence: id, latents [N + 1, 256]; per voice: embeddings [2, 512]

Both accents: a fine-tuned GPT says [ʃ], and its decoder is this one.
"""

import argparse
from pathlib import Path

import numpy as np
import torch

from pocket import xtts_base, xtts_gpt
from pocket.train_xtts_gpt import Row, Sampler, read_rows
from pocket.xtts_data import Corpus, save
from voz import command, compat

EMBEDDINGS = 2  # per voice, from 4 to 8 s each


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
        packed = xtts_gpt.pack(gpt, xtts_gpt.Batch(mels, [r.text for r in part], [r.codes for r in part], [r.places for r in part]))
        with torch.autocast("cpu", torch.bfloat16):
            out, _ = xtts_gpt.latents_and_guidance(gpt, packed, gpt.get_style_emb(mels).transpose(1, 2), sigma=None)
        for row, own, spoken in zip(part, out, packed.is_code, strict=True):
            found[row.id] = own[spoken].half()
        if first % 1200 == 0:
            print(f"latents {first}/{len(rows)}", flush=True)
    return found


@torch.no_grad()
def embeddings(encoder: torch.nn.Module, corpus: Corpus) -> dict[str, torch.Tensor]:
    """Unit-length speaker embeddings of random stretches of each voice. [EMBEDDINGS, 512]"""
    compat.load_torchaudio_without_extension()
    from torchaudio.transforms import Resample

    resample, rng, made = Resample(22050, 16000), np.random.default_rng(2), {}
    for voice in corpus.voices:
        rows = [row for row in corpus.rows if row.voice == voice]
        lengths = rng.integers(2, 5, EMBEDDINGS)
        wav = [corpus.slices(rng, int(count), 2 * 22050, rows=rows).flatten() for count in lengths]
        made[voice] = torch.cat([encoder(resample(one[None]), l2_norm=True) for one in wav])
    return made


def main() -> None:
    args = parse_args()
    torch.set_num_threads(args.threads)
    corpus = Corpus(args.packed, splits=("train",))
    model = xtts_base.random_model(args.build)
    gpt = torch.load(args.build / "gpt.pt", weights_only=True)
    model.gpt.load_state_dict(gpt["model"])
    model.hifigan_decoder.speaker_encoder.load_state_dict(torch.load(args.build / "speaker.pt", weights_only=True)["model"])
    model.gpt.eval()
    model.gpt.gpt.config.use_cache = False
    rows = read_rows(args.build, "train", accents=("ye", "she"))
    own = [row for row in rows if row.role == "gpt"]
    other = [row for row in rows if row.role != "gpt"]
    half = max(1, args.sentences // 2)
    own, other = own[:: max(1, len(own) // half)], other[:: max(1, len(other) // half)]
    chosen = sorted([*own, *other], key=lambda row: (row.tokens, row.id))
    found = latents(model.gpt, chosen, Sampler(rows, corpus, steps=1))
    voices = embeddings(model.hifigan_decoder.speaker_encoder.eval(), corpus)
    save(args.build / "latents.pt", {"latents": found, "voices": voices, "gpt_step": gpt["step"]})
    print(f"latents: {len(found)} sentences, GPT at step {gpt['step']}")


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("packed", type=Path)
    parser.add_argument("build", type=Path)
    parser.add_argument("--sentences", type=int, default=4000, help="of the train split, half of them of the GPT's own voices")
    parser.add_argument("--threads", type=int, default=1)
    return parser.parse_args()


if __name__ == "__main__":
    command.run(main)
