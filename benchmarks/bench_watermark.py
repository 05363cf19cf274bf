"""How well the watermark is found again after what happens to a file, and how often it is found where there is none.

    python -m benchmarks.bench_watermark reports/lines/fine_tuned outputs --recordings FOLDER data/demo/notes [--limit 120]

Reads   wavs of synthetic speech without the mark (what `reports/lines` and, with `synthesize.watermark: none`, `outputs` hold);
        recordings in any format that convert reads, each in pieces of 8 s
Prints  a table for benchmarks/README.md: of synthetic lines and real recordings, with and without the mark, the share that is
        called marked, and the confidences nearest to the threshold; then what the mark costs

A piece is called marked as `tools/detect.py` does it: if one of its blocks is.
"""

import argparse
import io
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import soundfile

from pocket.corpus import opus as phone
from voz.audio import recording, watermark, wav
from voz.audio.wav import OUTPUT_RATE_HZ
from voz.pipeline import command, parallel

PIECE_S = 8.0
RATE_HZ = OUTPUT_RATE_HZ


def opus_16(pcm: np.ndarray, effort: int = 10) -> np.ndarray:
    """As a phone sends it: Opus, 16 kHz, 16 kb/s. `effort`: libopus's complexity; FFmpeg's default is 10."""
    narrow = wav.resample(pcm, RATE_HZ, phone.SAMPLE_RATE_HZ)
    sent = phone.decode(phone.encode(narrow, bitrate_bps=16_000, effort=effort))
    return wav.resample(sent[: len(narrow)], phone.SAMPLE_RATE_HZ, RATE_HZ)


def mp3_64(pcm: np.ndarray) -> np.ndarray:
    """MP3 at a constant 64 kb/s (of MPEG-2's 8 to 160: libsndfile counts down from the highest)."""
    out = io.BytesIO()
    level = (160 - 64) / (160 - 8)
    soundfile.write(out, pcm, RATE_HZ, format="MP3", subtype="MPEG_LAYER_III", bitrate_mode="CONSTANT", compression_level=level)
    out.seek(0)
    return np.asarray(soundfile.read(out, dtype="float32")[0])


def through_16k(pcm: np.ndarray) -> np.ndarray:
    """Resampled to 16 kHz and back."""
    return wav.resample(wav.resample(pcm, RATE_HZ, 16_000), 16_000, RATE_HZ)


def gain(pcm: np.ndarray, db: float) -> np.ndarray:
    """Louder or quieter, clipped."""
    return np.clip(pcm * np.float32(10 ** (db / 20)), -1.0, 1.0)


def trimmed(pcm: np.ndarray) -> np.ndarray:
    """Without 0.3 s at both ends."""
    cut = round(0.3 * RATE_HZ)
    return pcm[cut:-cut]


def noisy(pcm: np.ndarray) -> np.ndarray:
    """White noise 20 dB under the speech."""
    noise = np.random.default_rng(1).standard_normal(len(pcm)).astype(np.float32)
    return pcm + noise * np.float32(np.sqrt(np.mean(pcm**2)) * 0.1)


CHANGES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "as written": lambda pcm: pcm,
    "Opus 16 kb/s": opus_16,
    "Opus 16 kb/s, least effort": lambda pcm: opus_16(pcm, effort=0),
    "MP3 64 kb/s": mp3_64,
    "to 16 kHz and back": through_16k,
    "+3 dB": lambda pcm: gain(pcm, 3.0),
    "-3 dB": lambda pcm: gain(pcm, -3.0),
    "0.3 s cut off both ends": trimmed,
    "all of them": lambda pcm: trimmed(mp3_64(opus_16(gain(pcm, -3.0)))),
    "white noise at 20 dB": noisy,
    "played 5 % faster": lambda pcm: wav.resample(pcm, RATE_HZ, round(RATE_HZ / 1.05)),
}


def synthetic(folders: Sequence[Path]) -> list[np.ndarray]:
    """The wavs of the folders, at 24 kHz."""
    found = [soundfile.read(path, dtype="float32") for folder in folders for path in sorted(folder.glob("*.wav"))]
    return [wav.resample(pcm, rate_hz, RATE_HZ) for pcm, rate_hz in found]


def recorded(folders: Sequence[Path]) -> Iterator[np.ndarray]:
    """The recordings of the folders in pieces of `PIECE_S`, at 24 kHz."""
    size = round(PIECE_S * RATE_HZ)
    for path in sorted(path for folder in folders for path in folder.iterdir() if path.suffix not in (".yaml", ".csv")):
        try:
            with recording.opened(path) as (pcm, rate_hz):
                whole = wav.resample(np.array(pcm), rate_hz, RATE_HZ)
        except command.UserError:  # the demo has a damaged note
            continue
        yield from (whole[start : start + size] for start in range(0, len(whole) - size + 1, size))


def confidences(mark: watermark.Watermark, pieces: Sequence[np.ndarray], change: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """The highest confidence of each piece after the change. [N]"""
    return np.array([mark.highest(change(pcm), RATE_HZ) for pcm in pieces])


def row(name: str, found: dict[str, np.ndarray]) -> str:
    """A line of the table. Of marked pieces the lowest confidence is told, of the others the highest."""
    cells = []
    for kind, values in found.items():
        edge = values.min() if kind.startswith("marked") else values.max()
        cells.append(f"{(values > watermark.THRESHOLD).mean():.1%} ({edge:.2f})")
    return f"| {name} | {' | '.join(cells)} |"


def main() -> None:
    """Print the table."""
    args = parse_args()
    mark = watermark.Watermark()
    lines, pieces = synthetic(args.synthetic), list(recorded(args.recordings))
    pieces = pieces[:: -(-len(pieces) // args.limit)]
    sets = {
        f"marked: {len(lines)} synthetic": [mark.mark(pcm, RATE_HZ) for pcm in lines],
        f"marked: {len(pieces)} recorded": [mark.mark(pcm, RATE_HZ) for pcm in pieces],
        f"not: {len(lines)} synthetic": lines,
        f"not: {len(pieces)} recorded": pieces,
    }
    print(f"| called marked at {watermark.THRESHOLD} (nearest confidence) | {' | '.join(sets)} |\n|{'---|' * (1 + len(sets))}")
    for name, change in parallel.progress(CHANGES.items(), total=len(CHANGES), label="changes"):
        print(row(name, {kind: confidences(mark, each, change) for kind, each in sets.items()}), flush=True)
    added_db = [10 * np.log10(np.sum(pcm**2) / np.sum((mark.mark(pcm, RATE_HZ) - pcm) ** 2)) for pcm in lines]
    print(f"\nspeech over what the mark adds: {np.median(added_db):.1f} dB ({min(added_db):.1f} to {max(added_db):.1f})")


def parse_args() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("synthetic", type=Path, nargs="+", help="folders of wavs")
    parser.add_argument("--recordings", type=Path, nargs="+", required=True, help="folders of recordings")
    parser.add_argument("--limit", type=int, default=120, help="number of pieces of the recordings, evenly spread")
    return parser.parse_args()


if __name__ == "__main__":
    command.run(main)
