"""How often voz/metrics/accent.py is right about ⟨ll, y⟩, on voices of which the accent is known.

    python -m pocket.measure_accent pocket/build/corpus pocket/reports/accent.json

Reads   pocket/build/corpus    utterances of role "asr" in both accents: train voices (the threshold was chosen on them), dev and
                               test voices; each also through Opus at 16 kb/s and with noise at 25 dB
Writes  pocket/reports/accent.json    windows, accuracy, and the share of [ʃ] found in each accent
"""

import argparse
import zlib
from pathlib import Path

import numpy as np
from tqdm import tqdm

from pocket.corpus import acoustics, opus
from pocket.corpus.manifest import Recording, read_manifest
from pocket.corpus.voices import SHE, YE
from voz.audio import wav
from voz.metrics import accent
from voz.pipeline import command, files

UTTERANCES = {"train": 600, "dev": 120, "test": 200}  # of each split, at most
NOISE_DB = 25.0


def through_phone(pcm: np.ndarray, seed: int) -> np.ndarray:
    """With noise, through Opus and back. [T] at 22 050 Hz"""
    narrow = wav.resample(pcm, wav.SAMPLE_RATE_HZ, opus.SAMPLE_RATE_HZ)
    coded = opus.roundtrip(acoustics.with_noise(narrow, np.random.default_rng(seed), snr_db=NOISE_DB), bitrate_bps=16_000)
    return wav.resample(coded, opus.SAMPLE_RATE_HZ, wav.SAMPLE_RATE_HZ)


def tally(corpus: Path, rows: list[Recording], *, phone: bool) -> dict[str, float]:
    """Number of ⟨ll, y⟩ in the rows, the share classified right, and the share classified as [ʃ] in each accent."""
    found: dict[str, list[bool]] = {YE: [], SHE: []}
    for row in tqdm(rows, desc="accent", leave=False, mininterval=5):
        pcm = wav.read(corpus / row.path)
        windows = accent.find_windows(row.text, through_phone(pcm, zlib.crc32(row.id.encode())) if phone else pcm)
        found[row.accent] += [window.sheismo for window in windows]
    right = sum(found[SHE]) + len(found[YE]) - sum(found[YE])
    count = len(found[SHE]) + len(found[YE])
    return {
        "windows": count,
        "accuracy": round(right / count, 4),
        "sheismo_of_ye_voices": round(float(np.mean(found[YE])), 4),
        "sheismo_of_she_voices": round(float(np.mean(found[SHE])), 4),
        "voices": len({row.voice for row in rows}),
    }


def main() -> None:
    args = parse_args()
    report: dict[str, object] = {"voices_are": "synthetic (espeak-ng es-419); proven on nothing else", "threshold_db": accent.THRESHOLD_DB}
    for split, count in UTTERANCES.items():
        rows = read_manifest(args.corpus, role="asr", split=split)[:count]
        report[split] = tally(args.corpus, rows, phone=False)
        report[f"{split}_opus_noise"] = tally(args.corpus, rows, phone=True)
        print(split, report[split], report[f"{split}_opus_noise"])
    files.write_json(args.report, report)


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("report", type=Path)
    return parser.parse_args()


if __name__ == "__main__":
    command.run(main)
