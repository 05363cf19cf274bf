"""Train the speaker encoder: which of the corpus's voices speaks, whatever the words, the level and the recording.

    python -m pocket.xtts.train_speaker pocket/build/packed pocket/build/xtts

Reads   pocket/build/packed                  all voices of the train split, both accents
Writes  pocket/build/xtts/speaker.pt

Additive-margin softmax over the voices (Wang et al. 2018, arXiv:1801.05599) on unit-length embeddings, so that their cosine
means something for voices that were never heard. The embedding is normalised over the batch while it learns, or all voices
share one direction; the running statistics are folded into the last layer, since coqui's class has no such norm.
Half of the clips pass through a narrow band, noise or both, as notes do, and two in five are vocoded: a voice is the same
one when a model says it, and an encoder that has not learnt so measures the vocoder.
"""

import argparse

import numpy as np
import torch
import torch.nn.functional as F

from pocket.arguments import arguments
from pocket.training import Progress, resume, warm_cosine
from pocket.xtts import base
from pocket.xtts.packed import PHONE, PackedCorpus
from voz import compat
from voz.model import checkpoint
from voz.pipeline import command

STEPS = 700
VOICES, CLIPS, SAMPLES = 16, 2, 28_000  # per step: voices, stretches of each, 1.27 s at 22 050 Hz
SCALE, MARGIN = 20.0, 0.2
VOCODED, ROUNDS = 0.4, (2, 16)  # share of the clips, and rounds of Griffin-Lim
FFT, MELS = 1024, 80


def batch(corpus: PackedCorpus, rows: list[list], step: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Returns (pcm [VOICES * CLIPS, SAMPLES] at 22 050 Hz, speaker numbers). `rows`: sentences of each speaker."""
    rng = np.random.default_rng((base.SEED, step))
    picked = rng.choice(len(rows), VOICES, replace=False)
    wav = torch.cat([corpus.slices(rng, CLIPS, SAMPLES, rows=rows[i]) for i in picked])
    gain = torch.from_numpy(10 ** (rng.uniform(-15, 3, (len(wav), 1)) / 20)).float()
    noise = torch.from_numpy(np.where(rng.random((len(wav), 1)) < 0.5, 10 ** rng.uniform(-4, -2, (len(wav), 1)), 1e-5)).float()
    wav = wav * gain + torch.from_numpy(rng.standard_normal(wav.shape, dtype=np.float32)) * noise
    return wav, torch.from_numpy(np.repeat(picked, CLIPS))


def narrow(wav: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    """Cut a random half of the rows at 3.4-7 kHz, as codecs do. [B, T] at 16 kHz -> [B, T]"""
    spectrum = torch.fft.rfft(wav)
    hz = torch.linspace(0, 8000, spectrum.shape[1])
    limit = torch.from_numpy(np.where(rng.random((len(wav), 1)) < 0.5, rng.uniform(3400, 7000, (len(wav), 1)), 9000)).float()
    return torch.fft.irfft(spectrum * torch.sigmoid((limit - hz) / 150), n=wav.shape[1])


@torch.no_grad()
def vocoded(wav: torch.Tensor, rng: np.random.Generator, *, share: float = VOCODED) -> torch.Tensor:
    """Make random rows anew from their mels, with guessed phases. [B, T] at 22 050 Hz -> [B, T]"""
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
def check(encoder: torch.nn.Module, norm: torch.nn.BatchNorm1d, corpus: PackedCorpus, resample) -> str:
    """Cosines of clips of unseen voices with clips of the same and of other voices, as recorded and with one of the two vocoded."""
    rng = np.random.default_rng(0)
    rows = {voice: [row for row in corpus.rows if row.voice == voice] for voice in corpus.voices}
    wav = torch.cat([corpus.slices(rng, 6, 2 * 22050, rows=own) for own in rows.values()])
    encoder.eval(), norm.eval()
    real, made = (F.normalize(norm(encoder(resample(each)))) for each in (wav, vocoded(wav, rng, share=1.0)))
    encoder.train(), norm.train()
    voice = torch.arange(len(rows)).repeat_interleave(6)
    same = (voice[:, None] == voice[None]) & ~torch.eye(len(voice), dtype=torch.bool)
    told = []
    for name, cosine in (("recorded", real @ real.T), ("vocoded", real @ made.T)):
        other = cosine[voice[:, None] != voice[None]]
        above = (other > cosine[same].median()).float().mean()
        told.append(f"{name}: same {cosine[same].mean():.3f}, other {other.mean():.3f}, of which above the median of same {above:.3f}")
    return f"{len(rows)} unseen voices, {'; '.join(told)}"


def main() -> None:
    args = parse_args()
    torch.set_num_threads(args.threads)
    compat.load_torchaudio_without_extension()
    from torchaudio.transforms import Resample

    corpus = PackedCorpus(args.packed)
    unseen = PackedCorpus(args.packed, roles=("asr",), splits=("dev", "test"))
    speakers = sorted({voice.removesuffix(PHONE) for voice in corpus.voices})  # the same speaker with and without a phone
    rows = [[row for row in corpus.rows if row.voice.removesuffix(PHONE) == one and row.samples > SAMPLES // 2] for one in speakers]
    resample = Resample(22050, 16000)
    encoder = base.random_model(args.build).hifigan_decoder.speaker_encoder.train()
    heads = torch.nn.Parameter(torch.randn(len(speakers), 512) * 0.05)
    head = torch.nn.ParameterDict({"weight": heads})
    optimizer = torch.optim.AdamW([*encoder.parameters(), heads], lr=1.0, weight_decay=1e-3)
    path = args.build / "speaker.pt"
    norm = torch.nn.BatchNorm1d(512, affine=False)
    done = resume(path, {"encoder": encoder, "norm": norm, "head": head, "optimizer": optimizer})
    progress = Progress("speaker", args.steps, 25)
    for step in range(done, args.steps):
        for group in optimizer.param_groups:
            group["lr"] = warm_cosine(step, steps=args.steps, warm=30, peak=2e-3)
        wav, voices = batch(corpus, rows, step)
        wav = narrow(resample(vocoded(wav, np.random.default_rng((base.SEED, step, 2)))), np.random.default_rng((base.SEED, step, 1)))
        with torch.autocast("cpu", torch.bfloat16):
            found = encoder(wav)
        cosine = F.normalize(norm(found.float())) @ F.normalize(heads).T
        logits = SCALE * (cosine - MARGIN * min(1.0, 2 * step / args.steps) * F.one_hot(voices, len(heads)))
        loss = F.cross_entropy(logits, voices)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(encoder.parameters(), 5.0)
        optimizer.step()
        progress.add(step + 1, loss=loss.item(), right=(cosine.argmax(1) == voices).float().mean().item())
        if (step + 1) % 100 == 0 or step + 1 == args.steps:
            learning = {"encoder": encoder, "norm": norm, "head": head, "optimizer": optimizer}
            states = {name: part.state_dict() for name, part in learning.items()}
            checkpoint.write(path, {"model": folded(encoder, norm), "step": step + 1} | states)
            print(check(encoder, norm, unseen, resample), flush=True)


def parse_args() -> argparse.Namespace:
    parser = arguments(__doc__, "packed", "build")
    parser.add_argument("--steps", type=int, default=STEPS)
    return parser.parse_args()


if __name__ == "__main__":
    command.run(main)
