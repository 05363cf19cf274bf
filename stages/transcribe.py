"""Transcribe each clip, with Whisper's confidence.

    python -m stages.transcribe data/clips data/transcripts --asr models/pocket/whisper.pt \\
        --ledger reports/ledger/transcribe.csv --metrics reports/transcribe.json

Reads   data/clips/manifest.jsonl + <clip id>.wav       mono PCM16, 22 050 Hz
Writes  data/transcripts/manifest.jsonl                 one records.Transcript per clip, also where the text is empty
        data/transcripts/settings.json                  the prompt and the temperatures

The language is Spanish. A prompt (`transcribe.prompt`, empty in both profiles) can lead to Rioplatense spelling, but costs words. A clip's
text depends on the clip alone: no text is carried from clip to clip, batches have one shape, and sampling is seeded by the clip's id.
"""

import argparse
import functools
from dataclasses import asdict
from pathlib import Path

import numpy as np
from pydantic import field_validator

from voz.audio import wav
from voz.model import device, whisper
from voz.pipeline import cache, cache_folders, command, files, ledger, params, records
from voz.pipeline.checked import section
from voz.pipeline.language import tr
from voz.text.tokens import LANGUAGE

STEP_VERSION = 2  # raise when the same clip gives another text; tests/test_transcribe.py holds a golden output
SETTINGS = "settings.json"


@section
class Params:
    """Section `transcribe` of params.yaml."""

    prompt: str
    temperatures: list[float]

    @field_validator("temperatures")
    @classmethod
    def _rising(cls, value: list[float]) -> list[float]:
        if not value or min(value) < 0 or sorted(set(value)) != value:
            raise ValueError(f"{value} are not increasing numbers from 0")
        return value


def transcribe(folder: Path, clips: list[records.Clip], asr: Path, p: Params, compute: params.Compute) -> list[whisper.Transcription]:
    """The transcription of each clip. The model is loaded only if a clip is new to the cache.

    Raises:
        UserError: there is no Whisper checkpoint.
    """
    whisper.require(asr)
    store = cache.Cache("transcribe", STEP_VERSION, params=asdict(p), model=files.hash_file(asr))
    keys = {clip.id: store.key(clip.id, files.hash_file(folder / f"{clip.id}.wav")) for clip in clips}

    work = functools.partial(transcribe_batch, folder=folder, asr=asr, p=p, where=compute.items_device)
    return store.map_batches(
        clips,
        key=lambda clip: keys[clip.id],
        batches=batches,
        work=work,
        save=lambda entry, transcription: cache_folders.save_json(entry, "transcription.json", asdict(transcription)),
        load=lambda entry: whisper.Transcription(**cache_folders.load_json(entry, "transcription.json")),
        label="transcribe",
        engine=compute.models,
    )


def transcribe_batch(batch: list[records.Clip], *, folder: Path, asr: Path, p: Params, where: str) -> list[whisper.Transcription]:
    """The transcriptions of one batch. The process keeps the model. where: `compute.device`"""
    pcms = [wav.resample(wav.read(folder / f"{clip.id}.wav"), wav.SAMPLE_RATE_HZ, wav.ASR_RATE_HZ) for clip in batch]
    seeds = [whisper.seed_of(clip.id) for clip in batch]
    return whisper.transcribe(load_whisper(asr, where), pcms, prompt=p.prompt, temperatures=p.temperatures, seeds=seeds)


@functools.lru_cache(maxsize=1)
def load_whisper(asr: Path, where: str) -> whisper.Whisper:
    """The model, loaded once. where: `compute.device`"""
    return whisper.load(asr, device.pick(where))


def batches(clips: list[records.Clip]) -> list[list[records.Clip]]:
    """Batches of clips of similar length: a batch takes as long as its longest text."""
    ordered = sorted(clips, key=lambda clip: (clip.speech_s, clip.id))
    return [ordered[start : start + whisper.BATCH] for start in range(0, len(ordered), whisper.BATCH)]


def record(clip: records.Clip, transcription: whisper.Transcription) -> records.Transcript:
    """The row of the manifest."""
    values = {key: value for key, value in asdict(transcription).items() if key != "windows"}
    return records.Transcript(id=clip.id, **values)


def aggregate(clips: list[records.Clip], transcriptions: list[whisper.Transcription], p: Params) -> dict[str, float | int]:
    """The metrics: numbers only, because they go into git."""
    speech_s = sum(clip.speech_s for clip in clips)
    return {
        "clips": len(clips),
        "minutes": sum(clip.duration_s for clip in clips) / 60,
        "empty": sum(not one.text for one in transcriptions),
        "mean_avg_logprob": float(np.mean([one.avg_logprob for one in transcriptions])),
        "share_fallback": float(np.mean([one.temperature > p.temperatures[0] for one in transcriptions])),
        "share_other_language": float(np.mean([one.language != LANGUAGE for one in transcriptions])),
        "chars_per_s": sum(len(one.text) for one in transcriptions) / speech_s if speech_s else 0.0,
    }


def main() -> None:
    args = parse_args()
    p, compute = params.load("transcribe", Params), params.load("compute", params.Compute)
    clips = sorted(records.read(args.clips, records.Clip), key=lambda clip: clip.id)
    if not clips:
        raise command.UserError("{clips}: no clips", "reports/ledger/segment.csv says why", clips=args.clips)
    transcriptions = transcribe(args.clips, clips, args.asr, p, compute)
    account = ledger.Account("transcribe", (clip.id for clip in clips))
    for clip, one in zip(clips, transcriptions, strict=True):
        notes = [] if one.text else ["no text"]
        notes += [f"longer than the model's window: transcribed in {one.windows} pieces"] if one.windows > 1 else []
        account.accept(clip.id, clip.id, start_s=clip.start_s, end_s=clip.end_s, detail="; ".join(notes))
    with files.whole_folder(args.transcripts) as folder:
        files.write_json(folder / SETTINGS, asdict(p))
        records.write(folder, [record(clip, one) for clip, one in zip(clips, transcriptions, strict=True)])
    account.close(args.ledger)
    metrics = aggregate(clips, transcriptions, p)
    files.write_json(args.metrics, metrics)
    print(
        tr(
            "{summary}; {empty} without text, {share:.0%} needed another try",
            summary=account.summary(),
            empty=metrics["empty"],
            share=metrics["share_fallback"],
        )
    )


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
