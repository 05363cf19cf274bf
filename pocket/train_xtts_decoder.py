"""Train the decoder that turns the GPT's latents and a speaker embedding into 24 kHz sound.

    python -m pocket.train_xtts_decoder pocket/build/corpus pocket/build/packed pocket/build/xtts

Reads   pocket/build/corpus (what it shall say), pocket/build/packed, pocket/build/xtts/{latents.pt,voices.pt,speaker.pt}
Writes  pocket/build/xtts/decoder.pt    every 200 steps; run again to go on, also with new latents

The waveform alone first: a decoder that begins with spectra finds right loudness at wrong phases, and stays there. Then also spectral
losses and the speaker encoder's opinion (the speaker consistency of YourTTS, Casanova et al. 2022, arXiv:2112.02418, which XTTS
has too). Discriminators only where --adversary-from asks: not tried at length. What it shall say is moved to one pitch that it can
hold (pocket/xtts_pitch.py), with pulses at fixed places in each code and one frozen noise: its waveform can be compared, too. It says
clean what was heard through a phone. The sound is one code (46 ms) late: the latent before a code only foresees it, the one after it
has heard it, and a last latent follows the last code anyway.
"""

import argparse
import functools
import math
from pathlib import Path

import numpy as np
import torch
from torch import nn

from pocket import xtts_adversary, xtts_base, xtts_pitch
from pocket.xtts_data import HOP, Corpus, Progress, arguments, at_level, resume, warm_cosine
from voz import audio, checkpoint, command, compat, xtts

STEPS, SPECTRAL_FROM = 12_000, 1000
BATCH, CODES = 5, 16  # 16 codes are 0.74 s
OUTPUT_RATE_HZ = 24_000
SAMPLES = math.prod(xtts_base.WIDTHS.decoder_upsampling)  # per code
MARGIN = 640  # samples of 22 050 Hz on both sides of a stretch, cut off after resampling
MEL_WEIGHT, FEATURE_WEIGHT = 5.0, 2.0  # HiFi-GAN has 45 on an unscaled mel and 2
WAVE_WEIGHT = 6.0
NOISE = 0.1  # added to the latents, whose size is 1: a fine-tuned GPT's are a little different
SPEAKER_WEIGHT = 6.0  # YourTTS has 9 beside HiFi-GAN's 45


