"""Speak a list of texts with the voice; a line that whisper does not understand is spoken again.

    python -m stages.synthesize models/voice outputs --texts data/texts.txt --asr models/pocket/whisper.pt
    python -m stages.synthesize --text "Che, ¿cómo andás?" --out hola.wav

Reads   models/voice/{model.pth,config.json,vocab.json,reference.wav}
        data/texts.txt                     one text a line, UTF-8; empty lines are skipped
Writes  outputs/<nn>-<slug>.wav            mono PCM16, 24 000 Hz
        outputs/manifest.jsonl             records.SpokenLine, one per line

By hand (`--text`) one file is written and nobody listens, unless `--asr` is given.
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
import scipy.io.wavfile
from pydantic import Field

from voz.audio import wav
from voz.metrics import measures
from voz.model import device, synthesis, whisper, xtts
from voz.pipeline import cache, command, files, params, records
from voz.pipeline.checked import section
from voz.text import normalize, tokens

SLUG_LENGTH = 40  # characters of a file name that come from the text


@section
class Params:
    """Section `synthesize` of params.yaml."""

    temperature: float = Field(ge=0)
    top_p: float = Field(gt=0, le=1)
    top_k: int = Field(ge=1)
    repetition_penalty: float = Field(gt=0)
    max_cer: float = Field(ge=0)
    max_tries: int = Field(ge=1)
    seed: int

    def sampling(self) -> synthesis.Sampling:
        """How codes are drawn."""
        return synthesis.Sampling(self.temperature, self.top_p, self.top_k, self.repetition_penalty)


@dataclass(frozen=True)
class Voice:
    """A loaded voice and its reference's conditioning."""

    model: xtts.Xtts
    conditioning: xtts.Conditioning


@dataclass(frozen=True)
class Take:
    """One reading of a line. pcm: float32 at 24 000 Hz [T]. tries: how often the line was spoken in all."""

    pcm: np.ndarray
    heard: str
    cer: float
    tries: int


def load_voice(folder: Path, where: str) -> Voice:
    """Load a voice and listen to its reference.

    Raises:
        UserError: there is no voice in the folder, or a file of it is damaged.
    """
    missing = [name for name in ("model.pth", "config.json", "vocab.json", "reference.wav") if not (folder / name).is_file()]
    if missing:
        raise command.UserError(f"{folder}: no voice ({', '.join(missing)} missing)", "run `dvc repro train`, or `dvc pull`")
    model = xtts.load_model(folder, device=device.pick(where))
    return Voice(model, xtts.conditioning(model, wav.read(folder / "reference.wav")))


def read_texts(path: Path) -> list[str]:
    """The texts of a file, in order.

    Raises:
        UserError: missing, not UTF-8, or no text in it.
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


def readable(words: str, voice: Voice) -> str:
    """The text as the voice reads it: numbers and signs in words, nothing its vocabulary lacks.

    Raises:
        UserError: nothing is left, or a letter is unknown to the voice.
    """
    ready = tokens.fit(normalize.normalize(words), voice.model.tokenizer)
    unknown = tokens.unknown_characters(ready, voice.model.tokenizer)
    if unknown or not any(letter.isalnum() for letter in ready):
        what = f"the voice does not know {unknown!r}" if unknown else "nothing to speak"
        raise command.UserError(f"text {words!r}: {what}", "write it in Spanish words")
    return ready


def speak_well(voice: Voice, lines: Sequence[synthesis.Line], listener: whisper.Whisper, p: Params) -> list[Take]:
    """Speak lines until whisper hears each within `max_cer`, `max_tries` times at most; the best reading of each is kept."""
    best: dict[int, Take] = {}
    pending = list(range(len(lines)))
    for retry in range(p.max_tries):
        label = "speak" if not retry else f"again ({len(pending)})"
        again = [dataclasses.replace(lines[i], retry=retry) for i in pending]
        pcms = synthesis.speak(voice.model, voice.conditioning, again, p.sampling(), label=label)
        for i, pcm, heard in zip(pending, pcms, hear(listener, pcms, again), strict=True):
            take = Take(pcm, heard, measures.cer(lines[i].text, heard), retry + 1)
            better = i not in best or take.cer < best[i].cer
            best[i] = take if better else dataclasses.replace(best[i], tries=retry + 1)
        pending = [i for i in pending if best[i].cer > p.max_cer]
        if not pending:
            break
    return [best[i] for i in range(len(lines))]


def hear(listener: whisper.Whisper, pcms: Sequence[np.ndarray], lines: Sequence[synthesis.Line]) -> list[str]:
    """What whisper hears, greedily and without a prompt that could put words into its mouth."""
    quiet = [wav.resample(pcm, wav.OUTPUT_RATE_HZ, wav.ASR_RATE_HZ) for pcm in pcms]
    seeds = [whisper.seed_of(line.text) for line in lines]
    return [each.text for each in whisper.transcribe(listener, quiet, prompt="", temperatures=[0.0], seeds=seeds)]


def slug(words: str) -> str:
    """A file name's worth of a text: ASCII words joined by dashes."""
    plain = unicodedata.normalize("NFKD", words).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:SLUG_LENGTH].rstrip("-") or "text"


