"""Train the decoder that turns the GPT's latents and a speaker embedding into 24 kHz sound.

    python -m pocket.train_xtts_decoder pocket/build/packed pocket/build/xtts

Reads   pocket/build/packed, pocket/build/xtts/latents.pt
Writes  pocket/build/xtts/decoder.pt    every 200 steps; run again to go on, also with new latents

Spectral losses first, discriminators from ADVERSARY_FROM on. The sound is one code (46 ms) late: the latent before a code only
foresees it, the one after it has heard it, and a last latent follows the last code anyway.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from torch import nn

from pocket import xtts_adversary, xtts_base
from pocket.xtts_data import HOP, Corpus, Progress, resume, save, warm_cosine
from voz import command, compat

STEPS, ADVERSARY_FROM = 4000, 2500
BATCH, CODES = 4, 16  # 16 codes are 0.74 s
OUTPUT_RATE_HZ = 24_000
MARGIN = 147 * 4  # samples of 22 050 Hz on both sides of a stretch, cut off after resampling (160 * 4)
MEL_WEIGHT, FEATURE_WEIGHT = 5.0, 2.0  # HiFi-GAN has 45 on an unscaled mel and 2


class Stretches:
    """Random stretches of latents with their sound."""

    def __init__(self, corpus: Corpus, build: Path) -> None:
        compat.load_torchaudio_without_extension()
        from torchaudio.transforms import Resample

        content = torch.load(build / "latents.pt", weights_only=True)
        self.latents, self.voices = content["latents"], content["voices"]
        self.corpus, self.resample = corpus, Resample(22050, OUTPUT_RATE_HZ)
        self.rows = [row for row in corpus.rows if row.id in self.latents and len(self.latents[row.id]) > CODES]
        lengths = np.array([len(self.latents[row.id]) for row in self.rows], dtype=np.float64)
        self.share = lengths / lengths.sum()

    def batch(self, step: int, samples: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Returns (latents [BATCH, CODES, 256], embeddings [BATCH, 512, 1], wav [BATCH, samples] at 24 kHz)."""
        rng = np.random.default_rng((xtts_base.SEED, 7, step))
        latents, voices, wavs = [], [], []
        for i in rng.choice(len(self.rows), BATCH, p=self.share):
            row = self.rows[i]
            own = self.latents[row.id]
            start = int(rng.integers(0, len(own) - CODES + 1))
            latents.append(own[start : start + CODES].float())
            voices.append(self.voices[row.voice][int(rng.integers(len(self.voices[row.voice])))])
            wavs.append(self.sound(row, (start - 1) * HOP, samples))
        return torch.stack(latents), torch.stack(voices)[..., None], torch.stack(wavs)

    def sound(self, row, start: int, samples: int) -> torch.Tensor:
        """Sound of a sentence from `start` (of 22 050 Hz, may be negative) at 24 kHz. [samples]"""
        first, length = start - MARGIN, CODES * HOP + 2 * MARGIN
        missing = max(0, -first)
        wav = nn.functional.pad(self.corpus.read(row, first + missing, length - missing), (missing, 0))
        return self.resample(wav)[160 * 4 :][:samples]


def log_mel(bank, wav: torch.Tensor) -> torch.Tensor:
    """[B, T] -> [B, 80, frames]"""
    return torch.log(bank(wav).clamp(min=1e-4))


def generate(decoder: nn.Module, latents: torch.Tensor, voices: torch.Tensor) -> torch.Tensor:
    """coqui's `HifiDecoder.forward` for a batch (its own squeeze takes one at a time). -> [B, T]"""
    z = nn.functional.interpolate(latents.transpose(1, 2), scale_factor=[HOP / 256], mode="linear")
    z = nn.functional.interpolate(z, scale_factor=[OUTPUT_RATE_HZ / 22050], mode="linear")
    return decoder(z, g=voices).squeeze(1)


def main() -> None:
    args = parse_args()
    torch.set_num_threads(args.threads)
    corpus = Corpus(args.packed)
    stretches = Stretches(corpus, args.build)
    from torchaudio.transforms import MelSpectrogram

    bank = MelSpectrogram(OUTPUT_RATE_HZ, n_fft=1024, hop_length=256, n_mels=80, power=1, norm="slaney", mel_scale="slaney", f_max=11_000)
    decoder = xtts_base.random_model(args.build).hifigan_decoder.waveform_decoder.train()
    judges = xtts_adversary.Discriminators()
    ours = torch.optim.AdamW(decoder.parameters(), lr=1.0, betas=(0.8, 0.99), weight_decay=1e-3)
    theirs = torch.optim.AdamW(judges.parameters(), lr=1.0, betas=(0.8, 0.99), weight_decay=1e-3)
    path = args.build / "decoder.pt"
    parts = {"model": decoder, "judges": judges, "ours": ours, "theirs": theirs}
    done = resume(path, parts)
    progress = Progress("decoder", args.steps, 25)
    with torch.no_grad():
        samples = generate(decoder, *stretches.batch(0, 1)[:2]).shape[1]
    for step in range(done, args.steps):
        adversarial = step >= args.adversary_from
        for group in ours.param_groups:
            group["lr"] = warm_cosine(step, steps=args.steps, warm=50, peak=args.lr, last=0.1)
        for group in theirs.param_groups:
            group["lr"] = 5e-4
        latents, voices, wanted = stretches.batch(step, samples)
        made = generate(decoder, latents, voices)
        numbers = {}
        if adversarial:
            judged = judges.judge(made.detach(), wanted)
            theirs.zero_grad(set_to_none=True)
            judged.backward()
            theirs.step()
            numbers["judged"] = judged.item()
        spectral = xtts_adversary.spectral_distance(made, wanted)
        mel = (log_mel(bank, made) - log_mel(bank, wanted)).abs().mean()
        loss = spectral + MEL_WEIGHT * mel
        if adversarial:
            fooled, features = judges.persuade(made, wanted)
            loss = loss + min(1.0, (step - args.adversary_from) / 100) * (fooled + FEATURE_WEIGHT * features)
            numbers |= {"fooled": fooled.item(), "features": features.item()}
        ours.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(decoder.parameters(), 10.0)
        ours.step()
        progress.add(step + 1, spectral=spectral.item(), mel=mel.item(), **numbers)
        if (step + 1) % 200 == 0 or step + 1 == args.steps:
            save(path, {name: part.state_dict() for name, part in parts.items()} | {"step": step + 1})


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("packed", type=Path)
    parser.add_argument("build", type=Path)
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--adversary-from", type=int, default=ADVERSARY_FROM)
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--threads", type=int, default=1)
    return parser.parse_args()


if __name__ == "__main__":
    command.run(main)
