"""A voice folder as train writes it: a base of random weights with a reference recording."""

import shutil
from pathlib import Path

import torch

from tests import clips, tiny_base
from voz.audio import wav


def make(folder: Path, *, stop_bias: float = 0.0) -> Path:
    """Write `model.pth config.json vocab.json reference.wav`.

    Fresh weights are so small that every text sounds alike and nothing ever stops: here the transformer's and the text
    embedding's are ten times as large, and `stop_bias` is added to the logit of the stop code.
    """
    base = tiny_base.make(folder.parent / f"{folder.name}-base")
    folder.mkdir()
    for name in ("config.json", "vocab.json"):
        shutil.copyfile(base / name, folder / name)
    checkpoint = torch.load(base / "model.pth", weights_only=True)
    for name, weights in checkpoint["model"].items():
        if name == "gpt.text_embedding.weight" or (name.startswith("gpt.gpt.h.") and name.endswith("weight") and "ln_" not in name):
            weights *= 10
    checkpoint["model"]["gpt.mel_head.bias"][-1] += stop_bias  # the stop code is the last
    torch.save(checkpoint, folder / "model.pth")
    wav.write(folder / "reference.wav", clips.pcm("mine-0"))
    return folder
