"""What the decoder is trained on: distances of waveforms, of spectra, and from the speaker embedding that it was given."""

import torch
from torch import nn

from voz.audio import wav

FFTS = (512, 1024, 2048, 4096)
EMPHASIS = 0.97  # 6 dB per octave from 120 Hz on
WAVE_WEIGHT = 6.0
MEL_WEIGHT = 20.0  # HiFi-GAN has 45
SPEAKER_WEIGHT = 15.0  # YourTTS has 9; with less than 20 for the mel beside it, likeness costs clarity (pocket/LOG.md)


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

    The mean of two: as they are, and pre-emphasised, or [s] and [ʃ] would weigh nothing beside vowels.
    """
    pairs = ((made, wanted), tuple(wav[:, 1:] - EMPHASIS * wav[:, :-1] for wav in (made, wanted)))
    return torch.stack([torch.linalg.norm(a - b) / torch.linalg.norm(b) for a, b in pairs]).mean()


class SpeakerDistance:
    """Distance from the speaker embedding that the decoder was given, by the speaker encoder (the speaker consistency of YourTTS)."""

    def __init__(self, encoder: nn.Module, device: torch.device) -> None:
        from torchaudio.transforms import Resample

        self.encoder = encoder.eval().requires_grad_(False).to(device)
        self.resample = Resample(wav.OUTPUT_RATE_HZ, wav.ASR_RATE_HZ).to(device)

    def __call__(self, made: torch.Tensor, voices: torch.Tensor) -> torch.Tensor:
        """1 less the cosine of the embeddings, mean over the batch. [B, T], [B, 512, 1]"""
        return 1 - (self.encoder(self.resample(made), l2_norm=True) * voices[..., 0]).sum(1).mean()


class DecoderLoss:
    """The weighted sum of all distances."""

    def __init__(self, encoder: nn.Module, device: torch.device) -> None:
        from torchaudio.transforms import MelSpectrogram

        self.mel = MelSpectrogram(
            wav.OUTPUT_RATE_HZ, n_fft=1024, hop_length=256, n_mels=80, power=1, norm="slaney", mel_scale="slaney", f_max=11_000
        ).to(device)
        self.speaker_distance = SpeakerDistance(encoder, device)

    def __call__(
        self, made: torch.Tensor, wanted: torch.Tensor, voices: torch.Tensor, *, spectra: bool
    ) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """The sum and its parts: the waveform's, with `spectra` also theirs and the speaker's. [B, T] twice, [B, 512, 1]"""
        found = {"wave": wave_distance(made, wanted)}
        total = WAVE_WEIGHT * found["wave"]
        if spectra:
            found["spectral"] = spectral_distance(made, wanted)
            found["mel"] = (self.log_mel(made) - self.log_mel(wanted)).abs().mean()
            found["speaker"] = self.speaker_distance(made, voices)
            total = total + found["spectral"] + MEL_WEIGHT * found["mel"] + SPEAKER_WEIGHT * found["speaker"]
        return total, {name: value.detach() for name, value in found.items()}

    def log_mel(self, wav: torch.Tensor) -> torch.Tensor:
        """[B, T] -> [B, 80, frames]"""
        return torch.log(self.mel(wav).clamp(min=1e-4))
