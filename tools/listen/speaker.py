"""Speak what the page of `make listen` asks for. It runs in the project's environment, the page in Gradio's (serve.py starts both).

    python -m tools.listen.speaker /tmp/sounds [HEAD~3 exp-name ...]

Reads   the base, models/voice and the voices of the named revisions; from stdin one request a line, as JSON:
        {"voice": "base", "text": "Che, ¿cómo andás?", "seed": 1, "sampling": {"temperature": 0.7, ...}}
Writes  a wav for each request into the folder, 24 000 Hz; to stdout one answer a line, as JSON:
        first {"voices": [...], "seed": 1, "sampling": {...}}, then for each request
        {"wav": "..."} or {"error": {"what": "...", "fix": "..."}}

Nothing that was spoken is kept: unlike other tools, this one takes no speech from the cache and adds none.
"""

import argparse
import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from pydantic import ValidationError

from stages import synthesize
from tools import revisions
from voz.audio import watermark
from voz.model import device, synthesis
from voz.model.generation import Sampling
from voz.model.voice import Voice, load_voice
from voz.pipeline import checked, command, params
from voz.pipeline.command import UserError

BASE, CURRENT = "base", "current voice"


@dataclass(frozen=True)
class Request:
    """What to speak. voice: a key of the voices."""

    voice: str
    text: str
    seed: int
    sampling: Sampling


def load_voices(names: list[str]) -> dict[str, Voice]:
    """The base, the voice of the working tree, and those of revisions, by name. Models are loaded on first use.

    Raises:
        UserError: a voice is missing.
    """
    where = device.pick(params.load("compute", params.Compute).device)
    current = load_voice(revisions.VOICE, where, base=params.base_folder())
    base = Voice(params.base_folder(), current.reference, where)  # conditioned on the same recording, as in evaluate
    voices = {BASE: base, CURRENT: current}
    return voices | {name: load_voice(revisions.voice_of(revisions.find(name)), where, base=params.base_folder()) for name in names}


def parse(line: str) -> Request:
    """A request.

    Raises:
        UserError: a sampling setting is out of its bounds.
    """
    values = json.loads(line)
    try:
        sampling = Sampling(**values["sampling"])
    except ValidationError as error:
        field, what = checked.first_error(error)
        raise UserError("{field}: {what}", "choose another value", field=field, what=what) from error
    if not isinstance(values["seed"], int):
        raise UserError("seed: not a whole number", "choose another value")
    return Request(values["voice"], values["text"], values["seed"], sampling)


def speak(voices: dict[str, Voice], line: str, wav: Path, mark: watermark.Watermark | None) -> dict[str, Any]:
    """The answer to a request; the sound goes to `wav`, marked."""
    try:
        request = parse(line)
        voice = voices[request.voice]
        lines = synthesis.number([voice.readable(request.text)], seed=request.seed)
        (pcm,) = synthesis.speak(voice.model, voice.conditioning, lines, request.sampling, label=request.voice)
    except UserError as error:
        return {"error": {"what": error.what, "fix": error.fix}}
    synthesize.write_marked(wav, pcm, mark)
    return {"wav": str(wav)}


def serve(voices: dict[str, Voice], folder: Path, answers: IO[str], mark: watermark.Watermark | None) -> None:
    """Answer requests until stdin ends."""
    for number, line in enumerate(sys.stdin, start=1):
        send(answers, speak(voices, line, folder / f"{number}.wav", mark))


def send(answers: IO[str], values: dict[str, Any]) -> None:
    print(json.dumps(values), file=answers, flush=True)


def own_stdout() -> IO[str]:
    """The stdout that this process was started with; from now on, what libraries print goes to stderr."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return answers


def main() -> None:
    args = parse_args()
    answers = own_stdout()
    p = params.load("synthesize", synthesize.Params)
    device.seed_everything(p.seed)
    mark = watermark.marker(p.watermark, device.pick(params.load("compute", params.Compute).device))
    voices = load_voices(args.revs)
    settings = {name: getattr(p, name) for name in Sampling.__dataclass_fields__}
    send(answers, {"voices": list(voices), "seed": p.seed, "sampling": settings})
    serve(voices, args.folder, answers, mark)


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="for the wavs")
    parser.add_argument("revs", nargs="*", help="commits or experiments whose voices are heard too")
    return parser.parse_args()


if __name__ == "__main__":
    command.run(main)
