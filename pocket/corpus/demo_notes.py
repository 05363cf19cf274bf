"""The demo's voice notes: one Rioplatense speaker with sheísmo, as a phone would have sent them. Same bytes every time.

    python -m pocket.corpus.demo_notes data/demo

Reads   pocket/corpus/demo_texts.py
Writes  data/demo/notes/PTT-2026MMDD-WA00NN.opus + consent.yaml
        data/demo/truth.csv            name,sentence,start_s,end_s,text,voice: for tests only; without the truncated file
        data/demo/corrections.csv      its header, where there is no such file yet

Among the notes: one of 40 s, one of 1 s, one by another speaker, a truncated file, a duplicate under another name, an empty file.
"""

import argparse
import datetime
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml

from pocket.corpus import acoustics, opus, speech
from pocket.corpus.demo_texts import CUT_NOTE, LONG_NOTE, NOTES, OTHER_SPEAKER_NOTE, SHORT_NOTE
from pocket.corpus.voices import DEMO_SPEAKER, OTHER_SPEAKER, Voice
from voz.audio import wav
from voz.pipeline import command, files

SEED = 1_806
FIRST_DAY = datetime.date(2026, 3, 14)
PAUSE_S, EDGE_S, SNR_DB, GAIN_DB = (0.3, 0.9), (0.15, 0.4), (25.0, 40.0), (-12.0, -3.0)
BITRATES_BPS = (16_000, 20_000, 24_000)
DUPLICATE_OF = 4  # the note that was forwarded once more
CUT_SHARE = 0.6  # of the bytes of the truncated file
CONSENT = {
    "speaker": "Pablo (voz sintética)",
    "date": "2026-03-14",
    "statement": "Esta voz no es de ninguna persona: la hizo espeak-ng (es-419, variante pablo). Se puede entrenar y publicar.",
    "scope": "training, evaluation and publication of the demo voice",
}


@dataclass(frozen=True, kw_only=True)
class Sentence:
    """One row of truth.csv."""

    name: str
    sentence: int
    start_s: float
    end_s: float
    text: str
    voice: str


def note_name(number: int) -> str:
    """WhatsApp's name of the note: about five a day."""
    day = FIRST_DAY + datetime.timedelta(days=number // 5)
    return f"PTT-{day:%Y%m%d}-WA{number * 3 + 7:04d}.opus"


def say_note(number: int, texts: list[str], voice: Voice) -> tuple[np.ndarray, list[Sentence]]:
    """One note at 16 kHz, [T], with pauses, room noise and a level of its own, and where its sentences lie."""
    rng = np.random.default_rng((SEED, number))
    edge_s = (0.02, 0.04) if number == SHORT_NOTE else EDGE_S
    pieces, rows, at = [_silence(rng, edge_s)], [], 0
    for index, text in enumerate(texts):
        spoken = wav.resample(speech.speak(text, voice), speech.SAMPLE_RATE_HZ, opus.SAMPLE_RATE_HZ)
        at = sum(map(len, pieces))
        end = at + len(spoken)
        span_s = (round(at / opus.SAMPLE_RATE_HZ, 2), round(end / opus.SAMPLE_RATE_HZ, 2))
        rows.append(Sentence(name=note_name(number), sentence=index, start_s=span_s[0], end_s=span_s[1], text=text, voice=voice.name))
        pieces += [spoken, _silence(rng, PAUSE_S)]
    pieces[-1] = _silence(rng, edge_s)
    noisy = acoustics.with_noise(np.concatenate(pieces), rng, snr_db=rng.uniform(*SNR_DB))
    return noisy * np.float32(10 ** (rng.uniform(*GAIN_DB) / 20)), rows


def _silence(rng: np.random.Generator, span_s: tuple[float, float]) -> np.ndarray:
    return np.zeros(int(rng.uniform(*span_s) * opus.SAMPLE_RATE_HZ), np.float32)


def make_notes() -> tuple[dict[str, bytes], list[Sentence], float]:
    """File name to bytes, the truth, and the seconds of the demo speaker's whole files."""
    notes: dict[str, bytes] = {}
    truth: list[Sentence] = []
    speech_s = 0.0
    for number, texts in enumerate(NOTES):
        pcm, rows = say_note(number, texts, OTHER_SPEAKER if number == OTHER_SPEAKER_NOTE else DEMO_SPEAKER)
        data = opus.encode(pcm, bitrate_bps=BITRATES_BPS[number % len(BITRATES_BPS)])
        if number == CUT_NOTE:
            notes[note_name(number)] = data[: int(len(data) * CUT_SHARE)]
            continue
        notes[note_name(number)] = data
        truth += rows
        speech_s += 0 if number == OTHER_SPEAKER_NOTE else len(pcm) / opus.SAMPLE_RATE_HZ
        if number in (LONG_NOTE, SHORT_NOTE):
            print(f"{note_name(number)}: {len(pcm) / opus.SAMPLE_RATE_HZ:.1f} s")
    twice, empty = note_name(len(NOTES)), note_name(len(NOTES) + 1)
    notes |= {twice: notes[note_name(DUPLICATE_OF)], empty: b""}
    truth += [Sentence(**{**vars(row), "name": twice}) for row in truth if row.name == note_name(DUPLICATE_OF)]
    return notes, truth, speech_s


def truth_csv(rows: list[Sentence]) -> str:
    """The content of truth.csv."""
    return files.csv_text([Sentence.__dataclass_fields__, *(vars(row).values() for row in rows)])


def main() -> None:
    args = parse_args()
    notes, truth, speech_s = make_notes()
    for name, data in notes.items():
        with files.atomic(args.demo / "notes" / name) as file:
            file.write(data)
    files.write_text(args.demo / "notes" / "consent.yaml", yaml.safe_dump(CONSENT, allow_unicode=True, sort_keys=False, width=200))
    files.write_text(args.demo / "truth.csv", truth_csv(truth))
    if not (args.demo / "corrections.csv").exists():
        files.write_text(args.demo / "corrections.csv", "clip,action,text\n")
    print(f"{len(notes)} files, {speech_s / 60:.1f} minutes of the demo speaker, {sum(map(len, notes.values())) / 1e6:.2f} MB")


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("demo", type=Path)
    return parser.parse_args()


if __name__ == "__main__":
    command.run(main)