class Stretches(torch.utils.data.Dataset):
    """Random stretches of latents with their sound: an item is the batch of a step, made ahead by a process of its own."""

    def __init__(self, folder: Path, corpus: Corpus, build: Path) -> None:
        compat.load_torchaudio_without_extension()
        from torchaudio.transforms import Resample

        self.latents = torch.load(build / "latents.pt", weights_only=True)["latents"]
        voices = torch.load(build / "voices.pt", weights_only=True)
        self.voices, self.periods = voices["voices"], voices["periods"]
        self.folder, self.resample = folder, Resample(HOP, SAMPLES)
        self.rows = [row for row in corpus.rows if row.id in self.latents and len(self.latents[row.id]) > CODES]
        lengths = np.array([len(self.latents[row.id]) for row in self.rows], dtype=np.float64)
        self.share = lengths / lengths.sum()

    def __getitem__(self, step: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Returns (latents [BATCH, CODES, 256], embeddings [BATCH, 512, 1], wav [BATCH, CODES * 1120])."""
        rng = np.random.default_rng((xtts_base.SEED, 7, step))
        latents, voices, wavs = [], [], []
        for i in rng.choice(len(self.rows), BATCH, p=self.share):
            row = self.rows[i]
            own = self.latents[row.id]
            start = int(rng.integers(0, len(own) - CODES + 1))
            heard = own[start : start + CODES].float()
            latents.append(heard + NOISE * torch.from_numpy(rng.standard_normal(heard.shape, dtype=np.float32)))
            which = int(rng.integers(len(self.voices[row.voice])))
            voices.append(self.voices[row.voice][which])
            wavs.append(self.sound(row.id, (start - 1) * HOP, int(self.periods[row.voice][which])))
        return torch.stack(latents), torch.stack(voices)[..., None], torch.stack(wavs)

    def sound(self, sentence: str, start: int, periods: int) -> torch.Tensor:
        """Sound of a sentence from `start` (of 22 050 Hz, may be negative) at the decoder's rate and a pitch. [CODES * 1120]"""
        first, length = start - MARGIN, CODES * HOP + 2 * MARGIN
        missing = max(0, -first)
        piece = self.on_grid(sentence, periods)[first + missing : first + length]
        wav = nn.functional.pad(torch.from_numpy(piece.astype(np.float32)) / 32768, (missing, length - missing - len(piece)))
        return self.resample(wav)[MARGIN * SAMPLES // HOP :][: CODES * SAMPLES]

    @functools.cache  # noqa: B019 - as long as the training
    def on_grid(self, sentence: str, periods: int) -> np.ndarray:
        """PCM16 of a sentence at so many periods per code."""
        return audio.to_int16(xtts_pitch.on_grid(at_level(audio.read(self.folder / "wav" / f"{sentence}.wav")), periods))


def log_mel(bank, wav: torch.Tensor) -> torch.Tensor:
    """[B, T] -> [B, 80, frames]"""
    return torch.log(bank(wav).clamp(min=1e-4))


class Identity:
    """How unlike the wanted voice the made one is, to the speaker encoder."""

    def __init__(self, encoder: nn.Module) -> None:
        from torchaudio.transforms import Resample

        self.encoder, self.resample = encoder.eval().requires_grad_(False), Resample(OUTPUT_RATE_HZ, audio.ASR_RATE_HZ)

    def distance(self, made: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
        """1 less the cosine of the embeddings, mean over the batch. [B, T] each"""
        mine, theirs = (self.encoder(self.resample(wav), l2_norm=True) for wav in (made, wanted))
        return 1 - (mine * theirs).sum(1).mean()


def generate(decoder: xtts.hifigan_decoder.HifiDecoder, latents: torch.Tensor, voices: torch.Tensor) -> torch.Tensor:
    """coqui's `HifiDecoder.forward` for a batch (its own squeeze takes one at a time). -> [B, T]"""
    z = latents.transpose(1, 2)
    for scale in (decoder.ar_mel_length_compression / decoder.output_hop_length, decoder.output_sample_rate / decoder.input_sample_rate):
        if scale != 1:
            z = nn.functional.interpolate(z, scale_factor=[scale], mode="linear")
    return decoder.waveform_decoder(z, g=voices).squeeze(1)


def main() -> None:
    args = parse_args()
    torch.set_num_threads(args.threads)
    stretches = Stretches(args.corpus, Corpus(args.packed), args.build)
    from torchaudio.transforms import MelSpectrogram

    bank = MelSpectrogram(OUTPUT_RATE_HZ, n_fft=1024, hop_length=256, n_mels=80, power=1, norm="slaney", mel_scale="slaney", f_max=11_000)
    hifi = xtts_base.random_model(args.build).hifigan_decoder
    decoder = hifi.waveform_decoder.train()
    hifi.speaker_encoder.load_state_dict(torch.load(args.build / "speaker.pt", weights_only=True)["model"])
    identity = Identity(hifi.speaker_encoder)
    judges = xtts_adversary.Discriminators()
    ours = torch.optim.AdamW(decoder.parameters(), lr=1.0, betas=(0.8, 0.99), weight_decay=1e-3)
    theirs = torch.optim.AdamW(judges.parameters(), lr=1.0, betas=(0.8, 0.99), weight_decay=1e-3)
    path = args.build / "decoder.pt"
    parts = {"model": decoder, "judges": judges, "ours": ours, "theirs": theirs}
    done = resume(path, parts)
    progress = Progress("decoder", args.steps, 25)
    ahead = torch.utils.data.DataLoader(stretches, batch_size=None, sampler=range(done, args.steps), num_workers=1, prefetch_factor=8)
    for step, (latents, voices, wanted) in enumerate(ahead, start=done):
        adversarial = args.adversary_from is not None and step >= args.adversary_from
        for group in ours.param_groups:
            group["lr"] = warm_cosine(step, steps=args.steps, warm=50, peak=args.lr, last=0.1)
        for group in theirs.param_groups:
            group["lr"] = 5e-4
        made = generate(hifi, latents, voices)
        numbers = {}
        if adversarial:
            judged = judges.judge(made.detach(), wanted)
            theirs.zero_grad(set_to_none=True)
            judged.backward()
            theirs.step()
            numbers["judged"] = judged.item()
        loss = WAVE_WEIGHT * (wave := xtts_adversary.wave_distance(made, wanted))
        numbers["wave"] = wave.item()
        if step >= SPECTRAL_FROM:
            spectral, unlike = xtts_adversary.spectral_distance(made, wanted), identity.distance(made, wanted)
            mel = (log_mel(bank, made) - log_mel(bank, wanted)).abs().mean()
            loss = loss + spectral + MEL_WEIGHT * mel + SPEAKER_WEIGHT * unlike
            numbers |= {"spectral": spectral.item(), "mel": mel.item(), "unlike": unlike.item()}
        if adversarial:
            fooled, features = judges.persuade(made, wanted)
            loss = loss + min(1.0, (step - args.adversary_from) / 100) * (fooled + FEATURE_WEIGHT * features)
            numbers |= {"fooled": fooled.item(), "features": features.item()}
        ours.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(decoder.parameters(), 10.0)
        ours.step()
        progress.add(step + 1, **numbers)
        if (step + 1) % 200 == 0 or step + 1 == args.steps:
            checkpoint.write(path, {name: part.state_dict() for name, part in parts.items()} | {"step": step + 1})


def parse_args() -> argparse.Namespace:
    parser = arguments(__doc__, "corpus", "packed", "build")
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--adversary-from", type=int, help="step; no discriminators without it")
    parser.add_argument("--lr", type=float, default=1.5e-3)
    return parser.parse_args()


if __name__ == "__main__":
    command.run(main)
