"""Reject the clips that would damage a voice, and write the others as a dataset that any coqui-tts can train from.

    python -m stages.curate data/clips data/transcripts data/dataset --corrections data/corrections.csv \\
        --base models/pocket/xtts --ledger reports/ledger/curate.csv --metrics reports/curate.json

Reads   data/clips, data/transcripts, the corrections file, the base's tokenizer and speaker encoder
Writes  data/dataset/                     see voz/data/dataset.py
        reports/ledger/curate.csv         every clip, with all its reasons and scores
        reports/curate.json               aggregate numbers

The filters and reasons are those of voz/metrics/filters.py. A person's correction overrules every filter; only what
XTTS's trainer cannot take stays out. What Whisper wrote and nobody said is cut off a text first (voz/text/unspoken.py); the
ledger holds what was cut off.
"""

import argparse
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from pydantic import Field, model_validator

from voz.audio import limits, wav
from voz.data import corrections, dataset
from voz.metrics import clip_scores, filters, rejections, text_scores
from voz.model import xtts
from voz.pipeline import command, files, ledger, params, records, seen
from voz.pipeline.checked import section
from voz.pipeline.language import tr
from voz.text import clip_text, tokens
from voz.text.clip_text import ClipText

if TYPE_CHECKING:
    from TTS.tts.layers.xtts.tokenizer import VoiceBpeTokenizer

SETTINGS = "settings.json"  # in the folder of the transcripts: the parameters that they were made with


@section
class Params:
    """Section `curate` of params.yaml."""

    eval_share: float = Field(gt=0, lt=1)
    test_share: float = Field(gt=0, lt=1)
    min_avg_logprob: float
    min_chars_per_s: float = Field(gt=0)
    max_chars_per_s: float
    max_missing_share: float = Field(gt=0, le=1)
    max_hallucination: float
    max_prompt_leak: float
    max_other_language_prob: float
    min_snr_db: float
    max_clipping: float
    max_music: float
    max_duplicate: float
    max_speaker_deviations: float

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.eval_share + self.test_share >= 1:
            raise ValueError(f"eval_share {self.eval_share} and test_share {self.test_share} must leave something to train on")
        if not self.min_chars_per_s < self.max_chars_per_s:
            raise ValueError(f"min_chars_per_s {self.min_chars_per_s} must be below max_chars_per_s")
        return self


@dataclass
class Candidate:
    """A clip with all that decides whether it is accepted: it is, if `reasons` stays empty."""

    clip: records.Clip
    transcript: records.Transcript
    correction: corrections.Correction | None
    text: ClipText
    scores: dict[str, float] = field(default_factory=dict)
    reasons: list[str] = field(default_factory=list)
    nearest_duplicate: str = ""  # id of the earlier clip that it resembles most
    detail: str = ""

    @property
    def approved(self) -> bool:
        """Whether a person accepted the clip or wrote its text."""
        return self.correction is not None and self.correction.accepted


def read_candidates(
    clips: list[records.Clip], folder: Path, corrected: dict[str, corrections.Correction], tokenizer: "VoiceBpeTokenizer"
) -> list[Candidate]:
    """Join clips, transcripts and corrections.

    Raises:
        UserError: the transcripts of `folder` are not those of `clips`.
    """
    transcripts = {transcript.id: transcript for transcript in records.read(folder, records.Transcript)}
    missing = [clip.id for clip in clips if clip.id not in transcripts]
    if missing or len(transcripts) != len(clips):
        raise command.UserError(
            "{folder}: transcripts of other clips (no row for {clips})",
            "run `dvc repro transcribe`",
            folder=folder,
            clips=missing[:1] or "some",
        )
    return [candidate(clip, transcripts[clip.id], corrected.get(clip.id), tokenizer) for clip in clips]


def candidate(
    clip: records.Clip, transcript: records.Transcript, correction: corrections.Correction | None, tokenizer: "VoiceBpeTokenizer"
) -> Candidate:
    """A clip with its text, see `clip_text.of`."""
    text = clip_text.of(correction.text if correction else "", transcript.text, tokenizer)
    return Candidate(clip, transcript, correction, text)


