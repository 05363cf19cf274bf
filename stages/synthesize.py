"""Speak a list of texts with the voice; a line that Whisper misunderstands is spoken again.

    python -m stages.synthesize models/voice outputs --texts data/texts.txt --asr models/pocket/whisper.pt

Reads   models/voice/{model.pth,config.json,vocab.json,reference.wav}
        data/texts.txt                     one text a line, UTF-8; empty lines are skipped
Writes  outputs/<nn>-<slug>.wav            mono PCM16, 24 000 Hz
        outputs/manifest.jsonl             records.SpokenLine, one per line

One text by hand: `make speak` (tools/speak.py).
"""

import argparse
import dataclasses
import hashlib
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydantic import Field

from voz.audio import wav
from voz.metrics import measures
from voz.model import device, synthesis, transcriber
from voz.model.generation import Sampling
from voz.model.voice import Voice, load_voice, write_wav
from voz.pipeline import cache, command, files, params, records
from voz.pipeline.checked import section
from voz.text import reader

SLUG_LENGTH = 40  # characters of a file name that come from the text


@section
class Params(Sampling):
    """Section `synthesize` of params.yaml."""

    max_cer: float = Field(ge=0)
    max_tries: int = Field(ge=1)
    seed: int


@dataclass(frozen=True)
class Take:
    """The best of the tries at a line.

    pcm: float32 in [-1, 1] at 24 000 Hz. [T]
    transcript: Whisper's.
    tries: how often the line was spoken in all.
    """

    pcm: np.ndarray
    transcript: str
    cer: float
    tries: int


def read_texts(path: Path) -> list[str]:
    """The texts of a file, in order.

    Raises:
        UserError: the file is missing, not UTF-8, or empty.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except FileNotFoundError as error:
        raise command.UserError(f"{path}: missing", "write one text a line into it") from error
    except UnicodeDecodeError as error:
        raise command.UserError(f"{path}: not UTF-8 (byte {error.start})", "save it as UTF-8") from error
    texts = [line.strip() for line in lines if line.strip()]
    if not texts:
        raise command.UserError(f"{path}: no text", "write one text a line into it")
    return texts


def lines_of(texts: Sequence[str], voice: Voice, *, seed: int) -> list[synthesis.Line]:
    """The lines that the voice speaks. Their ids follow from the text and its occurrence."""
    numbered = synthesis.number([voice.readable(text) for text in texts], seed=seed)
    return [dataclasses.replace(line, id=_id(line)) for line in numbered]


def _id(line: synthesis.Line) -> str:
    return hashlib.sha256(f"{line.text}\n{line.occurrence}".encode()).hexdigest()[: records.ID_DIGITS]


def speak_well(voice: Voice, lines: Sequence[synthesis.Line], asr: transcriber.Transcriber, p: Params) -> list[Take]:
    """Speak each line until the error rate of its transcript is at most `max_cer`, at most `max_tries` times. The best try is kept."""
    best: dict[int, Take] = {}
    pending = list(range(len(lines)))
    for retry in range(p.max_tries):
        label = "speak" if not retry else f"again ({len(pending)})"
        again = [dataclasses.replace(lines[i], retry=retry) for i in pending]
        pcms = voice.speak(again, p, label=label)
        transcripts = asr.texts(pcms, rate_hz=wav.OUTPUT_RATE_HZ, ids=[line.id for line in again])
        for i, pcm, transcript in zip(pending, pcms, transcripts, strict=True):
            take = Take(pcm, transcript, measures.cer(lines[i].text, transcript), retry + 1)
            better = i not in best or take.cer < best[i].cer
            best[i] = take if better else dataclasses.replace(best[i], tries=retry + 1)
        pending = [i for i in pending if best[i].cer > p.max_cer]
        if not pending:
            break
    return [best[i] for i in range(len(lines))]


def slug(text: str) -> str:
    """The part of a file name that shows the text: ASCII words joined by dashes."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:SLUG_LENGTH].rstrip("-") or "text"


def write(outputs: Path, texts: Sequence[str], lines: Sequence[synthesis.Line], takes: Sequence[Take], *, max_cer: float) -> None:
    """Write the takes and their manifest, and print a line for each."""
    rows = []
    with files.whole_folder(outputs) as folder:
        for index, (text, line, take) in enumerate(zip(texts, lines, takes, strict=True), start=1):
            name = f"{index:0{max(2, len(str(len(lines))))}d}-{slug(text)}.wav"
            write_wav(folder / name, take.pcm)
            rows.append(row(text, line, take, name, passed=take.cer <= max_cer))
            remark = "" if take.cer <= max_cer else f"   over {max_cer:.2f}: best of {take.tries} kept"
            print(f"{outputs / name}   {rows[-1].duration_s:.1f} s   CER {take.cer:.2f}{remark}")
            print_reading(text, line.text)
        records.write(folder, rows)


def print_reading(text: str, as_read: str) -> None:
    """Print how a text was read, where that differs from how it is written, and what in it was not read."""
    if as_read != text:
        print(f"   read as: {as_read}")
    if left_out := reader.read(text).left_out:
        print(f"   not read: {left_out}")


def row(text: str, line: synthesis.Line, take: Take, file: str, *, passed: bool) -> records.SpokenLine:
    """The manifest's row of a line."""
    return records.SpokenLine(
        id=line.id,
        text=text,
        normalized=line.text,
        file=file,
        duration_s=round(len(take.pcm) / wav.OUTPUT_RATE_HZ, 3),
        seed=line.seed,
        tries=take.tries,
        cer=round(take.cer, 4),
        passed=passed,
        heard=take.transcript,
    )


def main() -> None:
    """Run the stage."""
    args = parse_args()
    p, where = params.load("synthesize", Params), device.pick(params.load("compute", params.Compute).device)
    device.seed_everything(p.seed)
    voice, asr = load_voice(args.voice, where), transcriber.Transcriber(args.asr, where)
    texts = read_texts(args.texts)
    lines = lines_of(texts, voice, seed=p.seed)
    takes = speak_well(voice, lines, asr, p)
    write(args.outputs, texts, lines, takes, max_cer=p.max_cer)
    cache.log("synthesize", lines=len(lines), tries=sum(take.tries for take in takes), device=str(where))


def parse_args() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("voice", type=Path, help="folder of the voice")
    parser.add_argument("outputs", type=Path, help="folder for the wavs, made anew")
    parser.add_argument("--texts", type=Path, required=True, help="file of texts, one a line")
    parser.add_argument("--asr", type=Path, required=True, help="Whisper checkpoint that transcribes the lines")
    return parser.parse_args()


if __name__ == "__main__":
    command.run(main)
