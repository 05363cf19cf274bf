"""Write down what is said in each clip, with the figures that tell how sure whisper was.

    python -m stages.transcribe data/clips data/transcripts --asr models/pocket/whisper.pt \\
        --ledger reports/ledger/transcribe.csv --metrics reports/transcribe.json

Reads   data/clips/manifest.jsonl + <clip id>.wav       mono PCM16, 22 050 Hz
Writes  data/transcripts/manifest.jsonl                 one records.Transcript per clip, also where nothing was heard
        data/transcripts/settings.json                  language, prompt and temperatures they were heard with

Language is fixed, the prompt leans to Rioplatense spelling, nothing is carried from clip to clip. A clip's text depends on
the clip alone: batches have one shape, and what is sampled is seeded by the clip's id.
"""

import argparse
import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from whisper.tokenizer import LANGUAGES

from voz.audio import wav
from voz.model import device, whisper
from voz.pipeline import cache, command, ledger, parallel, params, records

STEP_VERSION = 1  # raise when the same clip gives another text; tests/test_transcribe.py holds a golden output
SETTINGS = "settings.json"


@dataclass(frozen=True)
class Params:
    """Section `transcribe` of params.yaml."""

    language: str
    prompt: str
    temperatures: list[float]

    def __post_init__(self) -> None:
        if self.language not in LANGUAGES:
            raise ValueError(f"language: {self.language!r} is no language code of whisper")
        if not self.temperatures or min(self.temperatures) < 0 or sorted(set(self.temperatures)) != self.temperatures:
            raise ValueError(f"temperatures: {self.temperatures} are not increasing numbers from 0")


def transcribe(folder: Path, clips: list[records.Clip], model_path: Path, p: Params, compute: params.Compute) -> list[whisper.Heard]:
    """What is heard in each clip, from scratch where it is known already. The model is loaded only if something is new."""
    memo = cache.Scratch("transcribe", STEP_VERSION, params=asdict(p), model=cache.hash_file(model_path))
    keys = {clip.id: memo.key(clip.id, cache.hash_file(folder / f"{clip.id}.wav")) for clip in clips}
    entries = {clip.id: memo.get(keys[clip.id]) for clip in clips}
    known = {
        name: whisper.Heard(**json.loads((entry / "heard.json").read_text(encoding="utf-8"))) for name, entry in entries.items() if entry
    }
    new = [clip for clip in clips if clip.id not in known]
    if new:
        model = whisper.load(model_path, device.pick(compute.device))
        for clip, heard in _hear(lambda pcms, seeds: _call(model, pcms, seeds, p), folder, new):
            with memo.put(keys[clip.id]) as entry:
                cache.write_json(entry, "heard.json", asdict(heard))
            known[clip.id] = heard
    cache.log("transcribe", computed=len(new), reused=len(clips) - len(new), device=compute.device)
    return [known[clip.id] for clip in clips]


def _call(model: Any, pcms: list[np.ndarray], seeds: list[int], p: Params) -> list[whisper.Heard]:
    return whisper.transcribe(model, pcms, language=p.language, prompt=p.prompt, temperatures=p.temperatures, seeds=seeds)


def _hear(
    call: Callable[[list[np.ndarray], list[int]], list[whisper.Heard]], folder: Path, clips: list[records.Clip]
) -> Iterator[tuple[records.Clip, whisper.Heard]]:
    """Clips of like length share a batch: a batch takes as long as its wordiest row."""
    ordered = sorted(clips, key=lambda clip: (clip.speech_s, clip.id))
    batches = [ordered[start : start + whisper.BATCH] for start in range(0, len(ordered), whisper.BATCH)]
    for batch in parallel.progress(batches, total=len(batches), label="transcribe", unit="batch"):
        pcms = [wav.resample(wav.read(folder / f"{clip.id}.wav"), wav.SAMPLE_RATE_HZ, wav.ASR_RATE_HZ) for clip in batch]
        yield from zip(batch, call(pcms, [whisper.seed_of(clip.id) for clip in batch]), strict=True)


def record(clip: records.Clip, heard: whisper.Heard) -> records.Transcript:
    """The row of the manifest."""
    values = {key: value for key, value in asdict(heard).items() if key != "windows"}
    return records.Transcript(id=clip.id, **values)


def measure(clips: list[records.Clip], heard: list[whisper.Heard], p: Params) -> dict[str, float | int]:
    """Aggregate numbers only: no word of anybody goes into git."""
    speech_s = sum(clip.speech_s for clip in clips)
    return {
        "clips": len(clips),
        "minutes": sum(clip.duration_s for clip in clips) / 60,
        "empty": sum(not one.text for one in heard),
        "mean_avg_logprob": float(np.mean([one.avg_logprob for one in heard])),
        "share_fallback": float(np.mean([one.temperature > p.temperatures[0] for one in heard])),
        "share_other_language": float(np.mean([one.language != p.language for one in heard])),
        "chars_per_s": sum(len(one.text) for one in heard) / speech_s if speech_s else 0.0,
    }


def main() -> None:
    args = parse_args()
    p, compute = params.load("transcribe", Params), params.load("compute", params.Compute)
    clips = sorted(records.read(args.clips, records.Clip), key=lambda clip: clip.id)
    if not clips:
        raise command.UserError(f"{args.clips}: no clips", "see reports/ledger/segment.csv for what became of the notes")
    heard = transcribe(args.clips, clips, args.asr, p, compute)
    account = ledger.Account("transcribe", (clip.id for clip in clips))
    for clip, one in zip(clips, heard, strict=True):
        notes = [] if one.text else ["nothing heard"]
        notes += [f"longer than the model's window, heard in {one.windows} pieces"] if one.windows > 1 else []
        account.accept(clip.id, clip.id, start_s=clip.start_s, end_s=clip.end_s, detail="; ".join(notes))
    records.write(cache.fresh_folder(args.transcripts), [record(clip, one) for clip, one in zip(clips, heard, strict=True)])
    records.write_json(args.transcripts / SETTINGS, asdict(p))
    account.close(args.ledger)
    metrics = measure(clips, heard, p)
    records.write_json(args.metrics, metrics)
    print(f"{account.summary()}; {metrics['empty']} without text, {metrics['share_fallback']:.0%} needed another try")


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", type=Path)
    parser.add_argument("transcripts", type=Path)
    parser.add_argument("--asr", type=Path, required=True, help="whisper checkpoint")
    parser.add_argument("--ledger", type=Path, required=True)
    parser.add_argument("--metrics", type=Path, required=True)
    return parser.parse_args()


if __name__ == "__main__":
    command.run(main)