def add_scores(candidates: list[Candidate], analyses: list[clip_scores.ClipAnalysis], prompt: str) -> None:
    """Set `scores` and `nearest_duplicate`, whether or not a clip passes. `prompt` is the one Whisper was given."""
    similarity, deviations = clip_scores.speaker_deviation(np.stack([each.speaker_embedding for each in analyses]))
    duplicates = clip_scores.nearest_duplicates(
        [c.clip.id for c in candidates], [c.text.spoken for c in candidates], [each.envelope for each in analyses]
    )
    texts = [text_scores.of_clip(c.text, c.transcript, speech_s=c.clip.speech_s, prompt=prompt) for c in candidates]
    missing = text_scores.missing_shares([each["chars_per_s"] for each in texts], [bool(c.text.cut_off) for c in candidates])
    for i, (c, analysis) in enumerate(zip(candidates, analyses, strict=True)):
        duplicate = duplicates.get(c.clip.id, clip_scores.NO_DUPLICATE)
        scores = texts[i] | {
            "missing_share": missing[i],
            "snr_db": c.clip.level_db - c.clip.noise_db,
            "clipping": analysis.clipping,
            "music": analysis.music,
            "bandwidth_hz": analysis.bandwidth_hz,
            "speaker_similarity": float(similarity[i]),
            "speaker_deviations": float(deviations[i]),
            "duplicate": duplicate.similarity,
        }
        c.scores = {name: round(value, 4) for name, value in scores.items()}
        c.nearest_duplicate = duplicate.clip


def failed_filters(c: Candidate, p: Params) -> list[str]:
    """The codes of the filters that reject a scored clip."""
    lengths = {"words": len(c.text.spoken.split()), "chars": len(c.text.normalized)}
    values, knobs = c.scores | lengths, asdict(p)
    return [each.code for each in filters.FILTERS if each.rejects(values[each.score], each.limit(knobs))]


def exceeded_limits(c: Candidate, samples: int, tokenizer: "VoiceBpeTokenizer") -> list[str]:
    """The codes of the trainer's limits that a clip of `samples` at 22 050 Hz exceeds. Sets `detail` for unknown characters."""
    unknown = tokens.unknown_characters(c.text.normalized, tokenizer) + c.text.unread
    exceeded = {
        "no_text": not c.text.spoken,
        "unknown_characters": bool(unknown),
        "too_many_tokens": tokens.count_tokens(c.text.normalized, tokenizer) > limits.MAX_TEXT_TOKENS,
        "audio_too_short": samples < limits.MIN_SAMPLES,
        "audio_too_long": samples > limits.MAX_SAMPLES,
    }
    if unknown:
        c.detail = f"cannot be read: {unknown}"
    return [code for code in filters.TRAINER_LIMITS if exceeded[code]]


def add_reasons(candidates: list[Candidate], samples: list[int], tokenizer: "VoiceBpeTokenizer", p: Params) -> None:
    """Set `reasons`. A person's `accept` or `text` waives the filters, never the trainer's limits."""
    for c, length in zip(candidates, samples, strict=True):
        c.reasons = exceeded_limits(c, length, tokenizer)
        if c.correction is not None and not c.correction.accepted:
            c.reasons.insert(0, filters.REJECTED_BY_PERSON)
        elif c.correction is None and "no_text" not in c.reasons:
            c.reasons += failed_filters(c, p)
    keep_one_of_duplicates(candidates)


def keep_one_of_duplicates(candidates: list[Candidate]) -> None:
    """Take `near_duplicate` back from the first of a clip and its copies that nothing else speaks against.

    Args:
        candidates: sorted by id, as a copy's original has the smaller one.
    """
    originals: dict[str, str] = {}  # of each clip: the one that it and its copies go back to
    kept: dict[str, str] = {}  # by original: the one of them that is accepted
    for c in candidates:
        is_copy = "near_duplicate" in c.reasons
        original = originals[c.clip.id] = originals.get(c.nearest_duplicate, c.nearest_duplicate) if is_copy else c.clip.id
        if set(c.reasons) - {"near_duplicate"}:
            continue
        if is_copy and original in kept:
            c.detail = f"copy of {kept[original]}"
        else:
            c.reasons, kept[original] = [], c.clip.id


def outcome(candidates: list[Candidate], p: Params) -> rejections.Outcome:
    """What became of the clips, for messages."""
    verdicts = [rejections.Verdict(c.clip.note, c.reasons[0] if c.reasons else "") for c in candidates]
    return rejections.Outcome(verdicts, medians(candidates), asdict(p))


def make_examples(candidates: list[Candidate], p: Params) -> list[records.Example]:
    """The records of the accepted clips, split by note into train, eval and test.

    Raises:
        UserError: they come from fewer than three notes.
    """
    accepted = [c for c in candidates if not c.reasons]
    try:
        splits = dataset.split_notes((c.clip.note for c in accepted), eval_share=p.eval_share, test_share=p.test_share)
    except ValueError as error:
        raise outcome(candidates, p).too_few_notes() from error
    return [
        records.Example(
            id=c.clip.id,
            note=c.clip.note,
            split=splits[c.clip.note],
            text=c.text.written,
            normalized=c.text.normalized,
            duration_s=c.clip.duration_s,
            corrected=c.approved,
            scores=c.scores,
        )
        for c in accepted
    ]


