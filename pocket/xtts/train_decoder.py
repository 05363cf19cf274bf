"""Train the decoder that turns the GPT's latents and a speaker embedding into 24 kHz sound.

    python -m torch.distributed.run --standalone --nproc-per-node 2 -m pocket.xtts.train_decoder pocket/build/packed pocket/build/xtts

Reads   pocket/build/packed, pocket/build/xtts/{latents.pt,targets.pt,voices.pt,speaker.pt}
Writes  pocket/build/xtts/decoder.pt    every 200 steps; run again to go on, also with new latents

A process per core shares each step's batch: with bfloat16 and targets made once, six stretches in 0.58 s on two cores where two threads
took 1.0 s for five. One process alone does, too.

The waveform alone first: a decoder that begins with spectra finds right loudness at wrong phases, and stays there. Then also spectral
losses and the speaker encoder's opinion (the speaker consistency of YourTTS, Casanova et al. 2022, arXiv:2112.02418, which XTTS
has too). Discriminators only where --adversary-from asks: not tried at length. What it shall say is moved to one pitch that it can
hold (pocket/xtts/pitch_grid.py), with pulses at fixed places in each code and one frozen noise: its waveform can be compared, too. It says
clean what was heard through a phone. The sound is one code (46 ms) late: the latent before a code only foresees it, the one after it
has heard it, and a last latent follows the last code anyway.
"""

import argparse
import os
from pathlib import Path

import numpy as np
import torch
import torch.distributed
from torch import nn

from pocket.arguments import arguments
from pocket.training import Progress, resume, warm_cosine
from pocket.xtts import base, decoder_losses
from pocket.xtts.base import DECODED_SAMPLES
from pocket.xtts.packed import PackedCorpus
from voz import compat
from voz.audio import wav
from voz.model import checkpoint, xtts
from voz.pipeline import command

STEPS, SPECTRAL_FROM = 12_000, 1000
BATCH, CODES = 6, 16  # 16 codes are 0.74 s
MEL_WEIGHT, FEATURE_WEIGHT = 5.0, 2.0  # HiFi-GAN has 45 on an unscaled mel and 2
WAVE_WEIGHT = 6.0
NOISE = 0.1  # added to the latents, whose size is 1: a fine-tuned GPT's are a little different
SPEAKER_WEIGHT = 15.0  # YourTTS has 9 beside HiFi-GAN's 45
JUDGES_LR = 5e-4


