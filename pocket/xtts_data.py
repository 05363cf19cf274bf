"""The corpus in memory, and the pieces of a training loop that all four parts of the pocket base share.

    python -m pocket.xtts_data pocket/build/corpus pocket/build/packed

Reads   pocket/build/corpus/manifest.jsonl + wavs
Writes  pocket/build/packed/{pcm.npy,pcm.json}      one file instead of many

Every sentence at the level that the product's convert stage gives to notes: a GPT that learnt its codes at one level knows none
at another (12 dB lower cost it 3 nats). A third of each voice's training sentences comes with a room's noise through a phone's
Opus, as a voice of its own: what conditions the GPT and what it shall say then sound alike.
"""

import argparse
import json
import os
import time
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import torch
from tqdm import tqdm

from pocket import opus
from pocket.whisper_data import with_noise
from pocket.xtts_base import MEL_NORM
from voz import compat
from voz.audio import level, leveling, wav
from voz.pipeline import command

HOP = 1024  # samples of 22 050 Hz per code
FRAME = 256  # samples per mel frame
LEVEL_DB, LEVEL_JITTER_DB = -23.0, 1.0  # convert.level_db, and by how much its notes differ
PHONE_SHARE, PHONE_SNR_DB, PHONE_BPS = 0.33, (22.0, 40.0), (16_000, 20_000, 24_000)
PHONE = "+phone"  # ends the name of a voice heard through a phone


@dataclass(frozen=True)
class Utterance:
    """One sentence of the corpus; `start` and `samples` say where it lies in `Corpus.pcm`."""

    id: str
    text: str
    voice: str
    accent: str  # how ⟨ll, y⟩ are spoken: "ye" [ʝ] or "she" [ʃ]
    role: str  # "gpt" or "asr"
    split: str
    start: int
    samples: int


class Corpus:
    """Sentences of the wanted roles and splits, PCM16 at 22 050 Hz one after the other."""

    def __init__(self, packed: Path, *, roles: Iterable[str] = ("gpt", "asr", "varied"), splits: Iterable[str] = ("train",)) -> None:
        rows = json.loads((packed / "pcm.json").read_text(encoding="utf-8"))
        self.rows = [row for row in (Utterance(**row) for row in rows) if row.role in set(roles) and row.split in set(splits)]
        self.pcm = np.load(packed / "pcm.npy", mmap_mode="r")
        self.voices = sorted({row.voice for row in self.rows})

    def read(self, row: Utterance, start: int = 0, samples: int | None = None) -> torch.Tensor:
        """Samples of one sentence as float in [-1, 1], zeros after its end. [samples]"""
        samples = row.samples if samples is None else samples
        piece = self.pcm[row.start + start : row.start + min(row.samples, start + samples)]
        return torch.nn.functional.pad(torch.from_numpy(piece.astype(np.float32)) / 32768.0, (0, samples - len(piece)))

    def slices(self, rng: np.random.Generator, count: int, samples: int, *, rows: list[Utterance] | None = None) -> torch.Tensor:
        """Random stretches, each sentence weighted by its length. [count, samples]"""
        rows = self.rows if rows is None else rows
        weight = np.array([row.samples for row in rows], dtype=np.float64)
        picked = rng.choice(len(rows), count, p=weight / weight.sum())
        return torch.stack([self.read(rows[i], int(rng.integers(0, max(1, rows[i].samples - samples))), samples) for i in picked])


def by_phone(row: dict[str, Any]) -> bool:
    """Whether a row of the manifest is one that the XTTS hears through a phone: a third of the training sentences, or voices.

    Voices of the crowd have few sentences: all of theirs, or none.
    """
    drawn = row["voice"] if row["id"].startswith("varied-crowd-") else row["id"]
    return row["split"] == "train" and zlib.crc32(f"phone {drawn}".encode()) < PHONE_SHARE * 2**32


def hear(path: Path, row: dict[str, Any]) -> np.ndarray:
    """One sentence as the XTTS hears it: PCM16 at 22 050 Hz. [T]"""
    rng = np.random.default_rng(zlib.crc32(row["id"].encode()))
    pcm = wav.read(path)
    if by_phone(row):
        narrow = wav.resample(pcm, wav.SAMPLE_RATE_HZ, opus.SAMPLE_RATE_HZ)
        coded = opus.roundtrip(with_noise(narrow, rng, snr_db=rng.uniform(*PHONE_SNR_DB)), bitrate_bps=int(rng.choice(PHONE_BPS)))
        pcm = wav.resample(coded, opus.SAMPLE_RATE_HZ, wav.SAMPLE_RATE_HZ)
    return wav.to_int16(at_level(pcm, LEVEL_DB + rng.uniform(-LEVEL_JITTER_DB, LEVEL_JITTER_DB)))