def write_wav(path: Path, pcm: np.ndarray) -> None:
    """Write mono PCM16 at 24 000 Hz with scipy, atomically. float32 in [-1, 1] [T]"""
    with files.atomic(path) as file:
        scipy.io.wavfile.write(file, wav.OUTPUT_RATE_HZ, wav.to_int16(pcm))


def speak_list(voice: Voice, texts: Path, asr_path: Path, outputs: Path, p: Params, where: str) -> None:
    """Speak every line of a file into a folder and say how each was heard."""
    written = read_texts(texts)
    lines = synthesis.number([readable(words, voice) for words in written], seed=p.seed)
    takes = speak_well(voice, lines, whisper.load(asr_path, device.pick(where)), p)
    files.fresh_folder(outputs)
    utterances = []
    for index, (words, line, take) in enumerate(zip(written, lines, takes, strict=True), start=1):
        file = f"{index:0{max(2, len(str(len(lines))))}d}-{slug(words)}.wav"
        write_wav(outputs / file, take.pcm)
        utterances.append(utterance(words, line, take, file, passed=take.cer <= p.max_cer))
        remark = "" if take.cer <= p.max_cer else f"   over {p.max_cer:.2f}: best of {take.tries} kept"
        print(f"{outputs / file}   {utterances[-1].duration_s:.1f} s   CER {take.cer:.2f}{remark}")
    records.write(outputs, utterances)
    cache.log("synthesize", lines=len(lines), spoken=sum(take.tries for take in takes), device=str(voice.model.device))


def utterance(words: str, line: synthesis.Line, take: Take, file: str, *, passed: bool) -> records.SpokenLine:
    """The manifest's row of a line."""
    return records.SpokenLine(
        id=hashlib.sha256(f"{line.text}\n{line.occurrence}".encode()).hexdigest()[:12],
        text=words,
        file=file,
        duration_s=round(len(take.pcm) / wav.OUTPUT_RATE_HZ, 3),
        seed=line.seed,
        tries=take.tries,
        cer=round(take.cer, 4),
        passed=passed,
        heard=take.heard,
    )


def speak_one(voice: Voice, words: str, asr_path: Path | None, out: Path, p: Params, where: str) -> None:
    """Speak one text into a file."""
    lines = synthesis.number([readable(words, voice)], seed=p.seed)
    if asr_path:
        (take,) = speak_well(voice, lines, whisper.load(asr_path, device.pick(where)), p)
        pcm, heard = take.pcm, f"   CER {take.cer:.2f}"
    else:
        (pcm,), heard = synthesis.speak(voice.model, voice.conditioning, lines, p.sampling()), ""
    out.parent.mkdir(parents=True, exist_ok=True)
    write_wav(out, pcm)
    print(f"{out}   {len(pcm) / wav.OUTPUT_RATE_HZ:.1f} s{heard}")


def main() -> None:
    """Run the stage, or speak one text."""
    args = parse_args()
    p, compute = params.load("synthesize", Params), params.load("compute", params.Compute)
    device.seed_everything(p.seed)
    voice = load_voice(args.voice, compute.device)
    if args.text is None:
        speak_list(voice, args.texts, args.asr, args.outputs, p, compute.device)
    else:
        speak_one(voice, args.text, args.asr, args.out, p, compute.device)


def parse_args() -> argparse.Namespace:
    """The command line: a list into a folder, or one text into a file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?", help="the voice (pipeline)")
    parser.add_argument("outputs", type=Path, nargs="?", help="folder for the wavs (pipeline)")
    parser.add_argument("--texts", type=Path, help="file of texts, one a line (pipeline)")
    parser.add_argument("--asr", type=Path, help="whisper checkpoint that listens")
    parser.add_argument("--text", help="one text to speak (by hand)")
    parser.add_argument("--out", type=Path, help="wav file for it (by hand)")
    parser.add_argument("--voice", type=Path, default=Path("models/voice"), help="the voice (by hand)")
    args = parser.parse_args()
    listed, by_hand = [args.folder, args.outputs, args.texts], [args.text, args.out]
    if None not in listed and args.asr and by_hand == [None, None]:
        args.voice = args.folder
    elif None in by_hand or listed != [None, None, None]:
        parser.error("give VOICE OUTPUTS --texts FILE --asr FILE, or --text TEXT --out FILE [--voice VOICE] [--asr FILE]")
    return args


if __name__ == "__main__":
    command.run(main)
