"""The scores of clipping and of music on eight real speakers: how many clean clips a limit takes, and how much it finds.

    python -m benchmarks.bench_sound_filters FOLDER

Reads   Debian's packages of Asterisk (apt, no part of this repository): prompts of eight speakers of five languages, music on hold
Writes  FOLDER: the packages, unpacked, kept for the next run; tables on stdout, ready for benchmarks/README.md

A clip is 7 s or more of prompts. Clean means: as recorded, at full scale, compressed as a phone does it, or limited; none has flat
tops. Clipped means: amplified past full scale, then cut off. Everything is coded as Opus at 20 kb/s afterwards, as WhatsApp does.
"""

import argparse
import random
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks import real_speech
from pocket.corpus import opus
from voz.audio import wav
from voz.metrics import clip_scores
from voz.pipeline import command, files, params

SPEAKERS = ("en_US_f_Allison", "es", "es_MX_f_Allison", "fr", "fr_CA_f_June", "it_IT_f_Menardi", "it_IT_m_Carlo", "ru_RU_f_IvrvoiceRU")
PACKAGES = (
    *(f"asterisk-core-sounds-{language}-g722" for language in ("en", "es", "fr", "it", "ru")),
    *("asterisk-prompt-es-co", "asterisk-prompt-fr-armelle", "asterisk-prompt-it-menardi-wav", "asterisk-moh-opsound-g722"),
)
FORMATS = {".g722": ["-f", "g722"], ".gsm": ["-f", "gsm", "-ar", "8000"], ".wav": []}
CLIPS, CLIP_S, PAUSE_S = 12, 7.0, 0.3
PHONE = ("0.005,0.1", "6:-70,-60,-20", "-8", "-90", "0.2")  # SoX compand: soft speech is raised by 10 dB and more
LIMITER = ("0.001,0.05", "-60,-60,-30,-15,-15,-9,0,-6", "0", "-90", "0.01")  # loud speech is held at one level
OVER_DB = (3, 6, 9, 12)  # peaks over full scale
MUSIC_UNDER_DB = (6, 12, 18, 24)
RATE_HZ = opus.SAMPLE_RATE_HZ


def fetch(folder: Path) -> None:
    """Unpack the packages into `folder`/sounds, unless they are there."""
    if not (folder / "sounds").is_dir():
        with files.whole_folder(folder / "sounds") as target:
            subprocess.run(["apt-get", "download", "-q", *PACKAGES], cwd=target, check=True)
            for package in sorted(target.glob("*.deb")):
                subprocess.run(["dpkg-deb", "-x", str(package), str(target)], check=True)


def decode(path: Path) -> np.ndarray:
    """float32 at 16 kHz. [T]"""
    call = ["ffmpeg", "-v", "error", *FORMATS[path.suffix], "-i", str(path), "-f", "s16le", "-ac", "1", "-ar", str(RATE_HZ), "-"]
    return np.frombuffer(subprocess.run(call, capture_output=True, check=True).stdout, "<i2").astype(np.float32) / 32768


def clips_of(folder: Path, speaker: str) -> Iterator[np.ndarray]:
    """CLIPS clips of a speaker, float32 at 16 kHz with a peak of 0.5. [T]"""
    root = folder / "sounds" / "usr" / "share" / "asterisk" / "sounds" / speaker
    names = sorted(str(path.relative_to(root)) for path in root.rglob("*.*"))
    names = [name for name in names if not name.startswith((*real_speech.NOT_SPEECH, "silence/"))]
    random.Random(3).shuffle(names)
    noise = np.random.default_rng(1)
    pieces: list[np.ndarray] = []
    made = 0
    for name in names:
        pcm = decode(root / name)
        if len(pcm) < real_speech.SHORTEST_S * RATE_HZ:
            continue
        pieces += [pcm / np.abs(pcm).max() * 0.5, np.zeros(round(PAUSE_S * RATE_HZ), np.float32)]
        if sum(map(len, pieces)) > CLIP_S * RATE_HZ:
            whole = np.concatenate(pieces)
            yield whole + noise.standard_normal(len(whole)).astype(np.float32) * np.float32(10 ** (real_speech.NOISE_DB / 20))
            pieces, made = [], made + 1
        if made == CLIPS:
            return


