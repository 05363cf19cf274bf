"""Cut wavs into clips of about 9 s, never within speech.

    python -m stages.segment data/wav data/clips --ledger reports/ledger/segment.csv --metrics reports/segment.json

Reads   data/wav/manifest.jsonl + <id>.wav            what convert wrote
Writes  data/clips/manifest.jsonl + <clip id>.wav     3-11.3 s each, samples unchanged
        data/clips/consent.yaml                       copied
        reports/ledger/segment.csv                    each note's clips, and the speech that is in no clip, with the reason
        reports/segment.json                          totals: speech in = speech in clips + speech left out
"""

import argparse
import functools
import importlib.metadata
from collections import defaultdict
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from pydantic import Field, model_validator

from voz.audio import limits, segmentation, vad, wav
from voz.data import consent
from voz.pipeline import cache, cache_folders, command, files, ledger, params, records
from voz.pipeline.checked import section
from voz.pipeline.language import tr

STEP_VERSION = 3  # raise when the same wav gives other clips; tests/test_segment.py holds a golden output
NEAR_TARGET_S = (7.0, 11.0)  # reports/segment.json has the share of clips of such a length
RESULT = "result.json"  # in an entry of the cache, beside the clips


@section
class Params:
    """Section `segment` of params.yaml."""

    target_s: float
    min_s: float = Field(ge=0.5)
    max_s: float = Field(le=limits.MAX_S)
    min_gap_ms: int = Field(ge=80, le=1000)

    @model_validator(mode="after")
    def _lengths_rise(self) -> Self:
        if not self.min_s < self.target_s < self.max_s:
            raise ValueError(f"min_s, target_s, max_s: {self.min_s}, {self.target_s}, {self.max_s} must rise")
        return self


@dataclass(frozen=True)
class Leftover:
    """Speech of a note that is in no clip."""

    start_ms: int
    end_ms: int
    speech_s: float
    reason: str


@dataclass(frozen=True)
class SegmentedNote:
    """The clips of a note, and the speech that is in none of them. `speech_s` is all its speech. reason: why there is neither."""

    speech_s: float
    clips: list[records.Clip]
    leftovers: list[Leftover]
    reason: str = "no_speech"


DIED = SegmentedNote(0.0, [], [], "process_died")


def segment(note: str, path: Path, folder: Path, p: Params) -> SegmentedNote:
    """Cut one note and write its clips into `folder`.

    Raises:
        RuntimeError: the speech in clips and the speech left out do not add up to the note's speech (a bug).
    """
    analysis = vad.analyse(path)
    stretches = segmentation.plan(analysis, target_s=p.target_s, min_s=p.min_s, max_s=p.max_s, min_gap_ms=p.min_gap_ms)
    clips = segmentation.clip_records(note, analysis, stretches)
    for clip in clips:
        wav.copy_stretch(path, folder / f"{clip.id}.wav", start_s=clip.start_s, end_s=clip.end_s)
    leftovers = [leftover(analysis, each) for each in stretches if each.reason]
    total_s = segmentation.duration_s(analysis.mask)
    accounted_s = sum(clip.speech_s for clip in clips) + sum(each.speech_s for each in leftovers)
    if abs(total_s - accounted_s) > vad.HOP_S / 2:  # each figure is rounded
        raise RuntimeError(f"{path}: {total_s:.3f} s of speech, {accounted_s:.3f} s accounted for")
    return SegmentedNote(total_s, clips, leftovers)


def leftover(analysis: vad.NoteAnalysis, stretch: segmentation.Stretch) -> Leftover:
    """The record of a stretch of speech that is in no clip."""
    speech_s = segmentation.duration_s(analysis.mask[stretch.start : stretch.end + 1])
    return Leftover(segmentation.middle_ms(stretch.start), segmentation.middle_ms(stretch.end), speech_s, stretch.reason)


def segment_into_cache(note: records.Note, entry: Path, wavs: Path, p: Params) -> None:
    """Cut one note into its entry of the cache."""
    cache_folders.save_json(entry, RESULT, asdict(segment(note.id, wavs / f"{note.id}.wav", entry, p)))


def load_segmented(entry: Path) -> SegmentedNote:
    """The segmented note in an entry of the cache."""
    data = cache_folders.load_json(entry, RESULT)
    clips, leftovers = [records.Clip(**clip) for clip in data["clips"]], [Leftover(**each) for each in data["leftovers"]]
    return SegmentedNote(data["speech_s"], clips, leftovers)


