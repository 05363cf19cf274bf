"""Speak a list of texts with the voice; a line that went wrong is spoken again. What is written carries a watermark.

    python -m stages.synthesize models/voice outputs --base models/pocket/xtts --texts data/texts.txt --asr models/pocket/whisper.pt

Reads   models/voice/{model.pth,config.json,vocab.json,reference.wav}; or adapter.pth, with BASE/{model.pth,config.json,vocab.json}
        data/texts.txt                     one text a line, UTF-8; empty lines are skipped
Writes  outputs/<nn>-<slug>.wav            mono PCM16, 24 000 Hz
        outputs/manifest.jsonl             records.SpokenLine, one per line

A line went wrong if it is too short or too long for its text, is followed by noise, or is not what Whisper hears
(voz/metrics/line_faults.py). One text by hand: `make speak` (tools/speak.py).
"""

import argparse
import dataclasses
import hashlib
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydantic import Field

from voz.audio import encode, watermark, wav
from voz.metrics import line_faults, measures
from voz.model import device, synthesis, transcriber
from voz.model.generation import Sampling
from voz.model.voice import Voice, load_voice
from voz.pipeline import cache, command, files, params, records, seen
from voz.pipeline.checked import section
from voz.pipeline.language import later, tr
from voz.text.reader import aloud

GROUP = 128  # lines that are spoken, transcribed and spoken again together
SLUG_LENGTH = 40  # characters of a file name that come from the text


@section
class Params(Sampling):
    """Section `synthesize` of params.yaml."""

    max_cer: float = Field(ge=0)
    max_tries: int = Field(ge=1)
    watermark: watermark.Kind
    seed: int


@dataclass(frozen=True)
class Take:
    """The best of the tries at a line.

    line: as it was spoken in the try that was kept; its text may differ from the first try's.
    pcm: without a watermark, float32 in [-1, 1] at 24 000 Hz. [T]
    cut_s: of noise after its words that was cut off.
    transcript: Whisper's.
    faults: of the try that was kept, and `dropped`: of all others.
    tries: how often the line was spoken in all.
    """

    line: synthesis.Line
    pcm: np.ndarray
    cut_s: float
    transcript: str
    cer: float
    faults: tuple[str, ...]
    dropped: tuple[str, ...] = ()
    tries: int = 1

    def with_try(self, other: "Take") -> "Take":
        """The better of this and the next try, the earlier one if they are alike."""
        better, worse = (other, self) if (len(other.faults), other.cer) < (len(self.faults), self.cer) else (self, other)
        return dataclasses.replace(better, tries=self.tries + 1, dropped=tuple(sorted({*self.dropped, *worse.faults})))


def read_texts(path: Path) -> list[str]:
    """The texts of a file, in order.

    Raises:
        UserError: the file is missing, not UTF-8, or empty.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except FileNotFoundError as error:
        raise command.UserError("{path}: missing", "write one text a line into it", path=path) from error
    except UnicodeDecodeError as error:
        raise command.UserError("{path}: not UTF-8 (byte {byte})", "save it as UTF-8", path=path, byte=error.start) from error
    texts = [line.strip() for line in lines if line.strip()]
    if not texts:
        raise command.UserError("{path}: no text", "write one text a line into it", path=path)
    return texts


def lines_of(texts: Sequence[str], voice: Voice, *, seed: int) -> list[synthesis.Line]:
    """The lines that the voice speaks. Their ids follow from the text and its occurrence."""
    numbered = synthesis.number([voice.readable(text) for text in texts], seed=seed)
    return [dataclasses.replace(line, id=_id(line)) for line in numbered]


def _id(line: synthesis.Line) -> str:
    return hashlib.sha256(f"{line.text}\n{line.occurrence}".encode()).hexdigest()[: records.ID_DIGITS]


def group_by_group(voice: Voice, lines: Sequence[synthesis.Line], asr: transcriber.Transcriber, p: Params) -> Iterator[Take]:
    """The takes of all lines, in order. Only those of one group are in memory: 10 000 lines of 5 s would be 5 GB."""
    for at in range(0, len(lines), GROUP):
        yield from speak_well(voice, lines[at : at + GROUP], asr, p)


def speak_well(voice: Voice, lines: Sequence[synthesis.Line], asr: transcriber.Transcriber, p: Params) -> list[Take]:
    """Speak each line until it has no fault, at most `max_tries` times. The best try is kept."""
    best: dict[int, Take] = {}
    pending = list(range(len(lines)))
    for retry in range(p.max_tries):
        label = tr("again ({count})", count=len(pending)) if retry else later("speak")
        again = [another_try(lines[i], retry, best.get(i)) for i in pending]
        for i, take in zip(pending, speak_once(voice, again, asr, p, label=label), strict=True):
            best[i] = best[i].with_try(take) if i in best else take
        pending = [i for i in pending if best[i].faults]
        if not pending:
            break
    return [best[i] for i in range(len(lines))]


def another_try(line: synthesis.Line, retry: int, best: Take | None) -> synthesis.Line:
    """The line to speak next: with other random numbers, and with its full stops set apart if one was read aloud."""
    read_aloud = best is not None and line_faults.FULL_STOP in (*best.faults, *best.dropped)
    return dataclasses.replace(line, retry=retry, text=line_faults.full_stops_apart(line.text) if read_aloud else line.text)


def speak_once(
    voice: Voice, lines: Sequence[synthesis.Line], asr: transcriber.Transcriber, p: Params, *, label: str = later("speak")
) -> list[Take]:
    """One try at each line."""
    spoken = [without_noise(parts) for parts in voice.speak_parts(lines, p, label=label)]
    transcripts = asr.texts([each.pcm for each in spoken], rate_hz=wav.OUTPUT_RATE_HZ, ids=[line.id for line in lines])
    takes = []
    for line, each, transcript in zip(lines, spoken, transcripts, strict=True):
        found = line_faults.find(line.text, each.pcm, cut_s=each.cut_s, transcript=transcript, max_cer=p.max_cer)
        takes.append(Take(line, each.pcm, each.cut_s, transcript, measures.cer(line.text, transcript), tuple(found)))
    return takes


def without_noise(parts: Sequence[np.ndarray]) -> line_faults.WithoutNoise:
    """The parts of a line, joined, each without the noise after its words. [T] each"""
    quiet = [line_faults.cut_noise(part) for part in parts]
    return line_faults.WithoutNoise(synthesis.join([each.pcm for each in quiet]), sum(each.cut_s for each in quiet))


def slug(text: str) -> str:
    """The part of a file name that shows the text: ASCII words joined by dashes."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:SLUG_LENGTH].rstrip("-") or "text"


