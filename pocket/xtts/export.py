"""Put the newest trained parts together as a base of XTTS_v2's file names, in half precision.

    python -m pocket.xtts.export pocket/build/xtts models/pocket/xtts

Reads   pocket/build/xtts/{dvae,gpt,speaker,decoder}.pt   those that exist; the other parts keep random weights (seeded)
Writes  models/pocket/xtts/{model.pth,config.json,vocab.json,dvae.pth,mel_stats.pth,speakers_xtts.pth}
"""

import argparse
from pathlib import Path
from typing import Any

import torch

from pocket.xtts import base
from voz.model import checkpoint, xtts
from voz.pipeline import command, files

SIZE_LIMIT_MB = 42


def half(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Half precision for the weights; buffers of windows and filter banks stay as they are."""
    return {
        key: value.detach().half().contiguous() if value.is_floating_point() and ".torch_spec." not in key else value.detach().contiguous()
        for key, value in state.items()
    }


def load_part(build: Path, name: str) -> dict[str, Any] | None:
    """A part's newest checkpoint, or None while there is none."""
    path = build / f"{name}.pt"
    return torch.load(path, map_location="cpu", weights_only=True) if path.exists() else None


def trained_weights(content: dict[str, Any]) -> dict[str, torch.Tensor]:
    """The average of the weights where a training keeps one (pocket/xtts/train_decoder.py), else the last ones."""
    if "average" not in content:
        return content["model"]
    return {key.removeprefix("module."): value for key, value in content["average"].items() if key != "n_averaged"}


def main() -> None:
    args = parse_args()
    base.write_skeleton(args.build)
    model = base.random_model(args.build)
    torch.manual_seed(base.SEED)
    dvae = xtts.build_dvae(*xtts.read_config(args.build))
    parts = {
        "dvae": dvae,
        "gpt": model.gpt,
        "speaker": model.hifigan_decoder.speaker_encoder,
        "decoder": model.hifigan_decoder.waveform_decoder,
    }
    for name, module in parts.items():
        trained = load_part(args.build, name)
        if trained is not None:
            module.load_state_dict(trained_weights(trained))
        print(f"{name}: {'random' if trained is None else 'step ' + str(trained['step'])}")
    args.base.mkdir(parents=True, exist_ok=True)
    checkpoint.write(args.base / "model.pth", {"model": half(model.state_dict())})
    checkpoint.write(args.base / "dvae.pth", half(dvae.state_dict()))
    checkpoint.write(args.base / "speakers_xtts.pth", {})  # no built-in voices: every voice comes from a recording
    for name in ("config.json", "vocab.json", "mel_stats.pth"):
        files.copy(args.build / name, args.base / name)
    size_mb = sum(path.stat().st_size for path in args.base.iterdir()) / 1e6
    print(f"{args.base}: {size_mb:.1f} MB")
    if size_mb > SIZE_LIMIT_MB:
        raise command.UserError(f"{args.base}: {size_mb:.1f} MB, more than {SIZE_LIMIT_MB}", "lower the widths in pocket/xtts/base.py")


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", type=Path)
    parser.add_argument("base", type=Path)
    return parser.parse_args()


if __name__ == "__main__":
    command.run(main)
