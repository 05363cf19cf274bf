"""Cut wavs into clips of about 9 s, never inside speech.

    python -m stages.segment data/wav data/clips --ledger reports/ledger/segment.csv --metrics reports/segment.json

Reads   data/wav/manifest.jsonl + <id>.wav            what convert wrote
Writes  data/clips/manifest.jsonl + <clip id>.wav     3-11.3 s each, same format, samples untouched
        reports/ledger/segment.csv                    each note's clips, and the speech that is in none, with the reason
        reports/segment.json                          totals: speech in = speech in clips + speech left out
"""

import argparse
import functools
import importlib.metadata
import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from voz.audio import segmentation, vad, wav
from voz.data import consent
from voz.pipeline import cache, command, ledger, output, parallel, params, records

STEP_VERSION = 2  # raise when the same wav gives other clips; tests/test_segment.py holds a golden output
TRAINER_MAX_S = 255_995 / wav.SAMPLE_RATE_HZ  # GPTTrainer's `max_wav_length`: 11.6 s
NEAR_TARGET_S = (7.0, 11.0)  # the share of clips within is reported


@dataclass(frozen=True)
class Params:
    """Section `segment` of params.yaml."""

    target_s: float
    min_s: float
    max_s: float
    min_gap_ms: int

    def __post_init__(self) -> None:
        if not 0.5 <= self.min_s < self.target_s < self.max_s <= TRAINER_MAX_S:
            found = f"{self.min_s}, {self.target_s}, {self.max_s}"
            raise ValueError(f"min_s, target_s, max_s: {found} must rise, from 0.5 to {TRAINER_MAX_S:.1f} (what the trainer takes)")
        if not 80 <= self.min_gap_ms <= 1000:
            raise ValueError(f"min_gap_ms: {self.min_gap_ms} is not within 80 and 1000")


@dataclass(frozen=True)
class Leftover:
    """Speech of a note that is in no clip."""

    start_ms: int
    end_ms: int
    speech_s: float
    reason: str


@dataclass(frozen=True)
class Result:
    """What became of a note."""

    speech_s: float
    clips: list[records.Clip]
    leftovers: list[Leftover]


def segment(note: str, wav: Path, folder: Path, p: Params) -> Result:
    """Cut one note and write its clips into `folder`.

    Raises:
        RuntimeError: speech in is not speech in clips + speech left out (a fault of the cutting).
    """
    heard = vad.listen(wav)
    stretches = segmentation.plan(heard, target_s=p.target_s, min_s=p.min_s, max_s=p.max_s, min_gap_ms=p.min_gap_ms)
    clips = [describe(note, heard, each) for each in stretches if not each.reason]
    for clip in clips:
        copy(wav, folder / f"{clip.id}.wav", start_s=clip.start_s, end_s=clip.end_s)
    left = [
        Leftover(_ms(each.start), _ms(each.end), _seconds(heard.mask[each.start : each.end + 1]), each.reason)
        for each in stretches
        if each.reason
    ]
    total = _seconds(heard.mask)
    found = sum(clip.speech_s for clip in clips) + sum(each.speech_s for each in left)
    if abs(total - found) > vad.HOP_S / 2:  # each figure is rounded
        raise RuntimeError(f"{wav}: {total:.3f} s of speech, {found:.3f} s accounted for")
    return Result(total, clips, left)


def describe(note: str, heard: vad.Heard, stretch: segmentation.Stretch) -> records.Clip:
    """The record of an accepted stretch."""
    start_ms, end_ms = _ms(stretch.start), _ms(stretch.end)
    inside = slice(stretch.start, stretch.end + 1)
    mask, energy = heard.mask[inside], heard.energy[inside]
    frames = vad.frames_db(heard.energy)
    return records.Clip(
        id=f"{note}-{start_ms:07d}-{end_ms:07d}",
        note=note,
        start_s=start_ms / 1000,
        end_s=end_ms / 1000,
        duration_s=(end_ms - start_ms) / 1000,
        speech_s=_seconds(mask),
        level_db=round(vad.decibel(float(energy[mask].mean())), 2),
        noise_db=round(vad.quiet_db(energy), 2),
        start_db=round(float(frames[stretch.start]), 2),
        end_db=round(float(frames[stretch.end]), 2),
    )


def copy(source: Path, target: Path, *, start_s: float, end_s: float) -> None:
    """Write a stretch of a wav, sample by sample as it was."""
    first, last = round(start_s * wav.SAMPLE_RATE_HZ), round(end_s * wav.SAMPLE_RATE_HZ)
    with open(source, "rb") as file:
        pcm, _ = soundfile.read(file, start=first, frames=last - first, dtype="int16")
    wav.encode(target, pcm)


def segment_to_scratch(item: tuple[str, cache.Key], store: cache.Scratch, wavs: Path, p: Params) -> None:
    """Segment one note (its id, its key) into its scratch entry."""
    note, key = item
    with store.put(key) as folder:
        result = segment(note, wavs / f"{note}.wav", folder, p)
        cache.write_json(folder, "result.json", asdict(result))


