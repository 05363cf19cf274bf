"""Pack the corpus into one array, at the level of the pipeline's clips and in part through a phone.

    python -m pocket.xtts.pack pocket/build/corpus pocket/build/packed

Reads   pocket/build/corpus/manifest.jsonl + wavs
Writes  pocket/build/packed/{pcm.npy,pcm.json}      one file instead of many

Every sentence comes at the level that the convert stage gives to notes: a GPT that learnt its codes at one level knows none at another
(12 dB lower cost it 3 nats). A third of each voice's training sentences has background noise and passes through a phone's Opus, as a
voice of its own: the GPT's conditioning and its target codes then come from the same kind of recording.
"""

import argparse
import json
import zlib
from pathlib import Path

import joblib
import numpy as np
from tqdm import tqdm

from pocket.corpus import acoustics, opus
from pocket.corpus.manifest import Recording, read_manifest
from pocket.xtts.packed import PHONE
from voz.audio import level, leveling, wav
from voz.pipeline import command, files

LEVEL_DB, LEVEL_JITTER_DB = -23.0, 1.0  # convert.level_db, and by how much its notes differ
PHONE_SHARE, PHONE_SNR_DB, PHONE_BPS = 0.33, (22.0, 40.0), (16_000, 20_000, 24_000)


def by_phone(row: Recording) -> bool:
    """Whether a row of the manifest passes through a phone: a third of the training sentences.

    Voices of the crowd have few sentences: all of theirs, or none.
    """
    drawn = row.voice if row.id.startswith("varied-crowd-") else row.id
    return row.split == "train" and zlib.crc32(f"phone {drawn}".encode()) < PHONE_SHARE * 2**32


def prepared(path: Path, row: Recording) -> np.ndarray:
    """One sentence as the XTTS is trained on it: PCM16 at 22 050 Hz. [T]"""
    rng = np.random.default_rng(zlib.crc32(row.id.encode()))
    pcm = wav.read(path)
    if by_phone(row):
        narrow = wav.resample(pcm, wav.SAMPLE_RATE_HZ, opus.SAMPLE_RATE_HZ)
        coded = opus.roundtrip(acoustics.with_noise(narrow, rng, snr_db=rng.uniform(*PHONE_SNR_DB)), bitrate_bps=int(rng.choice(PHONE_BPS)))
        pcm = wav.resample(coded, opus.SAMPLE_RATE_HZ, wav.SAMPLE_RATE_HZ)
    return wav.to_int16(at_level(pcm, LEVEL_DB + rng.uniform(-LEVEL_JITTER_DB, LEVEL_JITTER_DB)))


def at_level(pcm: np.ndarray, level_db: float = LEVEL_DB) -> np.ndarray:
    """A sentence at the level that convert would give it. float32 [T] -> [T]"""
    frame = round(leveling.FRAME_S * wav.SAMPLE_RATE_HZ)
    energies = (pcm[: len(pcm) // frame * frame].reshape(-1, frame).astype(np.float64) ** 2).mean(axis=1)
    gain_db = leveling.Level(level.active_db(energies), 20 * np.log10(np.abs(pcm).max())).gain_db(level_db)
    return pcm * np.float32(10 ** (gain_db / 20))


def pack(corpus: Path, packed: Path, *, jobs: int) -> None:
    """Write `pcm.npy` (all sentences' PCM16, one after the other) and `pcm.json` (where each lies)."""
    rows = read_manifest(corpus)
    pool = joblib.Parallel(n_jobs=jobs, return_as="generator", batch_size=64)
    made = pool(joblib.delayed(prepared)(corpus / row.path, row) for row in rows)
    clips = list(tqdm(made, total=len(rows), desc="packed", mininterval=5))
    starts = np.cumsum([0, *(len(clip) for clip in clips)])[:-1]
    kept = ("id", "text", "accent", "role", "split")
    index = [
        {key: getattr(row, key) for key in kept} | {"voice": row.voice + PHONE * by_phone(row), "start": int(start), "samples": len(clip)}
        for row, start, clip in zip(rows, starts, clips, strict=True)
    ]
    with files.atomic(packed / "pcm.npy") as file:
        np.save(file, np.concatenate(clips))
    files.write_text(packed / "pcm.json", json.dumps(index, ensure_ascii=False))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("packed", type=Path)
    parser.add_argument("--jobs", type=int, default=2)
    args = parser.parse_args()
    pack(args.corpus, args.packed, jobs=args.jobs)


if __name__ == "__main__":
    command.run(main)
