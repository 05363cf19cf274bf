"""Keep the clips that nobody has to doubt, and write them as a dataset that any coqui-tts can train from.

    python -m stages.curate data/clips data/transcripts data/dataset --corrections data/corrections.csv \\
        --base models/pocket/xtts --ledger reports/ledger/curate.csv --metrics reports/curate.json

Reads   data/clips, data/transcripts, the corrections file, the base's tokenizer, limits and speaker encoder
Writes  data/dataset/                     see voz/data/dataset.py
        reports/ledger/curate.csv         every clip, with all its reason codes and scores

A person's correction beats every filter; only what XTTS's trainer cannot take stays out.
"""

import argparse
import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np
from pydantic import Field, model_validator

from voz.audio import limits, wav
from voz.data import corrections, dataset
from voz.metrics import clip_scores, text_scores
from voz.model import xtts
from voz.pipeline import command, files, ledger, params, records
from voz.pipeline.checked import section
from voz.text import normalize, tokens
from voz.text.tokens import LANGUAGE

if TYPE_CHECKING:
    from TTS.tts.layers.xtts.tokenizer import VoiceBpeTokenizer

SETTINGS = "settings.json"  # what the transcripts were made with
MIN_WORDS = 3  # one- and two-word texts teach babble (coqui-ai/TTS #3516)

# Reason codes: what the trainer cannot take, the person's word, the filters of the text and those of the sound.
LIMITS = ("no_text", "unknown_characters", "too_many_tokens", "audio_too_short", "audio_too_long")
DOUBTS_OF_TEXT = (
    "hallucination",
    "wrong_language",
    "prompt_leak",
    "low_confidence",
    "too_slow",
    "too_fast",
    "too_few_words",
    "text_too_long",
)
DOUBTS_OF_SOUND = ("near_duplicate", "low_snr", "clipping", "music", "other_speaker")  # last: damage alone makes a voice unlike itself
FILTERS = (*DOUBTS_OF_TEXT, *DOUBTS_OF_SOUND)
REASONS = (*LIMITS, "rejected_by_person", *FILTERS)


@section
class Params:
    """Section `curate` of params.yaml."""

    eval_share: float = Field(gt=0, lt=1)
    test_share: float = Field(gt=0, lt=1)
    min_avg_logprob: float
    min_chars_per_s: float = Field(gt=0)
    max_chars_per_s: float
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
    """A clip on its way through the filters; `reasons` fills up."""

    clip: records.Clip
    transcript: records.Transcript
    correction: corrections.Correction | None
    text: str
    normalized: str
    scores: dict[str, float] = field(default_factory=dict)
    reasons: list[str] = field(default_factory=list)
    twin: str = ""  # the earlier clip that it resembles most
    detail: str = ""

    @property
    def approved(self) -> bool:
        return self.correction is not None and self.correction.accepted


def score(found: list[Candidate], sounds: list[clip_scores.ClipAnalysis], prompt: str) -> None:
    """Fill in the scores: one value per filter, whether or not the clip passes."""
    likeness, deviations = clip_scores.speaker_deviation(np.stack([one.speaker_embedding for one in sounds]))
    copies = clip_scores.duplicates([c.clip.id for c in found], [normalize.spoken(c.text) for c in found], [one.envelope for one in sounds])
    for at, (c, one) in enumerate(zip(found, sounds, strict=True)):
        speech_s, heard = c.clip.speech_s, c.transcript
        doubt = {"avg_logprob": heard.avg_logprob, "no_speech_prob": heard.no_speech_prob}
        c.scores = {
            "hallucination": text_scores.hallucination(c.text, speech_s=speech_s, **doubt),
            "other_language_prob": heard.language_prob if heard.language != LANGUAGE else 0.0,
            "prompt_leak": text_scores.prompt_leak(c.text, prompt),
            "avg_logprob": heard.avg_logprob,
            "chars_per_s": text_scores.chars_per_s(normalize.spoken(c.text), speech_s),
            "snr_db": c.clip.level_db - c.clip.noise_db,
            "clipping": one.clipping,
            "music": one.music,
            "bandwidth_hz": one.bandwidth_hz,
            "speaker_similarity": float(likeness[at]),
            "speaker_deviations": float(deviations[at]),
            "duplicate": copies.get(c.clip.id, (0.0, ""))[0],
        }
        c.scores = {name: round(value, 4) for name, value in c.scores.items()}
        c.twin = copies.get(c.clip.id, (0.0, ""))[1]


