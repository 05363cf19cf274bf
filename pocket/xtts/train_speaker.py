"""Train the speaker encoder to tell the corpus's voices apart, whatever the words, the level and the recording.

    python -m pocket.xtts.train_speaker pocket/build/packed pocket/build/xtts

Reads   pocket/build/packed                  all voices of the train split, both accents
Writes  pocket/build/xtts/speaker.pt, speaker.jsonl    run again to go on

Additive-margin softmax (Wang et al. 2018, arXiv:1801.05599) on cosines, so that they are meaningful for unseen voices: a stretch of a
voice is to be nearer to its other stretch than to those of the other voices of the step (the prototypical loss of Chung et al. 2020,
arXiv:2003.11982). With a softmax over all 1 344 voices, each heard sixteen times, the encoder had learnt nothing after 100 steps.
Batch normalisation follows the embedding in training, or all voices share one direction; its running statistics are folded into the
last layer, since coqui's class has no such norm. Half of the clips are narrow-band, noisy or both, as notes are, and two in five are
vocoded: otherwise the encoder recognises the vocoder rather than the speaker.
"""

import argparse
import functools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F

from pocket.arguments import arguments
from pocket.training import Numbers, Training, set_rate, warm_cosine
from pocket.xtts import base
from pocket.xtts.packed import PHONE, PackedCorpus, PackedRecording
from voz import compat
from voz.pipeline import command

STEPS = 700
SAVE_EVERY = 100  # steps, about a minute and a half
VOICES, CLIPS, SAMPLES = 16, 2, 28_000  # per step: voices, stretches of each (two), 1.27 s at 22 050 Hz
SCALE, MARGIN = 20.0, 0.2
VOCODED, ROUNDS = 0.4, (2, 16)  # share of the clips, and rounds of Griffin-Lim
FFT, MELS = 1024, 80


def batch(corpus: PackedCorpus, rows: list[list[PackedRecording]], step: int) -> torch.Tensor:
    """Stretches of some speakers, those of each one after the other. [VOICES * CLIPS, SAMPLES] at 22 050 Hz

    Args:
        rows: sentences of each speaker.
    """
    rng = np.random.default_rng((base.SEED, step))
    picked = rng.choice(len(rows), VOICES, replace=False)
    wav = torch.cat([corpus.slices(rng, CLIPS, SAMPLES, rows=rows[i]) for i in picked])
    gain = torch.from_numpy(10 ** (rng.uniform(-15, 3, (len(wav), 1)) / 20)).float()
    noise = torch.from_numpy(np.where(rng.random((len(wav), 1)) < 0.5, 10 ** rng.uniform(-4, -2, (len(wav), 1)), 1e-5)).float()
    return wav * gain + torch.from_numpy(rng.standard_normal(wav.shape, dtype=np.float32)) * noise