def aggregate(candidates: list[Candidate], examples: list[records.Example], orphans: int) -> dict[str, Any]:
    """The metrics: sums and medians only. Every reason is there, also with 0, so that two commits compare."""
    first = Counter(c.reasons[0] for c in candidates if c.reasons)
    splits = {}
    for split in records.SPLITS:
        mine = [e for e in examples if e.split == split]
        splits[split] = {"notes": len({e.note for e in mine}), "clips": len(mine), "minutes": sum(e.duration_s for e in mine) / 60}
    return {
        "clips": len(candidates),
        "accepted": len(examples),
        "minutes": sum(e.duration_s for e in examples) / 60,
        "corrected": sum(e.corrected for e in examples),
        "cut_texts": sum(bool(c.text.cut_off) for c in candidates),
        "orphaned_corrections": orphans,
        "rejected": {code: first[code] for code in filters.WHY},
        "splits": splits,
        "medians": medians(candidates),
    }


def medians(candidates: list[Candidate]) -> dict[str, float]:
    """The median of each score over all clips, also the rejected ones."""
    return {name: float(np.median([c.scores[name] for c in candidates])) for name in candidates[0].scores}


def account_for(candidates: list[Candidate], path: Path) -> ledger.Account:
    """Write the ledger: the first reason of each clip; its detail holds the other reasons and the scores."""
    account = ledger.Account("curate", (c.clip.id for c in candidates))
    for c in candidates:
        scores = " ".join(f"{name}={value:g}" for name, value in c.scores.items())
        cut = f"cut off: {' '.join(c.text.cut_off)}" if c.text.cut_off else ""
        dropped = f"not read: {' '.join(c.text.dropped)}" if c.text.dropped else ""
        detail = "; ".join(part for part in (" ".join(c.reasons[1:]), c.detail if c.reasons else "", cut, dropped, scores) if part)
        start_s, end_s = c.clip.start_s, c.clip.end_s
        if c.reasons:
            account.reject(c.clip.id, c.clip.id, c.reasons[0], start_s=start_s, end_s=end_s, detail=detail)
        else:
            account.accept(c.clip.id, c.clip.id, start_s=start_s, end_s=end_s, detail=detail)
    account.close(path)
    return account


def print_splits(metrics: dict[str, Any]) -> None:
    """One line per split."""
    for split, counts in metrics["splits"].items():
        print(tr("{split}: {clips} clips of {notes} notes, {minutes:.1f} min", split=split, **counts))


def main() -> None:
    args = parse_args()
    p, compute = params.load("curate", Params), params.load("compute", params.Compute)
    clips = sorted(records.read(args.clips, records.Clip), key=lambda clip: clip.id)
    if not clips:
        raise command.UserError("{clips}: no clips", "see reports/ledger/segment.csv for what became of the notes", clips=args.clips)
    xtts.require(args.base)
    decisions = seen.Seen(args.corrections)
    corrected, tokenizer = corrections.read(args.corrections), xtts.read_tokenizer(args.base)
    candidates = read_candidates(clips, args.transcripts, corrected, tokenizer)
    analyses = clip_scores.analyse_clips(args.clips, clips, args.base, compute)
    add_scores(candidates, analyses, files.read_json(args.transcripts / SETTINGS)["prompt"])
    add_reasons(candidates, [wav.samples(args.clips / f"{clip.id}.wav") for clip in clips], tokenizer, p)
    account = account_for(candidates, args.ledger)
    orphans = sorted(set(corrected) - {clip.id for clip in clips})
    for orphan in orphans:
        print(
            tr("{corrections}: clip {orphan} no longer exists; its correction has no effect", corrections=args.corrections, orphan=orphan)
        )
    print(account.summary())
    examples = make_examples(candidates, p)
    dataset.write(args.dataset, examples, args.clips)
    metrics = aggregate(candidates, examples, len(orphans))
    files.write_json(args.metrics, metrics)
    print_splits(metrics)
    for line in outcome(candidates, p).frequent():
        print(line)
    decisions.require_same()


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", type=Path)
    parser.add_argument("transcripts", type=Path)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--corrections", type=Path, required=True)
    parser.add_argument("--base", type=Path, required=True)
    parser.add_argument("--ledger", type=Path, required=True)
    parser.add_argument("--metrics", type=Path, required=True)
    return parser.parse_args()


if __name__ == "__main__":
    command.run(main)