def compute(notes: list[records.Note], wavs: Path, store: cache.Scratch, p: Params, *, workers: int) -> dict[str, cache.Key]:
    """Have every note's result in the scratch; return the keys by note."""
    keys = {note.id: store.key(note.id, cache.hash_file(wavs / f"{note.id}.wav")) for note in notes}
    missing = [(note, key) for note, key in keys.items() if store.get(key) is None]
    work = functools.partial(segment_to_scratch, store=store, wavs=wavs, p=p)
    for _ in parallel.map(work, missing, label="segment", workers=workers):
        pass
    cache.log("segment", computed=len(missing), reused=len(keys) - len(missing))
    return keys


def settle(note: str, result: Result, account: ledger.Account) -> None:
    """Write a note's clips and leftovers into the ledger."""
    for clip in result.clips:
        account.accept(note, clip.id, start_s=clip.start_s, end_s=clip.end_s)
    for each in result.leftovers:
        item = f"{note}-{each.start_ms:07d}-{each.end_ms:07d}"
        account.reject(
            note, item, each.reason, start_s=each.start_ms / 1000, end_s=each.end_ms / 1000, detail=f"{each.speech_s:.2f} s of speech"
        )
    if not result.clips and not result.leftovers:
        account.reject(note, note, "no_speech")


def summarize(notes: list[records.Note], results: Iterable[Result], account: ledger.Account) -> dict[str, Any]:
    """Totals that identify nobody: reports/segment.json."""
    results = list(results)
    clips = [clip for result in results for clip in result.clips]
    lengths = np.array([clip.duration_s for clip in clips])
    spoken, kept = sum(result.speech_s for result in results), sum(clip.speech_s for clip in clips)
    left: dict[str, float] = defaultdict(float)
    for each in (each for result in results for each in result.leftovers):
        left[each.reason] += each.speech_s
    low, high = NEAR_TARGET_S
    margins = [min(clip.level_db - clip.start_db, clip.level_db - clip.end_db) for clip in clips]
    quartiles = np.percentile(lengths, [0, 25, 50, 75, 100]) if clips else np.zeros(5)
    return {
        "notes": len(notes),
        "clips": len(clips),
        "minutes_in": sum(note.duration_s for note in notes) / 60,
        "minutes_of_clips": float(lengths.sum()) / 60,
        "speech_minutes_in": spoken / 60,
        "speech_minutes_kept": kept / 60,
        "speech_kept": kept / spoken if spoken else 0.0,
        "clip_s": dict(zip(("min", "q1", "median", "q3", "max"), map(float, quartiles), strict=True)),
        "clips_7_to_11_s": float(((lengths >= low) & (lengths <= high)).mean()) if clips else 0.0,
        "cut_margin_db": {"min": min(margins, default=0.0), "median": float(np.median(margins)) if margins else 0.0},
        "rejected": account.reasons,
        "speech_s_rejected": dict(sorted(left.items())),
    }


def write(folder: Path, results: dict[str, Result], keys: dict[str, cache.Key], store: cache.Scratch, wavs: Path) -> None:
    """Write the output whole: clips, manifest, consent."""
    with output.whole_folder(folder):
        clips = [clip for result in results.values() for clip in result.clips]
        for clip in clips:
            cache.place(store.path(keys[clip.note]) / f"{clip.id}.wav", folder / f"{clip.id}.wav")
        records.write(folder, clips)
        consent.carry(wavs, folder)


def main() -> None:
    """Segment all notes of a folder."""
    args = parse_args()
    p, workers = params.load("segment", Params), params.load("compute", params.Compute).workers
    notes = records.read(args.wavs, records.Note)
    account = ledger.Account("segment", [note.id for note in notes])
    store = cache.Scratch("segment", STEP_VERSION, params=asdict(p), model=f"silero-vad {importlib.metadata.version('silero-vad')}")
    keys = compute(notes, args.wavs, store, p, workers=workers)
    results = {note: _remembered(store.path(key)) for note, key in keys.items()}
    for note, result in results.items():
        settle(note, result, account)
    account.close(args.ledger)
    if not account.accepted:
        why = ", ".join(f"{count} {reason}" for reason, count in account.reasons.items())
        raise command.UserError(f"{args.wavs}: no clip came out ({why})", "add longer notes, or lower segment.min_s in params.yaml")
    write(args.clips, results, keys, store, args.wavs)
    metrics = summarize(notes, results.values(), account)
    records.write_json(args.metrics, metrics)
    print(account.summary())
    print(f"segment: {metrics['speech_kept']:.1%} of {metrics['speech_minutes_in']:.1f} minutes of speech kept")


def _remembered(entry: Path) -> Result:
    data = json.loads((entry / "result.json").read_text(encoding="utf-8"))
    return Result(data["speech_s"], [records.Clip(**clip) for clip in data["clips"]], [Leftover(**each) for each in data["leftovers"]])


def _ms(hop: int) -> int:
    """The middle of a hop, in milliseconds."""
    return round((hop + 0.5) * vad.HOP_S * 1000)


def _seconds(mask: np.ndarray) -> float:
    """How long the True hops of a mask last."""
    return round(int(mask.sum()) * vad.HOP_S, 6)


def parse_args() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("wavs", type=Path, help="folder that convert wrote")
    parser.add_argument("clips", type=Path, help="folder to write")
    parser.add_argument("--ledger", type=Path, required=True)
    parser.add_argument("--metrics", type=Path, required=True)
    return parser.parse_args()


if __name__ == "__main__":
    command.run(main)