def account_for(note: str, segmented: SegmentedNote, account: ledger.Account) -> None:
    """Write a note's clips and leftovers into the ledger."""
    for clip in segmented.clips:
        account.accept(note, clip.id, start_s=clip.start_s, end_s=clip.end_s)
    for each in segmented.leftovers:
        item = f"{note}-{each.start_ms:07d}-{each.end_ms:07d}"
        start_s, end_s = each.start_ms / 1000, each.end_ms / 1000
        account.reject(note, item, each.reason, start_s=start_s, end_s=end_s, detail=f"{each.speech_s:.2f} s of speech")
    if not segmented.clips and not segmented.leftovers:
        account.reject(note, note, segmented.reason)


def aggregate(notes: list[records.Note], segmented: list[SegmentedNote], account: ledger.Account) -> dict[str, Any]:
    """reports/segment.json: totals, which identify nobody."""
    clips = [clip for each in segmented for clip in each.clips]
    lengths_s = np.array([clip.duration_s for clip in clips])
    speech_s, kept_s = sum(each.speech_s for each in segmented), sum(clip.speech_s for clip in clips)
    left_out_s: dict[str, float] = defaultdict(float)
    for result in segmented:
        for each in result.leftovers:
            left_out_s[each.reason] += each.speech_s
    low, high = NEAR_TARGET_S
    margins = [min(clip.level_db - clip.start_db, clip.level_db - clip.end_db) for clip in clips]
    quartiles = np.percentile(lengths_s, [0, 25, 50, 75, 100]) if clips else np.zeros(5)
    return {
        "notes": len(notes),
        "clips": len(clips),
        "minutes_in": sum(note.duration_s for note in notes) / 60,
        "minutes_of_clips": float(lengths_s.sum()) / 60,
        "speech_minutes_in": speech_s / 60,
        "speech_minutes_kept": kept_s / 60,
        "speech_kept": kept_s / speech_s if speech_s else 0.0,
        "clip_s": dict(zip(("min", "q1", "median", "q3", "max"), map(float, quartiles), strict=True)),
        "clips_7_to_11_s": float(((lengths_s >= low) & (lengths_s <= high)).mean()) if clips else 0.0,
        "cut_margin_db": {"min": min(margins, default=0.0), "median": float(np.median(margins)) if margins else 0.0},
        "rejected": account.reasons,
        "speech_s_rejected": dict(sorted(left_out_s.items())),
    }


def write(target: Path, segmented: list[SegmentedNote], entries: list[Path], wavs: Path) -> None:
    """Write the whole output: clips, manifest, consent. `entries` are the notes' entries of the cache, in the same order."""
    with files.whole_folder(target) as folder:
        for note, entry in zip(segmented, entries, strict=True):
            for clip in note.clips:
                files.copy(entry / f"{clip.id}.wav", folder / f"{clip.id}.wav")
        records.write(folder, [clip for note in segmented for clip in note.clips])
        consent.carry(wavs, folder)


def main() -> None:
    """Segment all notes of a folder."""
    args = parse_args()
    p, compute = params.load("segment", Params), params.load("compute", params.Compute)
    notes = records.read(args.wavs, records.Note)
    account = ledger.Account("segment", [note.id for note in notes])
    store = cache.Cache("segment", STEP_VERSION, params=asdict(p), model=f"silero-vad {importlib.metadata.version('silero-vad')}")
    keys = {note.id: store.key(note.id, files.hash_file(args.wavs / f"{note.id}.wav")) for note in notes}
    work = functools.partial(segment_into_cache, wavs=args.wavs, p=p)
    segmented = store.map(
        notes,
        key=lambda note: keys[note.id],
        work=work,
        load=load_segmented,
        label="segment",
        unit="note",
        engine=compute.items,
        died=lambda note: DIED,
    )
    for note, each in zip(notes, segmented, strict=True):
        account_for(note.id, each, account)
    account.close(args.ledger)
    if not account.accepted:
        why = ", ".join(f"{count} {reason}" for reason, count in account.reasons.items())
        raise command.UserError(
            "{wavs}: no clip could be cut ({why})", "add longer notes, or lower segment.min_s in params.yaml", wavs=args.wavs, why=why
        )
    write(args.clips, segmented, [store.path(keys[note.id]) for note in notes], args.wavs)
    metrics = aggregate(notes, segmented, account)
    files.write_json(args.metrics, metrics)
    print(account.summary())
    print(
        tr(
            "segment: {share:.1%} of {minutes:.1f} minutes of speech kept",
            share=metrics["speech_kept"],
            minutes=metrics["speech_minutes_in"],
        )
    )


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