class Stretches(torch.utils.data.Dataset):
    """Random stretches of latents with their sound: an item is this process's share of a step, made ahead by another."""

    def __init__(self, corpus: PackedCorpus, build: Path, *, rank: int, world: int) -> None:
        self.latents = torch.load(build / "latents.pt", weights_only=True, mmap=True)["latents"]
        self.targets = torch.load(build / "targets.pt", weights_only=True, mmap=True)["targets"]
        voices = checkpoint.read(build / "voices.pt")
        self.voices, self.periods = voices["voices"], voices["periods"]
        self.rows = [row for row in corpus.rows if row.id in self.latents and len(self.latents[row.id]) > CODES]
        lengths = np.array([len(self.latents[row.id]) for row in self.rows], dtype=np.float64)
        self.share = lengths / lengths.sum()
        self.mine = range(rank, BATCH, world)

    def __getitem__(self, step: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Returns (latents [B, CODES, 256], embeddings [B, 512, 1], wav [B, CODES * 1120])."""
        drawn = [self.draw(np.random.default_rng((base.SEED, 7, step, i))) for i in self.mine]
        latents, voices, wavs = (torch.stack(part) for part in zip(*drawn, strict=True))
        return latents, voices[..., None], wavs

    def draw(self, rng: np.random.Generator) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """One stretch."""
        row = self.rows[rng.choice(len(self.rows), p=self.share)]
        own = self.latents[row.id]
        start = int(rng.integers(0, len(own) - CODES + 1))
        heard = own[start : start + CODES].float()
        heard = heard + NOISE * torch.from_numpy(rng.standard_normal(heard.shape, dtype=np.float32))
        which = int(rng.integers(len(self.voices[row.voice])))
        said = self.targets[row.id][int(self.periods[row.voice][which])]
        return heard, self.voices[row.voice][which], stretch(said, (start - 1) * DECODED_SAMPLES)


def stretch(said: torch.Tensor, start: int) -> torch.Tensor:
    """CODES codes of sound from `start` on, which may be negative; silence where there is none. int16 [T] -> float32 [CODES * 1120]"""
    missing = max(0, -start)
    piece = said[start + missing : start + CODES * DECODED_SAMPLES].float() / 32768
    return nn.functional.pad(piece, (missing, CODES * DECODED_SAMPLES - missing - len(piece)))


class Identity:
    """How unlike the voice that is asked for the made one is, to the speaker encoder."""

    def __init__(self, encoder: nn.Module) -> None:
        from torchaudio.transforms import Resample

        self.encoder, self.resample = encoder.eval().requires_grad_(False), Resample(wav.OUTPUT_RATE_HZ, wav.ASR_RATE_HZ)

    def distance(self, made: torch.Tensor, voices: torch.Tensor) -> torch.Tensor:
        """1 less the cosine of the embeddings, mean over the batch. [B, T], [B, 512, 1]"""
        return 1 - (self.encoder(self.resample(made), l2_norm=True) * voices[..., 0]).sum(1).mean()


class Distances:
    """How far the made sound is from the wanted."""

    def __init__(self, encoder: nn.Module) -> None:
        from torchaudio.transforms import MelSpectrogram

        self.mel = MelSpectrogram(
            wav.OUTPUT_RATE_HZ, n_fft=1024, hop_length=256, n_mels=80, power=1, norm="slaney", mel_scale="slaney", f_max=11_000
        )
        self.identity = Identity(encoder)

    def total(
        self, made: torch.Tensor, wanted: torch.Tensor, voices: torch.Tensor, *, spectra: bool
    ) -> tuple[torch.Tensor, dict[str, float]]:
        """The weighted sum, and its parts: the waveform's, with `spectra` also theirs and the speaker's. [B, T] twice, [B, 512, 1]"""
        found = {"wave": decoder_losses.wave_distance(made, wanted)}
        total = WAVE_WEIGHT * found["wave"]
        if spectra:
            found["spectral"] = decoder_losses.spectral_distance(made, wanted)
            found["mel"] = (self.log_mel(made) - self.log_mel(wanted)).abs().mean()
            found["unlike"] = self.identity.distance(made, voices)
            total = total + found["spectral"] + MEL_WEIGHT * found["mel"] + SPEAKER_WEIGHT * found["unlike"]
        return total, {name: value.item() for name, value in found.items()}

    def log_mel(self, wav: torch.Tensor) -> torch.Tensor:
        """[B, T] -> [B, 80, frames]"""
        return torch.log(self.mel(wav).clamp(min=1e-4))


def generate(decoder: xtts.hifigan_decoder.HifiDecoder, latents: torch.Tensor, voices: torch.Tensor) -> torch.Tensor:
    """coqui's `HifiDecoder.forward` for a batch (its own squeeze takes one at a time). -> [B, T]"""
    z = latents.transpose(1, 2)
    for scale in (decoder.ar_mel_length_compression / decoder.output_hop_length, decoder.output_sample_rate / decoder.input_sample_rate):
        if scale != 1:
            z = nn.functional.interpolate(z, scale_factor=[scale], mode="linear")
    return decoder.waveform_decoder(z, g=voices).squeeze(1)


def join_others() -> tuple[int, int]:
    """This process's number and how many there are, where `torch.distributed.run` started it; (0, 1) otherwise."""
    if "WORLD_SIZE" not in os.environ:
        return 0, 1
    torch.distributed.init_process_group("gloo")
    return torch.distributed.get_rank(), torch.distributed.get_world_size()


def average_gradients(module: nn.Module) -> None:
    """The mean over the processes, in one message."""
    if not torch.distributed.is_initialized():
        return
    gradients = [p.grad for p in module.parameters() if p.grad is not None]
    flat = torch.cat([gradient.flatten() for gradient in gradients])
    torch.distributed.all_reduce(flat)
    for gradient, part in zip(gradients, flat.split([g.numel() for g in gradients]), strict=True):
        gradient.copy_(part.view_as(gradient) / torch.distributed.get_world_size())


def step_judges(judges: decoder_losses.Discriminators, optimizer: torch.optim.Optimizer, made: torch.Tensor, wanted: torch.Tensor) -> None:
    """One step of the discriminators. [B, T] each"""
    optimizer.zero_grad(set_to_none=True)
    judges.judge(made.detach(), wanted).backward()
    average_gradients(judges)
    optimizer.step()


def main() -> None:
    args = parse_args()
    torch.set_num_threads(args.threads)
    rank, world = join_others()
    stretches = Stretches(PackedCorpus(args.packed), args.build, rank=rank, world=world)
    compat.load_torchaudio_without_extension()
    hifi = base.random_model(args.build).hifigan_decoder
    decoder = hifi.waveform_decoder.train()
    hifi.speaker_encoder.load_state_dict(checkpoint.read(args.build / "speaker.pt")["model"])
    distances, judges = Distances(hifi.speaker_encoder), decoder_losses.Discriminators()
    ours = torch.optim.AdamW(decoder.parameters(), lr=1.0, betas=(0.8, 0.99), weight_decay=1e-3)
    theirs = torch.optim.AdamW(judges.parameters(), lr=JUDGES_LR, betas=(0.8, 0.99), weight_decay=1e-3)
    path = args.build / "decoder.pt"
    parts = {"model": decoder, "judges": judges, "ours": ours, "theirs": theirs}
    done = resume(path, parts)
    progress = Progress("decoder", args.steps, 25)
    ahead = torch.utils.data.DataLoader(stretches, batch_size=None, sampler=range(done, args.steps), num_workers=1, prefetch_factor=8)
    for step, (latents, voices, wanted) in enumerate(ahead, start=done):
        for group in ours.param_groups:
            group["lr"] = warm_cosine(step, steps=args.steps, warm=50, peak=args.lr, last=0.1)
        with torch.autocast("cpu", torch.bfloat16):
            made = generate(hifi, latents, voices).float()
        loss, numbers = distances.total(made, wanted, voices, spectra=step >= SPECTRAL_FROM)
        if args.adversary_from is not None and step >= args.adversary_from:
            step_judges(judges, theirs, made, wanted)
            fooled, features = judges.persuade(made, wanted)
            loss = loss + min(1.0, (step - args.adversary_from) / 100) * (fooled + FEATURE_WEIGHT * features)
            numbers |= {"fooled": fooled.item(), "features": features.item()}
        ours.zero_grad(set_to_none=True)
        loss.backward()
        average_gradients(decoder)
        nn.utils.clip_grad_norm_(decoder.parameters(), 10.0)
        ours.step()
        if rank == 0:
            progress.add(step + 1, **numbers)
        if rank == 0 and ((step + 1) % 200 == 0 or step + 1 == args.steps):
            checkpoint.write(path, {name: part.state_dict() for name, part in parts.items()} | {"step": step + 1})
    if world > 1:
        torch.distributed.destroy_process_group()


def parse_args() -> argparse.Namespace:
    parser = arguments(__doc__, "packed", "build")
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--adversary-from", type=int, help="step; no discriminators without it")
    parser.add_argument("--lr", type=float, default=1.5e-3)
    return parser.parse_args()


if __name__ == "__main__":
    command.run(main)