def doubts(c: Candidate, p: Params, max_chars: int) -> list[str]:
    """The filters that a scored clip fails, in the order of FILTERS."""
    s = c.scores
    failed = {
        "hallucination": s["hallucination"] > p.max_hallucination,
        "wrong_language": s["other_language_prob"] > p.max_other_language_prob,
        "prompt_leak": s["prompt_leak"] > p.max_prompt_leak,
        "low_confidence": s["avg_logprob"] < p.min_avg_logprob,
        "other_speaker": s["speaker_deviations"] > p.max_speaker_deviations,
        "near_duplicate": s["duplicate"] > p.max_duplicate,
        "too_slow": s["chars_per_s"] < p.min_chars_per_s,
        "too_fast": s["chars_per_s"] > p.max_chars_per_s,
        "low_snr": s["snr_db"] < p.min_snr_db,
        "clipping": s["clipping"] > p.max_clipping,
        "music": s["music"] > p.max_music,
        "too_few_words": len(normalize.spoken(c.text).split()) < MIN_WORDS,
        "text_too_long": len(c.normalized) > max_chars,
    }
    return [code for code in FILTERS if failed[code]]


def impossible(c: Candidate, samples: int, tokenizer: "VoiceBpeTokenizer") -> list[str]:
    """What the trainer cannot take, whoever approves it, in the order of LIMITS."""
    spoken = normalize.spoken(c.text)
    unknown = tokens.unknown_characters(c.normalized, tokenizer)
    failed = {
        "no_text": not spoken,
        "unknown_characters": bool(unknown),
        "too_many_tokens": tokens.count_tokens(c.normalized, tokenizer) > limits.MAX_TEXT_TOKENS,
        "audio_too_short": samples < limits.MIN_SAMPLES,
        "audio_too_long": samples > limits.MAX_SAMPLES,
    }
    if unknown:
        c.detail = f"the base has no token for {unknown}"
    return [code for code in LIMITS if failed[code]]


def judge(found: list[Candidate], samples: list[int], tokenizer: "VoiceBpeTokenizer", p: Params) -> None:
    """Fill in the reasons. A person's `accept` or `text` waives the never the trainer's limits."""
    for c, length in zip(found, samples, strict=True):
        c.reasons = impossible(c, length, tokenizer)
        if c.correction is not None and not c.correction.accepted:
            c.reasons.insert(0, "rejected_by_person")
        elif c.correction is None and "no_text" not in c.reasons:
            c.reasons += doubts(c, p, tokenizer.char_limits[LANGUAGE])  # 239: coqui warns beyond
    rejected = {c.clip.id for c in found if set(c.reasons) - {"near_duplicate"}}
    for c in found:
        if "near_duplicate" in c.reasons:
            c.detail = f"copy of {c.twin}"
            if c.twin in rejected:  # then this one is the only one left
                c.reasons.remove("near_duplicate")


def examples(kept: list[Candidate], p: Params) -> list[records.Example]:
    """The accepted clips with their side of the split.

    Raises:
        UserError: fewer than three notes are left.
    """
    try:
        sides = dataset.split_notes((c.clip.note for c in kept), eval_share=p.eval_share, test_share=p.test_share)
    except ValueError as error:
        raise command.UserError(
            f"curate: {error} after the filters", "see reports/ledger/curate.csv; add notes or correct texts"
        ) from error
    return [
        records.Example(
            id=c.clip.id,
            note=c.clip.note,
            split=sides[c.clip.note],
            text=c.text,
            normalized=c.normalized,
            duration_s=c.clip.duration_s,
            corrected=c.approved,
            scores=c.scores,
        )
        for c in kept
    ]


