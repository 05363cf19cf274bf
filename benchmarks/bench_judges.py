"""Two raters of a signal's quality on real speech, clean and spoiled, and on what the demo's voices say: DistillMOS and DNSMOS.

    pip install --no-deps speechmos==0.0.1.1
    python -m benchmarks.bench_judges FOLDER --lines reports/lines

Reads   prompts of four real speakers (benchmarks/bench_sound_filters.py fetches them into FOLDER); the lines that evaluate wrote
Writes  a table for benchmarks/README.md. It measures how the raters rank, not time.
"""

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
from speechmos import dnsmos

from benchmarks import bench_sound_filters as real
from pocket.corpus import opus
from voz.audio import wav
from voz.metrics import judges
from voz.pipeline import command
from voz.pipeline.records import VOICES

SPEAKERS = ("es_MX_f_Allison", "fr_CA_f_June", "it_IT_m_Carlo", "ru_RU_f_IvrvoiceRU")
CLIPS = 5
LEVEL_DB = -23.0
RATE_HZ = opus.SAMPLE_RATE_HZ


def levelled(pcm: np.ndarray) -> np.ndarray:
    """At one RMS level. [T] -> [T]"""
    return (pcm / np.sqrt(np.mean(pcm**2)) * 10 ** (LEVEL_DB / 20)).astype(np.float32)


def noisy(pcm: np.ndarray, snr_db: float) -> np.ndarray:
    """White noise below the RMS of the signal. [T] -> [T]"""
    noise = np.random.default_rng(1).standard_normal(len(pcm))
    return (pcm + noise * np.sqrt(np.mean(pcm**2)) * 10 ** (-snr_db / 20)).astype(np.float32)


CONDITIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "clean": lambda pcm: pcm,
    "Opus, 20 kb/s (WhatsApp)": lambda pcm: opus.roundtrip(pcm, bitrate_bps=20_000),
    "Opus, 8 kb/s": lambda pcm: opus.roundtrip(pcm, bitrate_bps=8_000),
    "Opus, 6 kb/s": lambda pcm: opus.roundtrip(pcm, bitrate_bps=6_000),
    "white noise, 20 dB": lambda pcm: noisy(pcm, 20),
    "white noise, 10 dB": lambda pcm: noisy(pcm, 10),
    "telephone band (8 kHz)": lambda pcm: wav.resample(wav.resample(pcm, RATE_HZ, 8_000), 8_000, RATE_HZ),
}


def scores(pcm: np.ndarray) -> tuple[float, float, float]:
    """DistillMOS, DNSMOS P.835 overall and DNSMOS P.808. float32 at 16 kHz [T]"""
    rated = judges.rate(wav.resample(pcm, RATE_HZ, wav.SAMPLE_RATE_HZ))
    other = dnsmos.run(np.clip(pcm, -1, 1).astype(np.float32), RATE_HZ)
    return float(rated or 0.0), float(other["ovrl_mos"]), float(other["p808_mos"])


def main() -> None:
    """Print the table."""
    args = parse_args()
    real.fetch(args.folder)
    real.CLIPS = CLIPS
    clips = [levelled(pcm) for speaker in SPEAKERS for pcm in real.clips_of(args.folder, speaker)]
    clean = np.array([scores(pcm) for pcm in clips])
    print("| | DistillMOS | below clean | DNSMOS overall | below clean | DNSMOS P.808 | below clean |\n|---|---|---|---|---|---|---|")
    for name, spoil in CONDITIONS.items():
        found = np.array([scores(spoil(pcm)) for pcm in clips])
        lower = (found < clean).sum(axis=0)
        print(f"| {name} | " + " | ".join(f"{found[:, i].mean():.2f} | {lower[i]} of {len(clips)}" for i in range(3)) + " |")
    for name in VOICES:
        paths = sorted((args.lines / name).glob("*.wav"))
        rate_hz = wav.SAMPLE_RATE_HZ if name == "real" else wav.OUTPUT_RATE_HZ
        found = np.array([scores(levelled(wav.resample(wav.read(path, rate_hz=rate_hz), rate_hz, RATE_HZ))) for path in paths])
        print(f"| demo, {name.replace('_', '-')} | " + " | ".join(f"{found[:, i].mean():.2f} | –" for i in range(3)) + " |")


def parse_args() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="a folder outside the repository")
    parser.add_argument("--lines", type=Path, required=True, help="folder that evaluate wrote")
    return parser.parse_args()


if __name__ == "__main__":
    command.run(main)
