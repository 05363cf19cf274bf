"""Synthetic voice notes whose word times are known to the sample: espeak-ng's library reports them.

Everyday sentences with pauses of 0-0.9 s between them, many voices, room noise, Opus as phones write it: like
pocket/corpus/demo_notes.py. The same seed gives the same notes.
"""

import functools
import json
import random
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from pocket.corpus import acoustics, everyday_sentences, opus, voices
from voz.audio import wav
from voz.metrics import espeak
from voz.pipeline import files, parallel

PAUSE_S, EDGE_S, SNR_DB, GAIN_DB = (0.0, 0.9), (0.15, 0.4), (10.0, 40.0), (-12.0, -3.0)
BITRATES_BPS = (16_000, 20_000, 24_000)
SPAN_S = (20.0, 60.0)  # length of a note
LENGTHS = ("short", "medium", "medium", "long")
SILENCE_DB = -50.0  # relative to the sentence's peak; espeak-ng's pauses are zeros, except for the echo of some voices
TOUCHING_S = 0.02  # there is no pause between words that are nearer than this
TRUTH = "words.jsonl"


@dataclass(frozen=True)
class Word:
    """When a word is spoken. `closes`: a full stop, exclamation mark or question mark follows it."""

    start_s: float
    end_s: float
    closes: bool


@dataclass(frozen=True)
class SpokenNote:
    """A note's file name, its words in order, its length."""

    name: str
    words: list[Word]
    duration_s: float


def say(text: str, voice: voices.Voice) -> tuple[np.ndarray, list[Word]]:
    """Let espeak-ng speak `text`.

    A word lasts from its event to the next word's event, without the silence at its end. After a pause it begins with its first
    sound: espeak-ng's event lies before the closure of p, t, k. Silence within a word is part of it.

    Returns:
        The samples from the first sound to the last, float32 at 22 050 Hz [T], and the words.
    """
    speaker = espeak.Speaker(f"{espeak.LANGUAGE}+{voice.variant}", voice.rate_wpm, voice.pitch, voice.gap)
    pcm, rate_hz, events = espeak.synthesize(text, speaker, espeak.WORD)
    marks = [(event.position, event.length, event.sample) for event in events if event.length]  # a clause's end has length 0
    loud = np.flatnonzero(np.abs(pcm) > np.abs(pcm).max() * 10 ** (SILENCE_DB / 20))
    ends = [start for _, _, start in marks[1:]] + [len(pcm)]
    spans: list[tuple[int, int, bool]] = []
    for (position, length, start), end, following in zip(marks, ends, [*marks[1:], (len(text) + 1, 0, 0)], strict=True):
        first, last = np.searchsorted(loud, start), np.searchsorted(loud, end)
        if first == last:
            raise ValueError(f"{text!r} as {voice.name}: no sound between {start / rate_hz:.3f} and {end / rate_hz:.3f} s")
        paused = not spans or start - spans[-1][1] > TOUCHING_S * rate_hz
        after = text[position - 1 + length : following[0] - 1]
        spans.append((int(loud[first]) if paused else start, int(loud[last - 1]) + 1, any(sign in after for sign in ".!?")))
    begin = spans[0][0]
    words = [Word((start - begin) / rate_hz, (end - begin) / rate_hz, closes) for start, end, closes in spans]
    return pcm[begin : spans[-1][1]], words


def write_notes(folder: Path, count: int, seed: int, *, span_s: tuple[float, float] = SPAN_S) -> list[SpokenNote]:
    """Write `count` notes of about `span_s` into `folder`/notes, and their word times beside it. A folder with as many is reused."""
    truth = folder / TRUTH
    if truth.is_file() and len(kept := read_truth(truth)) == count:
        return kept
    (folder / "notes").mkdir(parents=True, exist_ok=True)
    work = functools.partial(_write_note, folder=folder / "notes", seed=seed, span_s=span_s)
    spoken = list(parallel.map(work, range(count), label="notes"))
    files.write_text(truth, "".join(json.dumps(asdict(note)) + "\n" for note in spoken))
    return spoken


def read_truth(path: Path) -> list[SpokenNote]:
    """The word times that `write_notes` wrote."""
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return [SpokenNote(row["name"], [Word(**word) for word in row["words"]], row["duration_s"]) for row in rows]


def make_note(number: int, seed: int, *, span_s: tuple[float, float]) -> tuple[np.ndarray, list[Word]]:
    """One note and its words. Sentences are added until a length drawn from `span_s` is reached. float32 at 16 kHz [T]"""
    rng, draw = np.random.default_rng((seed, number)), random.Random(f"{seed} {number}")
    voice = draw.choice(voices.asr_voices(seed, "train"))
    texts = {length: everyday_sentences.generate(seed * 100_000 + number, length=length, forbidden=set()) for length in LENGTHS}
    target = rng.uniform(*span_s) * wav.SAMPLE_RATE_HZ
    pieces, words = [_silence(rng, EDGE_S)], []
    at = len(pieces[0])
    while at < target:
        pcm, said = say(next(texts[draw.choice(LENGTHS)]), voice)
        begin_s = at / wav.SAMPLE_RATE_HZ
        words += [Word(round(begin_s + word.start_s, 4), round(begin_s + word.end_s, 4), word.closes) for word in said]
        pieces += [pcm, _silence(rng, PAUSE_S)]
        at += len(pcm) + len(pieces[-1])
    pieces[-1] = _silence(rng, EDGE_S)
    clean = wav.resample(np.concatenate(pieces), wav.SAMPLE_RATE_HZ, opus.SAMPLE_RATE_HZ)
    noisy = acoustics.with_noise(clean, rng, snr_db=rng.uniform(*SNR_DB))
    return noisy * np.float32(10 ** (rng.uniform(*GAIN_DB) / 20)), words


def _write_note(number: int, folder: Path, seed: int, span_s: tuple[float, float] = SPAN_S) -> SpokenNote:
    pcm, words = make_note(number, seed, span_s=span_s)
    name = f"PTT-20260101-WA{number:04d}.opus"
    (folder / name).write_bytes(opus.encode(pcm, bitrate_bps=BITRATES_BPS[number % len(BITRATES_BPS)]))
    return SpokenNote(name, words, len(pcm) / opus.SAMPLE_RATE_HZ)


def _silence(rng: np.random.Generator, span_s: tuple[float, float]) -> np.ndarray:
    return np.zeros(int(rng.uniform(*span_s) * wav.SAMPLE_RATE_HZ), np.float32)
