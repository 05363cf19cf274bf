"""The base's DVAE: a clip as audio codes."""

from pathlib import Path

import numpy as np
import torch

from voz.model import xtts
from voz.pipeline.command import UserError
from voz.pipeline.language import tr

FILES = ("dvae.pth", "mel_stats.pth", "config.json")  # of the base: they decide the codes
STRIDE = 1024  # samples of 22 050 Hz per audio code (XttsArgs.gpt_code_stride_len)
MELS = 80


class Dvae:
    """The encoder that GPTTrainer builds, with its mel spectrogram.

    Raises:
        UserError: a file of the base is missing, damaged, or does not fit the others.
    """

    def __init__(self, base: Path, device: torch.device) -> None:
        xtts.require(base, FILES)
        config, widths = xtts.read_config(base)
        self.device = device
        self.model = xtts.build_dvae(config, widths)
        _load(self.model, base)
        self.model.to(device).eval()
        self.mel = xtts.TorchMelSpectrogram(mel_norm_file=str(base / "mel_stats.pth"), sampling_rate=config.audio.dvae_sample_rate)
        self.mel.to(device)

    @torch.no_grad()
    def encode(self, pcm: np.ndarray) -> torch.Tensor:
        """Audio codes of a clip. It is encoded alone, so that its codes do not depend on other clips.

        Args:
            pcm: float32 in [-1, 1] at 22 050 Hz. [T]

        Returns:
            int64 on the CPU. [ceil(T / 1024)]
        """
        mel = self.mel(torch.from_numpy(pcm)[None].to(self.device))  # [1, 80, T // 256 + 1]
        codes: torch.Tensor = self.model.get_codebook_indices(mel)[0, : -(-len(pcm) // STRIDE)]
        return codes.cpu()


def _load(model: torch.nn.Module, base: Path) -> None:
    """Load and check `dvae.pth`, and check `mel_stats.pth`: coqui's own strict=False would silently leave weights random."""
    try:
        missing, _ = model.load_state_dict(xtts.read_checkpoint(base / "dvae.pth"), strict=False)
    except (RuntimeError, TypeError, AttributeError) as error:  # the last two: not a dictionary of weights
        reason = str(error).splitlines()[-1].strip()
        raise UserError(
            "{path}: does not fit config.json ({reason})", "use files of one model", path=base / "dvae.pth", reason=reason
        ) from error
    norms = xtts.read_checkpoint(base / "mel_stats.pth")
    if missing or not isinstance(norms, torch.Tensor) or norms.shape != (MELS,):
        weights, stats = tr("dvae.pth: {count} weights missing", count=len(missing)), tr("mel_stats.pth: not {count} numbers", count=MELS)
        what = weights if missing else stats
        raise UserError("{base}/{what}", "use files of one model", base=base, what=what)
