"""A real Whisper of 12 s with random weights and a text context of a few tokens: quick, and its transcripts are nonsense."""

from pathlib import Path

import torch
import whisper


def make(path: Path) -> Path:
    """Write a checkpoint that `whisper.load_model` reads."""
    torch.manual_seed(2)
    dims = whisper.model.ModelDimensions(
        n_mels=80, n_audio_ctx=600, n_audio_state=16, n_audio_head=1, n_audio_layer=1,
        n_vocab=51865, n_text_ctx=32, n_text_state=16, n_text_head=1, n_text_layer=1,
    )  # fmt: skip
    model = whisper.model.Whisper(dims)
    for weights in model.parameters():  # whisper leaves some memory uninitialised
        torch.nn.init.normal_(weights, std=0.1)
    torch.save({"dims": vars(dims), "model_state_dict": model.state_dict()}, path)
    return path
