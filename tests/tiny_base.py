"""A base with random weights whose GPT is smaller than the pocket one's: trains and speaks in a second."""

import shutil
from pathlib import Path

import torch

from voz.model import xtts

POCKET = Path(__file__).parent.parent / "models" / "pocket" / "xtts"
# The pocket's DVAE and its decoder's frames fit.
NARROW = xtts.Widths(dvae_hidden=128, decoder_channels=32, decoder_upsampling=(10, 7, 4, 4), speaker_filters=(16, 32, 64, 128))


def make(folder: Path, widths: xtts.Widths = NARROW) -> Path:
    """Write the five files of a base; `dvae.pth`, vocabulary and mel statistics are the pocket base's."""
    folder.mkdir(parents=True)
    config, _ = xtts.read_config(POCKET)
    args = config.model_args
    args.gpt_layers, args.gpt_n_model_channels, args.gpt_n_heads, args.decoder_input_dim = 2, 64, 2, 64
    if widths.stock:  # the frames of XTTS_v2's decoder
        args.output_hop_length, args.input_sample_rate = 256, 22_050
    for name in ("vocab.json", "mel_stats.pth", "dvae.pth"):
        shutil.copyfile(POCKET / name, folder / name)
    torch.manual_seed(1)
    model = xtts.build_model(config, widths, xtts.read_tokenizer(folder))
    model.mel_stats.copy_(torch.load(folder / "mel_stats.pth", weights_only=True))
    torch.save({"model": model.state_dict()}, folder / "model.pth")
    xtts.write_config(folder, config, widths)
    return folder
