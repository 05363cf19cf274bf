"""Where somebody speaks in a wav: silero-vad on a 16 kHz copy, together with the energy.

Read and resampled block by block: a 3 h note costs a few megabytes.
"""

import functools
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soxr

from voz import compat
from voz.audio import wav
from voz.audio.level import decibel, frames_db, quiet_db
from voz.audio.wav import ASR_RATE_HZ, SAMPLE_RATE_HZ

with compat.torch_threads_kept():
    import silero_vad
    import torch

HOP = 147  # samples at 22 050 Hz; three make the 20 ms in which a boundary is measured
HOP_S = HOP / SAMPLE_RATE_HZ  # 6.67 ms
VAD_FRAME = 512  # samples at 16 kHz that silero takes at a time: 32 ms
_BATCH = 128  # frames through silero's network at once: 4 s
_VAD_CONTEXT = 64  # samples of the frame before that it hears with each

ON, OFF = 0.5, 0.35  # silero's own thresholds: speech begins at ON and lasts until the probability is below OFF
BRIDGE_S = 0.1  # shorter dips are closures (p, t, k), not pauses
EDGE_S = 0.25  # how far a fricative may go on outside of what silero calls speech
EDGE_OVER_NOISE_DB, EDGE_UNDER_SPEECH_DB = 9.0, 32.0  # ... while it is this much over the noise, and not this far under the voice

_BLOCK = HOP * 4096  # about 27 s


@dataclass(frozen=True)
class NoteAnalysis:
    """A note on a grid of hops of 147 samples.

    energy: mean square of each hop. [N]
    probability: silero's probability of speech. [N]
    mask: True where speech is. [N]
    noise_db: RMS of the quietest tenth of the 20 ms frames, dB below full scale.
    samples: length of the note.
    """

    energy: np.ndarray
    probability: np.ndarray
    mask: np.ndarray
    noise_db: float
    samples: int


def analyse(path: Path) -> NoteAnalysis:
    """Measure a mono wav of 22 050 Hz. The same bytes give the same result."""
    silero = _Silero()
    to_16k = soxr.ResampleStream(SAMPLE_RATE_HZ, ASR_RATE_HZ, 1, dtype="float32", quality="HQ")
    energies, probabilities, rest, samples = [], [], np.zeros(0, np.float32), 0
    with wav.opened(path) as sound:
        while len(block := sound.read(_BLOCK, dtype="float32")):
            samples += len(block)
            padded = np.pad(block, (0, -len(block) % HOP)).astype(np.float64)
            energies.append((padded.reshape(-1, HOP) ** 2).mean(axis=1))
            rest = np.concatenate([rest, to_16k.resample_chunk(block)])
            whole = len(rest) // VAD_FRAME * VAD_FRAME
            probabilities.append(silero.hear(rest[:whole]))
            rest = rest[whole:]
    rest = np.concatenate([rest, to_16k.resample_chunk(np.zeros(0, np.float32), last=True)])
    probabilities.append(silero.hear(np.pad(rest, (0, -len(rest) % VAD_FRAME))))
    energy = np.concatenate(energies) if energies else np.zeros(0)
    probability = _on_hops(np.concatenate(probabilities), len(energy))
    noise_db = quiet_db(energy)
    return NoteAnalysis(energy, probability, speech_mask(probability, energy, noise_db=noise_db), noise_db, samples)


def speech_mask(probability: np.ndarray, energy: np.ndarray, *, noise_db: float) -> np.ndarray:
    """Speech by silero with hysteresis; short dips bridged; edges widened over sound that silero cuts off. [N], [N] -> [N] bool"""
    mask = _fill(_hysteresis(probability), round(BRIDGE_S / HOP_S))
    if not mask.any():
        return mask
    level_db = decibel(float(energy[mask].mean()))
    loud = frames_db(energy) > max(noise_db + EDGE_OVER_NOISE_DB, level_db - EDGE_UNDER_SPEECH_DB)
    reach = round(EDGE_S / HOP_S)
    wide = mask.copy()
    for start, end in runs(mask):
        before, after = loud[max(0, start - reach) : start][::-1], loud[end : end + reach]
        wide[start - _lasting(before) : end + _lasting(after)] = True
    return wide