def candidates(
    clips: list[records.Clip], folder: Path, decided: dict[str, corrections.Correction], tokenizer: "VoiceBpeTokenizer"
) -> list[Candidate]:
    """Clips with their words: the person's where there are any, else what whisper heard; one line, no `|`."""
    heard = {transcript.id: transcript for transcript in records.read(folder, records.Transcript)}
    missing = [clip.id for clip in clips if clip.id not in heard]
    if missing or len(heard) != len(clips):
        raise command.UserError(f"{folder}: transcripts of other clips (no row for {missing[:1] or 'some'})", "run `dvc repro transcribe`")
    found = []
    for clip in clips:
        correction = decided.get(clip.id)
        words = (correction.text if correction else "") or heard[clip.id].text
        words = " ".join(words.replace("|", ",").split())
        found.append(Candidate(clip, heard[clip.id], correction, words, tokens.fit(normalize.normalize(words), tokenizer)))
    return found


def measure(found: list[Candidate], kept: list[records.Example], orphans: int) -> dict[str, object]:
    """Aggregate numbers only. Every reason code is there, with 0 too, so that two commits compare."""
    first = Counter(c.reasons[0] for c in found if c.reasons)
    splits = {}
    for split in records.SPLITS:
        mine = [e for e in kept if e.split == split]
        splits[split] = {"notes": len({e.note for e in mine}), "clips": len(mine), "minutes": sum(e.duration_s for e in mine) / 60}
    medians = {name: float(np.median([c.scores[name] for c in found])) for name in found[0].scores}
    return {
        "clips": len(found),
        "accepted": len(kept),
        "minutes": sum(e.duration_s for e in kept) / 60,
        "corrected": sum(e.corrected for e in kept),
        "orphaned_corrections": orphans,
        "rejected": {code: first[code] for code in REASONS},
        "splits": splits,
        "medians": medians,
    }


def account_for(found: list[Candidate], path: Path) -> ledger.Account:
    """Write the ledger: the first reason, and in the detail the others and the scores."""
    account = ledger.Account("curate", (c.clip.id for c in found))
    for c in found:
        numbers = " ".join(f"{name}={value:g}" for name, value in c.scores.items())
        detail = "; ".join(part for part in (" ".join(c.reasons[1:]), c.detail if c.reasons else "", numbers) if part)
        start_s, end_s = c.clip.start_s, c.clip.end_s
        if c.reasons:
            account.reject(c.clip.id, c.clip.id, c.reasons[0], start_s=start_s, end_s=end_s, detail=detail)
        else:
            account.accept(c.clip.id, c.clip.id, start_s=start_s, end_s=end_s, detail=detail)
    account.close(path)
    return account


def main() -> None:
    args = parse_args()
    p, compute = params.load("curate", Params), params.load("compute", params.Compute)
    clips = sorted(records.read(args.clips, records.Clip), key=lambda clip: clip.id)
    if not clips:
        raise command.UserError(f"{args.clips}: no clips", "see reports/ledger/segment.csv for what became of the notes")
    xtts.require(args.base)
    decided, tokenizer = corrections.read(args.corrections), xtts.read_tokenizer(args.base)
    found = candidates(clips, args.transcripts, decided, tokenizer)
    score(
        found,
        clip_scores.analyse_clips(args.clips, clips, args.base, compute),
        json.loads((args.transcripts / SETTINGS).read_text(encoding="utf-8"))["prompt"],
    )
    samples = [wav.samples(args.clips / f"{clip.id}.wav") for clip in clips]
    judge(found, samples, tokenizer, p)
    account = account_for(found, args.ledger)
    orphans = sorted(set(decided) - {clip.id for clip in clips})
    for orphan in orphans:
        print(f"{args.corrections}: no clip {orphan} any more; its correction has no effect")
    print(account.summary())
    kept = examples([c for c in found if not c.reasons], p)
    dataset.write(args.dataset, kept, args.clips)
    metrics = measure(found, kept, len(orphans))
    files.write_json(args.metrics, metrics)
    report(kept)


def report(kept: list[records.Example]) -> None:
    """One line a side of the split."""
    for split in records.SPLITS:
        mine = [e for e in kept if e.split == split]
        print(f"{split}: {len(mine)} clips of {len({e.note for e in mine})} notes, {sum(e.duration_s for e in mine) / 60:.1f} min")


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
