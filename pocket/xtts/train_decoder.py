"""Train the decoder that turns the GPT's latents and a speaker embedding into 24 kHz sound.

    python -m torch.distributed.run --standalone --nproc-per-node 2 -m pocket.xtts.train_decoder pocket/build/xtts

Reads   pocket/build/xtts/{latents.pt,targets.pt,voices.pt,speaker.pt}
Writes  pocket/build/xtts/decoder.pt, decoder.jsonl    run again to go on, also with new latents; export.py takes the average weights

A process per core takes its share of each step's batch: six segments in 0.58 s on two cores, where two threads took 1.0 s for five. It
runs as one process, too, which may use a GPU (`--device cuda`; pocket/decoder_on_gpu.sh).

The loss is the waveform's alone at first. A decoder that begins with spectral losses finds the right magnitudes with wrong phases, and
stays there; one that goes on from exported weights (unpack.py) with them keeps its clicks. Then the spectral losses join, and the speaker
encoder's (the speaker consistency of YourTTS, Casanova et al. 2022, arXiv:2112.02418, which XTTS has too). The waveform can be compared
because the targets are moved to one pitch that the decoder can hold (pocket/xtts/pitch_grid.py), with pulses at fixed places in each code
and one frozen noise. The targets are clean also where the latents come from a recording through a phone. The sound is one code (46 ms)
late: the latent before a code only predicts it, the one after it has read it, and a last latent follows the last code anyway.
"""

import argparse
import functools
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.optim import swa_utils

from pocket import processes
from pocket.arguments import arguments
from pocket.training import Numbers, Training, set_rate, warm_cosine
from pocket.xtts import base
from pocket.xtts.base import DECODED_SAMPLES
from pocket.xtts.cuda_graph import GradientGraph
from pocket.xtts.decoder_losses import DecoderLoss
from voz import compat
from voz.model import checkpoint, device, xtts
from voz.pipeline import command

STEPS, SPECTRAL_FROM = 6000, 1000
SAVE_EVERY = 200  # steps, about two minutes
BATCH, CODES = 6, 16  # 16 codes are 0.74 s
AVERAGE_DECAY = 0.999  # per step, of the average of the weights that is exported: single steps are noisy with six segments
NOISE = 0.1  # added to the latents, whose size is 1: a fine-tuned GPT's are a little different
DecoderBatch = tuple[torch.Tensor, torch.Tensor, torch.Tensor]


class Segments(torch.utils.data.Dataset):
    """Random segments of latents with their sound: an item is this process's share of a step, made ahead by a worker."""

    def __init__(self, build: Path, *, rank: int, world: int) -> None:
        latents = torch.load(build / "latents.pt", weights_only=True, mmap=True)
        self.latents, self.voice_of = latents["latents"], latents["voices"]
        self.targets = torch.load(build / "targets.pt", weights_only=True, mmap=True)["targets"]
        voices = checkpoint.read(build / "voices.pt")
        self.voices, self.periods = voices["voices"], voices["periods"]
        self.sentences = sorted(sentence for sentence, own in self.latents.items() if len(own) > CODES)
        lengths = np.array([len(self.latents[sentence]) for sentence in self.sentences], dtype=np.float64)
        self.share = lengths / lengths.sum()
        self.mine = range(rank, BATCH, world)

    def __getitem__(self, step: int) -> DecoderBatch:
        """Returns (latents [B, CODES, 256], embeddings [B, 512, 1], wav [B, CODES * 1120])."""
        drawn = [self.draw(np.random.default_rng((base.SEED, 7, step, i))) for i in self.mine]
        latents, voices, wavs = (torch.stack(part) for part in zip(*drawn, strict=True))
        return latents, voices[..., None], wavs

    def draw(self, rng: np.random.Generator) -> DecoderBatch:
        """One segment."""
        sentence = self.sentences[rng.choice(len(self.sentences), p=self.share)]
        own, voice = self.latents[sentence], self.voice_of[sentence]
        start = int(rng.integers(0, len(own) - CODES + 1))
        latents = own[start : start + CODES].float()
        latents = latents + NOISE * torch.from_numpy(rng.standard_normal(latents.shape, dtype=np.float32))
        which = int(rng.integers(len(self.voices[voice])))
        target = self.targets[sentence][int(self.periods[voice][which])]
        return latents, self.voices[voice][which], segment(target, (start - 1) * DECODED_SAMPLES)