def at_level(pcm: np.ndarray, level_db: float = LEVEL_DB) -> np.ndarray:
    """A sentence at the level that convert would give it. float32 [T] -> [T]"""
    frame = round(leveling.FRAME_S * wav.SAMPLE_RATE_HZ)
    energies = (pcm[: len(pcm) // frame * frame].reshape(-1, frame).astype(np.float64) ** 2).mean(axis=1)
    gain_db = leveling.Level(level.active_db(energies), 20 * np.log10(np.abs(pcm).max())).gain_db(level_db)
    return pcm * np.float32(10 ** (gain_db / 20))


def pack(corpus: Path, packed: Path, *, jobs: int) -> None:
    """Write `pcm.npy` (all sentences' PCM16, one after the other) and `pcm.json` (which is where)."""
    lines = (corpus / "manifest.jsonl").read_text(encoding="utf-8").splitlines()
    rows = sorted((json.loads(line) for line in lines), key=lambda row: row["id"])
    pool = joblib.Parallel(n_jobs=jobs, return_as="generator", batch_size=64)
    clips = list(tqdm(pool(joblib.delayed(hear)(corpus / row["path"], row) for row in rows), total=len(rows), desc="packed", mininterval=5))
    starts = np.cumsum([0, *(len(clip) for clip in clips)])[:-1]
    kept = ("id", "text", "accent", "role", "split")
    index = [
        {key: row[key] for key in kept} | {"voice": row["voice"] + PHONE * by_phone(row), "start": int(start), "samples": len(clip)}
        for row, start, clip in zip(rows, starts, clips, strict=True)
    ]
    packed.mkdir(parents=True, exist_ok=True)
    np.save(packed / "pcm.part.npy", np.concatenate(clips))
    os.replace(packed / "pcm.part.npy", packed / "pcm.npy")
    (packed / "pcm.json").write_text(json.dumps(index, ensure_ascii=False), encoding="utf-8")


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


def resume(path: Path, modules: dict[str, Any]) -> int:
    """Load a checkpoint's states into what has `load_state_dict`; returns the number of steps done, 0 without a checkpoint.

    One from `pocket/unpack_xtts.py` holds the model alone: the others begin anew.
    """
    if not path.exists():
        return 0
    content = torch.load(path, map_location="cpu", weights_only=True)
    anew = [name for name in modules if name not in content]
    for name, module in modules.items():
        if name in content:
            module.load_state_dict(content[name])
    print(f"resumed {path.name} at step {content['step']}" + (f", {', '.join(anew)} anew" if anew else ""), flush=True)
    return int(content["step"])


def warm_cosine(step: int, *, steps: int, warm: int, peak: float, last: float = 0.05) -> float:
    """Learning rate: linear up to `peak` in `warm` steps, then a half cosine down to `last * peak`."""
    if step < warm:
        return peak * (step + 1) / warm
    share = min(1.0, (step - warm) / max(1, steps - warm))
    return peak * (last + (1 - last) * 0.5 * (1 + float(np.cos(np.pi * share))))


class Progress:
    """One line every `every` steps: means of what was reported since the last line, seconds per step, minutes left."""

    def __init__(self, label: str, steps: int, every: int) -> None:
        self.label, self.steps, self.every = label, steps, every
        self.sums: dict[str, float] = {}
        self.count, self.since = 0, time.monotonic()

    def add(self, step: int, **values: float) -> None:
        """Report one step's numbers; `step` counts from 1."""
        self.count += 1
        for key, value in values.items():
            self.sums[key] = self.sums.get(key, 0.0) + float(value)
        if step % self.every and step != self.steps:
            return
        pace_s = (time.monotonic() - self.since) / self.count
        means = "  ".join(f"{key} {value / self.count:.4f}" for key, value in self.sums.items())
        left_min = pace_s * (self.steps - step) / 60
        print(f"{self.label} {step}/{self.steps}  {means}  {pace_s:.2f} s/step  {left_min:.0f} min left", flush=True)
        self.sums, self.count, self.since = {}, 0, time.monotonic()


def arguments(description: str | None, *folders: str) -> argparse.ArgumentParser:
    """The command line that the steps after packing share: folders in order, and `--threads`."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    for folder in folders:
        parser.add_argument(folder, type=Path)
    parser.add_argument("--threads", type=int, default=1)
    return parser


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("packed", type=Path)
    parser.add_argument("--jobs", type=int, default=2)
    args = parser.parse_args()
    pack(args.corpus, args.packed, jobs=args.jobs)


if __name__ == "__main__":
    command.run(main)
