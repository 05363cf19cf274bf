"""Speak a text with the voice, or with the voice of an earlier commit or an experiment.

    python -m tools.speak --text "Che, ¿cómo andás?" [--rev HEAD~3] [--out spoken.wav]        (`make speak TEXT="..." REV=...`)

Reads   models/voice; an earlier one comes from DVC's cache or its remote into .cache, and the working tree stays as it is
        the settings of `synthesize` in params.yaml: the text sounds as that stage's first try
Writes  OUT, mono PCM16, 24 000 Hz
"""

import argparse
from pathlib import Path

from stages.synthesize import Params
from tools import revisions
from voz.audio import wav
from voz.model import device, synthesis
from voz.model.voice import load_voice, write_wav
from voz.pipeline import command, params
from voz.pipeline.command import UserError


def main() -> None:
    args = parse_args()
    if not args.text.strip():
        raise UserError("nothing to speak", 'make speak TEXT="Che, ¿cómo andás?"')
    p, compute = params.load("synthesize", Params), params.load("compute", params.Compute)
    device.seed_everything(p.seed)
    voice = load_voice(revisions.voice_of(revisions.find(args.rev)), device.pick(compute.device))
    (pcm,) = voice.speak(synthesis.number([voice.readable(args.text)], seed=p.seed), p)
    write_wav(args.out, pcm)
    print(f"{args.out}   {len(pcm) / wav.OUTPUT_RATE_HZ:.1f} s")


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--text", required=True)
    parser.add_argument("--rev", default="", help="commit or experiment (default: the voice of the working tree)")
    parser.add_argument("--out", type=Path, default=Path("spoken.wav"))
    return parser.parse_args()


if __name__ == "__main__":
    command.run(main)
