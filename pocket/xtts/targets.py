"""The decoder's targets, made once: each sentence that has latents, from its clean recording, at the pitches of its voice.

    python -m pocket.xtts.targets pocket/build/corpus pocket/build/xtts

Reads   pocket/build/corpus wavs, pocket/build/xtts/{latents.pt,voices.pt}
Writes  pocket/build/xtts/targets.pt    per sentence and whole periods per code: PCM16 at 24 kHz
"""

import argparse
import functools
from pathlib import Path

import numpy as np
import torch

from pocket.arguments import arguments
from pocket.xtts import base, pitch_grid
from pocket.xtts.pack import at_level
from voz.audio import wav
from voz.model import checkpoint
from voz.pipeline import command, parallel


def targets(folder: Path, wanted: tuple[str, list[int]]) -> dict[int, torch.Tensor]:
    """One sentence at each of its pitches. int16 [T]"""
    sentence, counts = wanted
    pcm = at_level(wav.read(folder / "wav" / f"{sentence}.wav"))
    made = [wav.resample(each, base.CODE_SAMPLES, base.DECODED_SAMPLES) for each in pitch_grid.on_grid(pcm, counts)]
    return {count: torch.from_numpy(wav.to_int16(each)) for count, each in zip(counts, made, strict=True)}


def main() -> None:
    args = parse_args()
    voice_of = checkpoint.read(args.build / "latents.pt")["voices"]
    periods = checkpoint.read(args.build / "voices.pt")["periods"]
    wanted = [(sentence, np.unique(periods[voice_of[sentence]]).tolist()) for sentence in sorted(voice_of)]
    made = parallel.map(functools.partial(targets, args.corpus), wanted, label="targets", engine=parallel.Engine(args.threads))
    found = {sentence: by_count for (sentence, _), by_count in zip(wanted, made, strict=True)}
    checkpoint.write(args.build / "targets.pt", {"targets": found})
    print(f"targets: {len(found)} sentences, {sum(map(len, found.values()))} recordings")


def parse_args() -> argparse.Namespace:
    return arguments(__doc__, "corpus", "build").parse_args()


if __name__ == "__main__":
    command.run(main)