def compand(pcm: np.ndarray, settings: tuple[str, ...], peak: float) -> np.ndarray:
    """SoX's dynamic compression, brought to a peak. [T] -> [T]"""
    call = ["sox", "-t", "f32", "-r", str(RATE_HZ), "-c", "1", "-", "-t", "f32", "-", "compand", *settings]
    found = np.frombuffer(subprocess.run(call, input=pcm.astype("<f4").tobytes(), capture_output=True, check=True).stdout, "<f4")
    return found / np.abs(found).max() * np.float32(peak)


def by_phone(pcm: np.ndarray) -> np.ndarray:
    """Through Opus and up to the pipeline's rate. [T] -> [T']"""
    return wav.resample(opus.roundtrip(np.ascontiguousarray(pcm, np.float32), bitrate_bps=20_000), RATE_HZ, wav.SAMPLE_RATE_HZ)


def overdriven(pcm: np.ndarray, over_db: float) -> np.ndarray:
    """Peaks of `over_db` past full scale are cut off at 48 kHz, as a microphone's converter does it. [T] at 16 kHz -> [T]"""
    fine = wav.resample(np.ascontiguousarray(pcm, np.float32), RATE_HZ, 48_000)
    cut = np.clip(fine / np.abs(fine).max() * 10 ** (over_db / 20), -1.0, 1.0) * 0.97
    return wav.resample(cut.astype(np.float32), 48_000, RATE_HZ)


def versions(pcm: np.ndarray) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """The clean and the clipped versions of a clip, by name."""
    full = pcm / np.abs(pcm).max()
    phone = compand(full * 0.5, PHONE, 0.7)
    clean = {"as recorded": full * 0.5, "full scale": full * 0.98, "compressed": phone, "limited": compand(full * 0.9, LIMITER, 0.9)}
    clipped = {f"{over} dB over": overdriven(full, over) for over in OVER_DB} | {"compressed, 6 dB over": overdriven(phone, 6)}
    return clean, clipped


def level_db(pcm: np.ndarray) -> float:
    """Level of the loud frames of 50 ms. [T] at 16 kHz"""
    frames = pcm[: len(pcm) // 800 * 800].reshape(-1, 800)
    return float(10 * np.log10(np.percentile((frames**2).mean(axis=1), 90) + 1e-12))


def main() -> None:
    """Score everything and print both tables."""
    args = parse_args()
    fetch(args.folder)
    limits = params.read()["curate"]
    tunes = [decode(path) for path in sorted((args.folder / "sounds").rglob("moh/*.g722"))]
    drawn = np.random.default_rng(2)
    clean: dict[str, list[tuple[float, float]]] = {}  # by speaker: clipping, music
    clipped: dict[str, list[float]] = {}
    music: dict[int, list[float]] = {}
    for speaker in SPEAKERS:
        for pcm in clips_of(args.folder, speaker):
            good, bad = versions(pcm)
            for each in good.values():
                coded = by_phone(each)
                clean.setdefault(speaker, []).append((clip_scores.clipping(coded), clip_scores.music(coded)))
            for name, each in bad.items():
                clipped.setdefault(name, []).append(clip_scores.clipping(by_phone(each)))
            tune = tunes[int(drawn.integers(len(tunes)))]
            start = int(drawn.integers(len(tune) - len(pcm)))
            for under in MUSIC_UNDER_DB:
                part = tune[start : start + len(pcm)]
                mixed = pcm + part * np.float32(10 ** ((level_db(pcm) - under - level_db(part)) / 20))
                music.setdefault(under, []).append(clip_scores.music(by_phone(mixed)))
    for index, name in enumerate(("clipping", "music")):
        limit = limits[f"max_{name}"]
        print(f"\n| {name}, limit {limit} | clips | median | 98 % below | taken |\n|---|---|---|---|---|")
        for speaker, pairs in clean.items():
            print(row(f"clean: {speaker}", [pair[index] for pair in pairs], limit))
        for kind, scores in clipped.items() if name == "clipping" else ((f"music {under} dB under", each) for under, each in music.items()):
            print(row(kind, scores, limit))


def row(name: str, scores: list[float], limit: float) -> str:
    """A line of the table."""
    return (
        f"| {name} | {len(scores)} | {np.median(scores):.2f} | {np.quantile(scores, 0.98):.2f} | {np.mean(np.array(scores) > limit):.1%} |"
    )


def parse_args() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="a folder outside the repository")
    return parser.parse_args()


if __name__ == "__main__":
    command.run(main)