def segment(target: torch.Tensor, start: int) -> torch.Tensor:
    """CODES codes of sound from `start` on, which may be negative; silence where there is none. int16 [T] -> float32 [CODES * 1120]"""
    missing = max(0, -start)
    piece = target[start + missing : start + CODES * DECODED_SAMPLES].float() / 32768
    return nn.functional.pad(piece, (missing, CODES * DECODED_SAMPLES - missing - len(piece)))


def generate(decoder: xtts.hifigan_decoder.HifiDecoder, latents: torch.Tensor, voices: torch.Tensor) -> torch.Tensor:
    """coqui's `HifiDecoder.forward` for a batch (its own squeeze takes one at a time). -> [B, T]"""
    z = latents.transpose(1, 2)
    for scale in (decoder.ar_mel_length_compression / decoder.output_hop_length, decoder.output_sample_rate / decoder.input_sample_rate):
        if scale != 1:
            z = nn.functional.interpolate(z, scale_factor=[scale], mode="linear")
    return decoder.waveform_decoder(z, g=voices).squeeze(1)


class Learner:
    """coqui's decoder, of which the waveform decoder learns, with its loss, its optimizer and the average of its weights."""

    def __init__(self, hifi: xtts.hifigan_decoder.HifiDecoder, where: torch.device, *, steps: int, lr: float) -> None:
        self.hifi, self.where, self.steps, self.lr = hifi, where, steps, lr
        self.decoder = hifi.waveform_decoder.train().to(where)
        self.average = swa_utils.AveragedModel(self.decoder, multi_avg_fn=swa_utils.get_ema_multi_avg_fn(AVERAGE_DECAY))
        self.loss = DecoderLoss(hifi.speaker_encoder, where)
        self.optimizer = torch.optim.AdamW(self.decoder.parameters(), lr=1.0, betas=(0.8, 0.99), weight_decay=1e-3)
        self.gradients = {spectra: functools.partial(self.compute, spectra=spectra) for spectra in (False, True)}
        if where.type == "cuda":
            torch.backends.cudnn.benchmark = True  # the shapes never change
            self.gradients = {spectra: GradientGraph(compute, self.decoder) for spectra, compute in self.gradients.items()}

    def compute(self, latents: torch.Tensor, voices: torch.Tensor, wanted: torch.Tensor, *, spectra: bool) -> dict[str, torch.Tensor]:
        """Add a batch's gradients to those of the decoder. Returns the parts of the loss."""
        with torch.autocast(self.where.type, torch.bfloat16):
            made = generate(self.hifi, latents, voices).float()
        loss, numbers = self.loss(made, wanted, voices, spectra=spectra)
        loss.backward()
        return numbers

    def advance(self, batches: Iterator[DecoderBatch], step: int) -> Numbers:
        """One step, on the next batch."""
        batch = [part.to(self.where) for part in next(batches)]
        set_rate(self.optimizer, warm_cosine(step, steps=self.steps, warm=50, peak=self.lr, last=0.1))
        numbers = self.gradients[step >= SPECTRAL_FROM](*batch)
        processes.average_gradients(self.decoder)
        nn.utils.clip_grad_norm_(self.decoder.parameters(), 10.0)
        self.optimizer.step()
        self.average.update_parameters(self.decoder)
        self.optimizer.zero_grad(set_to_none=True)
        return {name: value.item() for name, value in numbers.items()}


def main() -> None:
    args = parse_args()
    torch.set_num_threads(args.threads)
    rank, world = processes.join()
    segments = Segments(args.build, rank=rank, world=world)
    compat.load_torchaudio_without_extension()
    hifi = base.random_model(args.build).hifigan_decoder
    hifi.speaker_encoder.load_state_dict(checkpoint.read(args.build / "speaker.pt")["model"])
    learner = Learner(hifi, device.pick(args.device), steps=args.steps, lr=args.lr)
    parts = {"model": learner.decoder, "optimizer": learner.optimizer, "average": learner.average}
    path = args.build / "decoder.pt"
    training = Training(path, parts, steps=args.steps, save_every=SAVE_EVERY, print_every=25, writes=rank == 0)
    training.resume()
    left = range(training.done, args.steps)
    batches = iter(torch.utils.data.DataLoader(segments, batch_size=None, sampler=left, num_workers=1, prefetch_factor=8))
    training.run(functools.partial(learner.advance, batches))
    processes.leave()


def parse_args() -> argparse.Namespace:
    parser = arguments(__doc__, "build", steps=STEPS)
    parser.add_argument("--lr", type=float, default=1.5e-3)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu", help="cuda: one process (default: %(default)s)")
    return parser.parse_args()


if __name__ == "__main__":
    command.run(main)
