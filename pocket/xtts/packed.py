"""Reading the packed corpus that pocket/xtts/pack.py wrote: sentences, segments of them, coqui's log-mels."""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from pocket.xtts.base import MEL_NORM
from voz import compat
from voz.audio import wav

FRAME = 256  # samples per mel frame
PHONE = "+phone"  # ends the name of a voice recorded through a phone


@dataclass(frozen=True)
class PackedRecording:
    """One sentence of the corpus; `start` and `samples` say where it lies in `PackedCorpus.pcm`."""

    id: str
    text: str
    voice: str
    accent: str  # how ⟨ll, y⟩ are spoken: "ye" [ʝ] or "she" [ʃ]
    role: str  # "gpt", "asr" or "varied"
    split: str
    start: int
    samples: int


class PackedCorpus:
    """Sentences of the wanted roles and splits, PCM16 at 22 050 Hz one after the other."""

    def __init__(self, packed: Path, *, roles: Iterable[str] = ("gpt", "asr", "varied"), splits: Iterable[str] = ("train",)) -> None:
        rows = json.loads((packed / "pcm.json").read_text(encoding="utf-8"))
        self.rows = [row for row in (PackedRecording(**row) for row in rows) if row.role in set(roles) and row.split in set(splits)]
        self.pcm = np.load(packed / "pcm.npy", mmap_mode="r")
        self.voices = sorted({row.voice for row in self.rows})

    def read(self, row: PackedRecording, start: int = 0, samples: int | None = None) -> torch.Tensor:
        """Samples of one sentence as float in [-1, 1], zeros after its end. [samples]"""
        samples = row.samples if samples is None else samples
        piece = self.pcm[row.start + start : row.start + min(row.samples, start + samples)]
        return torch.nn.functional.pad(torch.from_numpy(piece.astype(np.float32)) / 32768.0, (0, samples - len(piece)))

    def slices(self, rng: np.random.Generator, count: int, samples: int, *, rows: list[PackedRecording] | None = None) -> torch.Tensor:
        """Random segments, each sentence weighted by its length. [count, samples]"""
        rows = self.rows if rows is None else rows
        weight = np.array([row.samples for row in rows], dtype=np.float64)
        picked = rng.choice(len(rows), count, p=weight / weight.sum())
        return torch.stack([self.read(rows[i], int(rng.integers(0, max(1, rows[i].samples - samples))), samples) for i in picked])


def mel_transform(fft: int) -> Callable[[torch.Tensor], torch.Tensor]:
    """coqui's normalised log-mel: `fft` 1024 for the DVAE, 2048 for the conditioning. [B, T] -> [B, 80, T // 256 + 1]"""
    compat.load_torchaudio_without_extension()
    import torchaudio  # only after the line above

    stft = torchaudio.transforms.MelSpectrogram(
        n_fft=fft,
        hop_length=FRAME,
        win_length=1024,
        power=2,
        sample_rate=wav.SAMPLE_RATE_HZ,
        f_min=0,
        f_max=8000,
        n_mels=80,
        norm="slaney",
    )
    return lambda wav: torch.log(torch.clamp(stft(wav), min=1e-5)) / MEL_NORM
