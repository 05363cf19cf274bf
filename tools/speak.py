"""Speak a text with the voice, with the voice of an earlier commit or an experiment, or with a voice from elsewhere.

    python -m tools.speak --text "Che, ¿cómo andás?" [--rev HEAD~3] [--out spoken.mp3]     (`make speak TEXT="..." REV=... OUT=...`)
    python -m tools.speak --text "..." --voice FOLDER --speaker-wav REF.ogg                 (`make speak ... VOICE=... SPEAKER_WAV=...`)
    python -m tools.speak --text "..." --stream | aplay                                    (`make -s speak TEXT="..." STREAM=1 | aplay`)

Reads   models/voice; an earlier one comes from DVC's cache or its remote into .cache, and the working tree stays as it is;
        FOLDER: any fine-tuned XTTS_v2 (model.pth, config.json, vocab.json), or an adapter (adapter.pth) to `base` of params.yaml
        REF: any audio of the speaker, 6 s or more
        the settings of `synthesize` in params.yaml: the text sounds as that stage's first try
Writes  OUT, mono, 24 000 Hz, with the watermark unless `synthesize.watermark` is none. Its ending names the format: wav, flac, mp3,
        opus or ogg; a folder gets a wav that is called like the text
        or, with --stream, a wav on the standard output while the text is spoken, for a player; noise after the words stays
"""

import argparse
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from stages import synthesize
from tools import revisions
from voz.audio import encode, recording, watermark, wav
from voz.model import device, synthesis
from voz.model.voice import REFERENCE, load_voice
from voz.pipeline import cache_folders, command, files, params
from voz.pipeline.command import UserError
from voz.pipeline.language import tr

LEAST_REFERENCE_S, MOST_REFERENCE_S = 1.0, 60.0  # coqui takes nothing from less than a third of a second; XTTS listens to 30 s


def output_path(out: str, text: str) -> Path:
    """The file to write, given what the user typed: a file, or a folder, which gets a wav that is called like the text.

    Raises:
        UserError: no format has the name's ending.
    """
    path = Path(out).expanduser()
    if out.endswith("/") or path.is_dir():
        return path / f"{synthesize.slug(text)}.wav"
    encode.encoder_of(path)
    return path


@contextmanager
def reference_wav(path: Path | None) -> Iterator[tuple[Path | None, str]]:
    """A recording as the wav that a voice takes as its reference, until the block ends, and the recording's SHA-256.

    Raises:
        UserError: no audio comes out, or less than `LEAST_REFERENCE_S`.
    """
    if path is None:
        yield None, ""
        return
    with recording.opened(path) as (pcm, rate_hz), cache_folders.scratch() as folder:
        if len(pcm) < LEAST_REFERENCE_S * rate_hz:
            raise UserError("{path}: {duration_s:.1f} s", "take 6 s or more of the speaker", path=path, duration_s=len(pcm) / rate_hz)
        start = np.array(pcm[: round(MOST_REFERENCE_S * rate_hz)])
        wav.write(folder / REFERENCE, wav.resample(start, rate_hz, wav.SAMPLE_RATE_HZ))
        yield folder / REFERENCE, files.hash_file(path)


def main() -> None:
    """Speak the text into a file."""
    args = parse_args()
    if not args.text.strip():
        raise UserError("nothing to speak", 'make speak TEXT="Che, ¿cómo andás?"')
    if args.rev and args.voice:
        raise UserError("two voices: of {rev} and in {voice}", "take one of them", rev=args.rev, voice=args.voice)
    out = None if args.stream else output_path(args.out, args.text)
    if args.stream and sys.stdout.isatty():
        raise UserError("a stream is sound, not text", 'give it to a player: make -s speak TEXT="..." STREAM=1 | aplay')
    p, where = params.load("synthesize", synthesize.Params), device.pick(params.load("compute", params.Compute).device)
    device.seed_everything(p.seed)
    mark = watermark.marker(p.watermark, where)
    with reference_wav(Path(args.speaker_wav).expanduser() if args.speaker_wav else None) as (reference, made_from):
        folder = revisions.voice_of(revisions.find(args.rev)) if args.rev else Path(args.voice or revisions.VOICE).expanduser()
        voice = load_voice(folder, where, base=params.base_folder(), reference=reference, made_from=made_from)
        (line,) = synthesis.number([voice.readable(args.text)], seed=p.seed)
        if out is None:
            write_stream(synthesis.stream(voice.model, voice.conditioning, line, p), mark)
            return
        (parts,) = voice.speak_parts([line], p)
    spoken = synthesize.without_noise(parts)
    confidence = synthesize.write_marked(out, spoken.pcm, mark)
    print("   ".join([f"{out}   {len(spoken.pcm) / wav.OUTPUT_RATE_HZ:.1f} s", *remarks(spoken.cut_s, confidence)]))
    synthesize.print_reading(args.text, line.text)


def write_stream(pieces: Iterator[np.ndarray], mark: watermark.Watermark | None) -> None:
    """Write speech to the standard output as it comes, marked, until whoever reads it has enough. float32 at 24 000 Hz, [T] each"""
    out = sys.stdout.buffer
    try:
        out.write(encode.endless_wav_header())
        for piece in mark.mark_stream(pieces, wav.OUTPUT_RATE_HZ) if mark else pieces:
            out.write(wav.to_int16(piece).tobytes())
            out.flush()
    except BrokenPipeError:  # the player was closed; what Python would still write at its exit goes nowhere
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def remarks(cut_s: float, confidence: float | None) -> Iterator[str]:
    """What a user should know of the sound beside its length. `confidence`: see `synthesize.write_marked`"""
    if cut_s:
        yield tr("{cut_s:.1f} s of noise cut off", cut_s=cut_s)
    if confidence is None:
        yield tr("no watermark")
    elif confidence <= watermark.THRESHOLD:
        yield tr("marked, but the mark cannot be found again: this is hardly speech")


def parse_args() -> argparse.Namespace:
    """The command line. An empty option is one that is not there, as `make` hands them over."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--text", required=True, help="a text that begins with a dash: --text=-Hola")
    parser.add_argument("--rev", default="", help="commit or experiment (default: the voice of the working tree)")
    parser.add_argument("--voice", default="", help=f"folder of another voice (default: {revisions.VOICE})")
    parser.add_argument("--speaker-wav", default="", help="recording of the speaker (default: the voice's own reference)")
    parser.add_argument("--out", default="spoken.wav", help="file, or folder (default: spoken.wav)")
    parser.add_argument("--stream", action="store_true", help="write to the standard output while it is spoken")
    return parser.parse_args()


if __name__ == "__main__":
    command.run(main)