def narrow(wav: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    """Cut a random half of the rows at 3.4-7 kHz, as codecs do. [B, T] at 16 kHz -> [B, T]"""
    spectrum = torch.fft.rfft(wav)
    hz = torch.linspace(0, 8000, spectrum.shape[1])
    limit = torch.from_numpy(np.where(rng.random((len(wav), 1)) < 0.5, rng.uniform(3400, 7000, (len(wav), 1)), 9000)).float()
    return torch.fft.irfft(spectrum * torch.sigmoid((limit - hz) / 150), n=wav.shape[1])


@torch.no_grad()
def vocoded(wav: torch.Tensor, rng: np.random.Generator, *, share: float = VOCODED) -> torch.Tensor:
    """Resynthesize random rows from their mels by Griffin-Lim. [B, T] at 22 050 Hz -> [B, T]"""
    from torchaudio.functional import griffinlim, melscale_fbanks

    chosen = torch.from_numpy(rng.permutation(len(wav))[: round(share * len(wav))])
    bank, window = melscale_fbanks(FFT // 2 + 1, 0.0, 11_025.0, MELS, 22_050, norm="slaney"), torch.hann_window(FFT)
    spectrum = torch.stft(wav[chosen], FFT, FFT // 4, window=window, return_complex=True).abs()
    again = (torch.linalg.pinv(bank).T @ (bank.T @ spectrum)).clamp(min=1e-6)
    rounds, made = int(rng.integers(*ROUNDS)), wav.clone()
    with torch.random.fork_rng():
        torch.manual_seed(int(rng.integers(2**31)))
        made[chosen] = griffinlim(again, window, FFT, FFT // 4, FFT, 1.0, rounds, 0.99, wav.shape[1], True)
    return made


@torch.no_grad()
def folded(encoder: torch.nn.Module, norm: torch.nn.BatchNorm1d) -> dict[str, torch.Tensor]:
    """The encoder's state with the norm of its embedding inside its last layer."""
    state = {key: value.clone() for key, value in encoder.state_dict().items()}
    width = torch.sqrt(norm.running_var + norm.eps)
    state["fc.weight"] = state["fc.weight"] / width[:, None]
    state["fc.bias"] = (state["fc.bias"] - norm.running_mean) / width
    return state


@torch.no_grad()
def evaluate(
    encoder: torch.nn.Module, norm: torch.nn.BatchNorm1d, corpus: PackedCorpus, resample: Callable[[torch.Tensor], torch.Tensor]
) -> Numbers:
    """Mean cosines of clips of unseen voices with others of the same voice and of other voices, and the share of the latter that is
    above the median of the former: as recorded, and with one of the two clips vocoded."""
    rng = np.random.default_rng(0)
    rows = {voice: [row for row in corpus.rows if row.voice == voice] for voice in corpus.voices}
    wav = torch.cat([corpus.slices(rng, 6, 2 * 22050, rows=own) for own in rows.values()])
    encoder.eval(), norm.eval()
    real, made = (F.normalize(norm(encoder(resample(each)))) for each in (wav, vocoded(wav, rng, share=1.0)))
    encoder.train(), norm.train()
    voice = torch.arange(len(rows)).repeat_interleave(6)
    same = (voice[:, None] == voice[None]) & ~torch.eye(len(voice), dtype=torch.bool)
    found: Numbers = {}
    for name, cosine in (("recorded", real @ real.T), ("vocoded", real @ made.T)):
        other = cosine[voice[:, None] != voice[None]]
        above = (other > cosine[same].median()).float().mean()
        found |= {f"{name}_same": cosine[same].mean().item(), f"{name}_other": other.mean().item(), f"{name}_above": above.item()}
    return found


@dataclass
class Learner:
    """The encoder, the norm that follows it in training, the optimizer."""

    encoder: torch.nn.Module
    norm: torch.nn.BatchNorm1d
    optimizer: torch.optim.Optimizer
    resample: Callable[[torch.Tensor], torch.Tensor]

    def advance(self, corpus: PackedCorpus, rows: list[list[PackedRecording]], steps: int, step: int) -> Numbers:
        """One step of `steps`. rows: sentences of each speaker."""
        set_rate(self.optimizer, warm_cosine(step, steps=steps, warm=30, peak=2e-3))
        wav = self.resample(vocoded(batch(corpus, rows, step), np.random.default_rng((base.SEED, step, 2))))
        wav = narrow(wav, np.random.default_rng((base.SEED, step, 1)))
        with torch.autocast("cpu", torch.bfloat16):
            found = self.encoder(wav)
        first, second = F.normalize(self.norm(found.float())).reshape(VOICES, CLIPS, -1).unbind(1)
        cosine, own = first @ second.T, torch.arange(VOICES)
        logits = SCALE * (cosine - MARGIN * min(1.0, 2 * step / steps) * torch.eye(VOICES))
        loss = (F.cross_entropy(logits, own) + F.cross_entropy(logits.T, own)) / 2
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.encoder.parameters(), 5.0)
        self.optimizer.step()
        return {"loss": loss.item(), "right": (cosine.argmax(1) == own).float().mean().item()}


def of_each_speaker(corpus: PackedCorpus) -> list[list[PackedRecording]]:
    """Sentences long enough of each speaker, who is the same with and without a phone."""
    speakers = sorted({voice.removesuffix(PHONE) for voice in corpus.voices})
    return [[row for row in corpus.rows if row.voice.removesuffix(PHONE) == one and row.samples > SAMPLES // 2] for one in speakers]


def main() -> None:
    args = parse_args()
    torch.set_num_threads(args.threads)
    compat.load_torchaudio_without_extension()
    from torchaudio.transforms import Resample

    corpus = PackedCorpus(args.packed)
    unseen = PackedCorpus(args.packed, roles=("asr",), splits=("dev", "test"))
    rows = of_each_speaker(corpus)
    encoder = base.random_model(args.build).hifigan_decoder.speaker_encoder.train()
    optimizer = torch.optim.AdamW(encoder.parameters(), lr=1.0, weight_decay=1e-3)
    learner = Learner(encoder, torch.nn.BatchNorm1d(512, affine=False), optimizer, Resample(22050, 16000))
    parts = {"encoder": encoder, "norm": learner.norm, "optimizer": optimizer}
    training = Training(args.build / "speaker.pt", parts, steps=args.steps, save_every=SAVE_EVERY, print_every=25)
    training.resume()
    training.run(
        functools.partial(learner.advance, corpus, rows, args.steps),
        measure=lambda means: evaluate(encoder, learner.norm, unseen, learner.resample),
        states=lambda: {"model": folded(encoder, learner.norm)},
    )


def parse_args() -> argparse.Namespace:
    return arguments(__doc__, "packed", "build", steps=STEPS).parse_args()


if __name__ == "__main__":
    command.run(main)
