"""The decoder's targets, made once: each sentence that has latents, from its clean recording, at the pitches of its voice.

    python -m pocket.xtts.targets pocket/build/corpus pocket/build/packed pocket/build/xtts

Reads   pocket/build/corpus wavs, pocket/build/packed, pocket/build/xtts/{latents.pt,voices.pt}
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
from pocket.xtts.packed import PackedCorpus
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
    latents = checkpoint.read(args.build / "latents.pt")["latents"]
    periods = checkpoint.read(args.build / "voices.pt")["periods"]
    wanted = [(row.id, np.unique(periods[row.voice]).tolist()) for row in PackedCorpus(args.packed).rows if row.id in latents]
    made = parallel.map(functools.partial(targets, args.corpus), wanted, label="targets", engine=parallel.Engine(args.threads))
    found = {sentence: by_count for (sentence, _), by_count in zip(wanted, made, strict=True)}
    checkpoint.write(args.build / "targets.pt", {"targets": found})
    print(f"targets: {len(found)} sentences, {sum(map(len, found.values()))} recordings")


def parse_args() -> argparse.Namespace:
    return arguments(__doc__, "corpus", "packed", "build").parse_args()


if __name__ == "__main__":
    command.run(main)