def runs(mask: np.ndarray) -> list[tuple[int, int]]:
    """The stretches `[start, end)` where `mask` is True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]]).astype(np.int8)))
    return [(int(start), int(end)) for start, end in edges.reshape(-1, 2)]


def _lasting(loud: np.ndarray) -> int:
    """How many of the first values are True without a break."""
    return int(np.argmin(loud)) if len(loud) and not loud.all() else len(loud)


def _hysteresis(probability: np.ndarray) -> np.ndarray:
    """True from where the probability reaches ON to where it falls below OFF."""
    state = np.where(probability >= ON, 1, np.where(probability < OFF, 0, -1))
    known = np.maximum.accumulate(np.where(state >= 0, np.arange(len(state)), -1))
    return np.where(known >= 0, state[known], 0).astype(bool)


def _fill(mask: np.ndarray, longest: int) -> np.ndarray:
    """Close the gaps between two stretches of speech that are shorter than `longest` hops."""
    filled = mask.copy()
    for start, end in runs(~mask):
        if start > 0 and end < len(mask) and end - start < longest:
            filled[start:end] = True
    return filled


def _on_hops(probabilities: np.ndarray, hops: int) -> np.ndarray:
    """The value of the 32 ms frame in which the middle of each hop lies. [F] -> [hops]"""
    if not len(probabilities):
        return np.zeros(hops)
    frame = ((np.arange(hops) + 0.5) * HOP_S * ASR_RATE_HZ / VAD_FRAME).astype(int)
    return probabilities[np.minimum(frame, len(probabilities) - 1)]


class _Silero:
    """Silero's 16 kHz model over one recording: its parts without memory on many frames at once, its LSTM along them.

    Its own `forward` takes a frame at a time, which is twenty times the work. The probabilities agree to 1e-5 (tests/test_vad.py).
    """

    def __init__(self) -> None:
        self.net, self.lstm = _model()
        self.context = np.zeros(_VAD_CONTEXT, np.float32)
        self.state: tuple[torch.Tensor, torch.Tensor] | None = None

    @torch.inference_mode()
    def hear(self, pcm: np.ndarray) -> np.ndarray:
        """The probability of speech in each 32 ms of the samples that follow. [F * 512] -> [F]"""
        found = [self._batch(pcm[start : start + _BATCH * VAD_FRAME]) for start in range(0, len(pcm), _BATCH * VAD_FRAME)]
        return np.concatenate([np.zeros(0, np.float32), *found])

    def _batch(self, pcm: np.ndarray) -> np.ndarray:
        """Always _BATCH frames through the network, zeros after the last: libraries keep plans for every shape they meet."""
        count = len(pcm) // VAD_FRAME
        heard = np.concatenate([self.context, pcm, np.zeros((_BATCH - count) * VAD_FRAME, np.float32)])
        self.context = pcm[-_VAD_CONTEXT:]
        frames = torch.from_numpy(heard).unfold(0, _VAD_CONTEXT + VAD_FRAME, VAD_FRAME)
        features = self.net.encoder(self.net.run_extractors(frames)).squeeze(-1)  # [_BATCH, 128]
        hidden, self.state = self.lstm(features[:count], self.state)
        hidden = torch.nn.functional.pad(hidden, (0, 0, 0, _BATCH - count))
        return self.net.decoder.decoder(hidden.unsqueeze(-1)).mean((1, 2))[:count].numpy()


@functools.cache
def _model() -> tuple[torch.jit.ScriptModule, torch.nn.LSTM]:
    """Silero, once per process: its 16 kHz network, and its LSTM cell as a layer.

    One thread: the frames are too small to share, and sums must not depend on the cores.
    """
    torch.set_num_threads(1)
    net = silero_vad.load_silero_vad()._model
    cell = net.decoder.rnn
    lstm = torch.nn.LSTM(cell.weight_ih.shape[1], cell.weight_hh.shape[1])
    lstm.load_state_dict({f"{name}_l0": weight for name, weight in cell.named_parameters()})
    return net, lstm
