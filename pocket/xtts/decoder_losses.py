"""What the decoder is trained against: distances between spectra, and two small families of discriminators."""

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils.parametrizations import weight_norm

PERIODS = (2, 3, 5, 7, 11)  # HiFi-GAN's (Kong et al. 2020, arXiv:2010.05646)
FFTS = (512, 1024, 2048, 4096)
EMPHASIS = 0.97  # 6 dB per octave from 120 Hz on


def magnitude(wav: torch.Tensor, fft: int) -> torch.Tensor:
    """[B, T] -> [B, fft // 2 + 1, frames]"""
    window = torch.hann_window(fft, device=wav.device)
    found = torch.stft(wav, fft, fft // 4, window=window, return_complex=True)
    return torch.sqrt(found.real**2 + found.imag**2 + 1e-7)


def spectral_distance(made: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """Multi-resolution STFT loss (Yamamoto et al. 2020, arXiv:1910.11480): spectral convergence plus log magnitude. [B, T] each"""
    total = made.new_zeros(())
    for fft in FFTS:
        a, b = magnitude(made, fft), magnitude(wanted, fft)
        total = total + torch.linalg.norm(b - a) / torch.linalg.norm(b) + (a.clamp(min=1e-3).log() - b.clamp(min=1e-3).log()).abs().mean()
    return total / len(FFTS)


def wave_distance(made: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """Difference of the waveforms relative to the wanted one, energies of the batch together: 1 for silence. [B, T] each

    The mean of two: as they are, and with the high frequencies lifted, or [s] and [ʃ] would weigh nothing beside vowels.
    """
    pairs = ((made, wanted), tuple(wav[:, 1:] - EMPHASIS * wav[:, :-1] for wav in (made, wanted)))
    return torch.stack([torch.linalg.norm(a - b) / torch.linalg.norm(b) for a, b in pairs]).mean()


class PeriodDiscriminator(nn.Module):
    """Sees every `period`-th sample in a column."""

    def __init__(self, period: int, channels: tuple[int, ...] = (16, 32, 64, 96)) -> None:
        super().__init__()
        self.period = period
        sizes = (1, *channels)
        self.layers = nn.ModuleList(weight_norm(nn.Conv2d(a, b, (5, 1), (3, 1), (2, 0))) for a, b in pairwise(sizes))
        self.last = weight_norm(nn.Conv2d(channels[-1], 1, (3, 1), padding=(1, 0)))

    def forward(self, wav: torch.Tensor) -> list[torch.Tensor]:
        """[B, T] -> feature maps, the last is the score."""
        x = F.pad(wav, (0, -wav.shape[1] % self.period)).view(len(wav), 1, -1, self.period)
        return _through(self.layers, self.last, x)


class SpectrumDiscriminator(nn.Module):
    """Sees a log magnitude spectrogram."""

    def __init__(self, fft: int, channels: int = 12) -> None:
        super().__init__()
        self.fft = fft
        sizes = (1, channels, channels, channels)
        self.layers = nn.ModuleList(weight_norm(nn.Conv2d(a, channels, (9, 3), (2, 1), (4, 1))) for a in sizes)
        self.last = weight_norm(nn.Conv2d(channels, 1, (3, 3), padding=1))

    def forward(self, wav: torch.Tensor) -> list[torch.Tensor]:
        """[B, T] -> feature maps, the last is the score."""
        return _through(self.layers, self.last, magnitude(wav, self.fft).clamp(min=1e-3).log()[:, None])


def _through(layers: nn.ModuleList, last: nn.Module, x: torch.Tensor) -> list[torch.Tensor]:
    features = []
    for layer in layers:
        x = F.leaky_relu(layer(x), 0.1)
        features.append(x)
    return [*features, last(x)]


class Discriminators(nn.Module):
    """All of them; least-squares losses."""

    def __init__(self) -> None:
        super().__init__()
        self.all = nn.ModuleList([*(PeriodDiscriminator(p) for p in PERIODS), *(SpectrumDiscriminator(fft) for fft in (512, 1024))])

    def judge(self, made: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
        """Loss of the discriminators. [B, T] each"""
        pairs = [(d(made)[-1], d(wanted)[-1]) for d in self.all]
        return torch.stack([(fake**2).mean() + ((real - 1) ** 2).mean() for fake, real in pairs]).sum()

    def persuade(self, made: torch.Tensor, wanted: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Losses of the decoder: adversarial, and distance of features. [B, T] each"""
        fooled, features = made.new_zeros(()), made.new_zeros(())
        for d in self.all:
            fake = d(made)
            with torch.no_grad():
                real = d(wanted)
            fooled = fooled + ((fake[-1] - 1) ** 2).mean()
            features = features + torch.stack([(a - b).abs().mean() for a, b in zip(fake[:-1], real[:-1], strict=True)]).mean()
        return fooled, features
