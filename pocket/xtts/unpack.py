"""Split a base into the checkpoints of its parts, so that `make pocket` goes on from them. pocket/README.md says when.

    python -m pocket.xtts.unpack models/pocket/xtts pocket/build/xtts

Reads   models/pocket/xtts/{model.pth,dvae.pth}
Writes  pocket/build/xtts/{dvae,gpt,speaker,decoder}.pt    those not there yet; without the optimizers' state
"""

import argparse
from pathlib import Path

import torch

from pocket.xtts import base, train_dvae, train_gpt, train_speaker
from voz.model import checkpoint, xtts
from voz.pipeline import command

# The GPT goes on at what is left of its rate, the other two count as finished. The decoder goes through its whole training, which begins
# with the waveform's loss alone: beside spectral losses it does not unlearn clicks (pocket/LOG.md).
STEPS = {
    "dvae": train_dvae.STEPS,
    "gpt": train_gpt.STEPS - 2000,
    "speaker": train_speaker.STEPS,
    "decoder": 0,
}
PARTS = {"gpt": "gpt.", "speaker": "hifigan_decoder.speaker_encoder.", "decoder": "hifigan_decoder.waveform_decoder."}


def full(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Full precision again for the weights."""
    return {key: value.float() if value.is_floating_point() else value for key, value in state.items()}


def main() -> None:
    args = parse_args()
    base.write_skeleton(args.build)
    model = full(xtts.read_weights(args.base / "model.pth"))
    states = {name: {key.removeprefix(prefix): v for key, v in model.items() if key.startswith(prefix)} for name, prefix in PARTS.items()}
    states["dvae"] = full(xtts.read_checkpoint(args.base / "dvae.pth"))
    for name, state in states.items():
        path = args.build / f"{name}.pt"
        if path.exists():
            print(f"{path}: there already, left as it is")
            continue
        checkpoint.write(path, {"model": state, "step": STEPS[name]})
        print(f"{path}: {len(state)} tensors, step {STEPS[name]}")


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("base", type=Path)
    parser.add_argument("build", type=Path)
    return parser.parse_args()


if __name__ == "__main__":
    command.run(main)
