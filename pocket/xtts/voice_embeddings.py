"""Speaker embeddings of every voice, computed once, and the pitch at which the decoder is to speak for each of them.

    python -m pocket.xtts.voice_embeddings pocket/build/packed pocket/build/xtts

Reads   pocket/build/packed, pocket/build/xtts/speaker.pt
Writes  pocket/build/xtts/voices.pt    per voice: embeddings [4, 512] and whole periods per code for each of them [4]

The decoder cannot know the melody: from the latents of an unseen voice half of the codes' periods are predicted right, no more than by
always taking the voice's median. So it speaks at one pitch, which a linear regression predicts from the embedding: a decoder whose
targets do not follow from its input learns to smear.
"""

import argparse
import functools
import itertools
import math
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from pocket.arguments import arguments
from pocket.xtts import base, yin
from pocket.xtts.base import CODE_SAMPLES
from pocket.xtts.packed import PackedCorpus
from voz import compat
from voz.audio.wav import ASR_RATE_HZ, SAMPLE_RATE_HZ
from voz.model import checkpoint
from voz.pipeline import command, parallel

EMBEDDINGS = 4  # per voice, from 4 to 8 s each
AT_A_TIME = 100  # voices for which a process loads encoder and corpus
PITCHED_SAMPLES = 4 * SAMPLE_RATE_HZ  # that a voice's pitch is taken from
RIDGE = 10.0


@torch.no_grad()
def embeddings(packed: Path, build: Path, voices: Sequence[str]) -> list[torch.Tensor]:
    """Unit-length speaker embeddings of random stretches of each voice. [EMBEDDINGS, 512] each"""
    compat.load_torchaudio_without_extension()
    from torchaudio.transforms import Resample

    resample = Resample(SAMPLE_RATE_HZ, ASR_RATE_HZ)
    encoder = base.random_model(build).hifigan_decoder.speaker_encoder.eval()
    encoder.load_state_dict(checkpoint.read(build / "speaker.pt")["model"])
    corpus = PackedCorpus(packed, splits=("train",))
    made = []
    for voice in voices:
        rows = [row for row in corpus.rows if row.voice == voice]
        rng = np.random.default_rng((base.SEED, zlib.crc32(voice.encode())))
        lengths = rng.integers(2, 5, EMBEDDINGS)
        wav = [corpus.slices(rng, int(count), 2 * SAMPLE_RATE_HZ, rows=rows).flatten() for count in lengths]
        made.append(torch.cat([encoder(resample(one[None]), l2_norm=True) for one in wav]))
    return made


def median_hz(pcm: np.ndarray) -> float:
    """The median pitch of [T]; NaN if none of it is voiced."""
    hz = yin.pitch_hz(pcm)
    return float(np.nanmedian(hz)) if np.isfinite(hz).any() else math.nan


def periods(corpus: PackedCorpus, voices: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Whole periods per code for each embedding of each voice: ridge regression of the logarithm of its pitch. [EMBEDDINGS]"""
    names = sorted(voices)
    longest = {row.voice: row for row in sorted(corpus.rows, key=lambda row: (row.samples, row.id))}
    recordings = [corpus.read(longest[name], 0, PITCHED_SAMPLES).numpy() for name in names]
    log_hz = torch.log(torch.tensor(list(parallel.map(median_hz, recordings, label="pitch"))))
    known = torch.isfinite(log_hz)
    scaled = {name: F.pad(voices[name] * voices[name].shape[1] ** 0.5, (0, 1), value=1.0) for name in names}
    inputs = torch.cat([scaled[name] for name, there in zip(names, known, strict=True) if there])
    wanted, middle = log_hz[known].repeat_interleave(EMBEDDINGS), log_hz[known].mean()
    line = torch.linalg.solve(inputs.T @ inputs + RIDGE * torch.eye(inputs.shape[1]), inputs.T @ (wanted - middle))
    off = 12 * ((inputs @ line + middle - wanted) / math.log(2)).square().mean().sqrt()
    print(f"pitch of {int(known.sum())} voices from their embeddings: root mean square error {off:.1f} semitones")
    return {name: torch.exp(scaled[name] @ line + middle).mul(CODE_SAMPLES / SAMPLE_RATE_HZ).round().clamp(min=2).int() for name in names}


def main() -> None:
    args = parse_args()
    corpus = PackedCorpus(args.packed, splits=("train",))
    names = corpus.voices
    parts = [names[first : first + AT_A_TIME] for first in range(0, len(names), AT_A_TIME)]
    of_parts = parallel.map(functools.partial(embeddings, args.packed, args.build), parts, label="voices", unit=f"{AT_A_TIME} voices")
    voices = dict(zip(names, itertools.chain.from_iterable(of_parts), strict=True))
    checkpoint.write(args.build / "voices.pt", {"voices": voices, "periods": periods(corpus, voices)})
    print(f"voices: {len(voices)}")


def parse_args() -> argparse.Namespace:
    return arguments(__doc__, "packed", "build", threads=False).parse_args()


if __name__ == "__main__":
    command.run(main)