def write(outputs: Path, texts: Sequence[str], takes: Iterable[Take], mark: watermark.Watermark | None) -> list[records.SpokenLine]:
    """Write the takes as they come, marked, and at last their manifest, and print a line for each."""
    rows: list[records.SpokenLine] = []
    with files.whole_folder(outputs) as folder:
        for index, (text, take) in enumerate(zip(texts, takes, strict=True), start=1):
            name = f"{index:0{max(2, len(str(len(texts))))}d}-{slug(text)}.wav"
            rows.append(row(text, take, name, confidence=write_marked(folder / name, take.pcm, mark)))
            remark = tr("   {faults}: best of {tries} kept", faults=", ".join(take.faults), tries=take.tries) if take.faults else ""
            print(
                tr(
                    "{path}   {duration_s:.1f} s   CER {cer:.2f}{remark}",
                    path=outputs / name,
                    duration_s=rows[-1].duration_s,
                    cer=take.cer,
                    remark=remark,
                )
            )
            print_reading(text, take.line.text)
        records.write(folder, rows)
    return rows


def print_reading(text: str, as_read: str) -> None:
    """Print how a text was read, where that differs from how it is written, and what in it was not read."""
    if as_read != text:
        print(tr("   read as: {as_read}", as_read=as_read))
    if left_out := aloud.read(text).left_out:
        print(tr("   not read: {left_out}", left_out=left_out))


def write_marked(path: Path, pcm: np.ndarray, mark: watermark.Watermark | None) -> float | None:
    """Write speech with the mark. float32 in [-1, 1] at 24 000 Hz [T]

    Returns:
        the confidence with which the mark is found again in it; None if there is to be none.
    """
    if mark is None:
        encode.write(path, pcm)
        return None
    marked = mark.mark(pcm, wav.OUTPUT_RATE_HZ)
    encode.write(path, marked)
    return round(mark.highest(marked, wav.OUTPUT_RATE_HZ), 2)


def row(text: str, take: Take, file: str, *, confidence: float | None) -> records.SpokenLine:
    """The manifest's row of a line. `confidence`: see `write_marked`"""
    return records.SpokenLine(
        id=take.line.id,
        text=text,
        normalized=take.line.text,
        file=file,
        duration_s=round(len(take.pcm) / wav.OUTPUT_RATE_HZ, 3),
        seed=take.line.seed,
        tries=take.tries,
        cer=round(take.cer, 4),
        passed=not take.faults,
        heard=take.transcript,
        faults=list(take.faults),
        dropped=list(take.dropped),
        cut_s=round(take.cut_s, 3),
        watermark="none" if confidence is None else "perth",
        watermark_confidence=confidence or 0.0,
    )


def main() -> None:
    """Run the stage."""
    args = parse_args()
    p, compute = params.load("synthesize", Params), params.load("compute", params.Compute)
    where = device.pick(compute.device)
    device.seed_everything(p.seed)
    mark = watermark.marker(p.watermark, where)
    voice, asr = load_voice(args.voice, where, base=args.base, engine=compute.models), transcriber.Transcriber(args.asr, where)
    wanted = seen.Seen(args.texts)
    texts = read_texts(args.texts)
    lines = lines_of(texts, voice, seed=p.seed)
    rows = write(args.outputs, texts, group_by_group(voice, lines, asr, p), mark)
    wanted.require_same()
    cache.log("synthesize", lines=len(rows), tries=sum(each.tries for each in rows), device=str(where))


def parse_args() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("voice", type=Path, help="folder of the voice")
    parser.add_argument("outputs", type=Path, help="folder for the wavs, made anew")
    parser.add_argument("--base", type=Path, required=True, help="folder of the XTTS base that the voice was trained from")
    parser.add_argument("--texts", type=Path, required=True, help="file of texts, one a line")
    parser.add_argument("--asr", type=Path, required=True, help="Whisper checkpoint that transcribes the lines")
    return parser.parse_args()


if __name__ == "__main__":
    command.run(main)
