"""Training and test clips for the pocket Whisper: the corpus at 16 kHz, with reverberation, noise and a phone's Opus.

    python -m pocket.whisper.shards pocket/build/corpus pocket/build/whisper

Reads   pocket/build/corpus/manifest.jsonl + wav/
Writes  pocket/build/whisper/shard-NNN.i16      a thousand clips end to end, int16 at 16 kHz
        pocket/build/whisper/shard-NNN.jsonl    {"id", "text", "split", "shard", "start", "length"} in samples of the shard

A shard that is there and holds the same clips is kept, so an interrupted run goes on where it was.

In train most clips get reverberation, noise or Opus at 12-24 kb/s; dev and test get Opus at 16 kb/s and nothing else.
"""

import argparse
import json
import zlib
from dataclasses import asdict, dataclass
from pathlib import Path

import joblib
import numpy as np
from tqdm import tqdm

from pocket.corpus import acoustics, opus
from pocket.corpus.manifest import Recording, read_manifest
from voz.audio import wav
from voz.pipeline import command, files

RATE_HZ = opus.SAMPLE_RATE_HZ
TEST_BITRATE_BPS = 16_000
SHARD_ROWS = 1000


@dataclass(frozen=True, kw_only=True)
class ShardClip:
    """One clip of a shard. `start` and `length` in samples at 16 kHz."""

    id: str
    text: str
    split: str
    shard: str
    start: int
    length: int


def degraded(path: Path, row: Recording) -> np.ndarray:
    """One clip as a phone would transmit it: int16 [T] at 16 kHz. Seeded by the clip's id."""
    pcm = wav.resample(wav.read(path), wav.SAMPLE_RATE_HZ, RATE_HZ)
    if row.split != "train":
        return wav.to_int16(opus.roundtrip(pcm, bitrate_bps=TEST_BITRATE_BPS))
    rng = np.random.default_rng(zlib.crc32(row.id.encode()))
    if rng.random() < 0.3:
        pcm = acoustics.in_room(pcm, rng)
    if rng.random() < 0.5:
        pcm = acoustics.with_noise(pcm, rng, snr_db=rng.uniform(12, 40))
    if rng.random() < 0.5:
        pcm = opus.roundtrip(pcm, bitrate_bps=int(rng.choice((12_000, 16_000, 20_000, 24_000))))
    return wav.to_int16(pcm)


def read_clips(folder: Path) -> list[ShardClip]:
    """Rows of all shards, sorted by id."""
    listings = sorted(folder.glob("shard-*.jsonl"))
    return sorted(
        (ShardClip(**json.loads(line)) for path in listings for line in path.read_text(encoding="utf-8").splitlines()),
        key=lambda row: row.id,
    )


class Shards:
    """The samples of clips, memory-mapped."""

    def __init__(self, folder: Path) -> None:
        self.shards = {path.stem: np.memmap(path, dtype=np.int16, mode="r") for path in sorted(folder.glob("shard-*.i16"))}

    def read(self, clip: ShardClip) -> np.ndarray:
        """float32 in [-1, 1], [T] at 16 kHz."""
        return self.shards[clip.shard][clip.start : clip.start + clip.length].astype(np.float32) / 32768


def write_shard(corpus: Path, out: Path, shard: str, rows: list[Recording], pool: joblib.Parallel) -> None:
    """Write one shard, unless it is there with the same clips. The listing comes last: it says that the samples are whole."""
    listing = out / f"{shard}.jsonl"
    if listing.exists() and [json.loads(line)["id"] for line in listing.read_text(encoding="utf-8").splitlines()] == [
        row.id for row in rows
    ]:
        return
    lines, at = [], 0
    with files.atomic(out / f"{shard}.i16") as file:
        for row, pcm in zip(rows, pool(joblib.delayed(degraded)(corpus / row.path, row) for row in rows), strict=True):
            file.write(pcm.tobytes())
            clip = ShardClip(id=row.id, text=row.text, split=row.split, shard=shard, start=at, length=len(pcm))
            lines.append(json.dumps(asdict(clip), ensure_ascii=False) + "\n")
            at += len(pcm)
    files.write_text(listing, "".join(lines))


def main() -> None:
    args = parse_args()
    rows = read_manifest(args.corpus, role="asr")
    args.out.mkdir(parents=True, exist_ok=True)
    with joblib.Parallel(n_jobs=args.jobs, return_as="generator", batch_size=16) as pool:
        for at in tqdm(range(0, len(rows), SHARD_ROWS), desc="shards"):
            write_shard(args.corpus, args.out, f"shard-{at // SHARD_ROWS:03d}", rows[at : at + SHARD_ROWS], pool)
    clips = read_clips(args.out)
    print(f"{len(clips)} clips, {sum(clip.length for clip in clips) / RATE_HZ / 3600:.2f} h")


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--jobs", type=int, default=2)
    return parser.parse_args()


if __name__ == "__main__":
    command.run(main)
