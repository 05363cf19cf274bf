"""Where there is speech in a wav: silero-vad on a 16 kHz copy, combined with the energy.

The wav is read and resampled block by block, so a note of 3 h takes a few megabytes.
"""

import functools
from collections.abc import Iterator
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

HOP = 147  # samples at 22 050 Hz; a cut's level is measured over three of them (20 ms)
HOP_S = HOP / SAMPLE_RATE_HZ  # 6.67 ms
VAD_FRAME = 512  # samples at 16 kHz that silero classifies at a time: 32 ms
_VAD_CONTEXT = 64  # samples before each frame that are part of silero's input
_BATCH = 128  # frames in one call of silero's network: 4 s

ON, OFF = 0.5, 0.35  # silero's default thresholds: speech begins at a probability of ON and lasts until it is below OFF
BRIDGE_S = 0.1  # shorter gaps are closures (p, t, k), not pauses
EDGE_S = 0.25  # silero cuts fricatives off: an edge is extended by up to this ...
EDGE_OVER_NOISE_DB = 9.0  # ... while the sound is more than this over the noise floor
EDGE_UNDER_SPEECH_DB = 32.0  # ... and less than this under the speech level
QUIET_DB = 20.0  # a hop is quiet if its 20 ms are this much under the speech level ...
NOISE_DB, NOISE_PROBABILITY = 3.0, 0.3  # ... or within 3 dB of the noise floor, with silero's probability of speech under 0.3
PAUSE_S = 0.08  # a quiet stretch is a pause if silero's probability stays under OFF for this long; in a closure it stays high

_BLOCK = HOP * 4096  # samples read at a time, about 27 s


@dataclass(frozen=True)
class NoteAnalysis:
    """Energy and speech of a note, on a grid of hops of 147 samples.

    energy: mean square of each hop. float64 [N]
    probability: silero's probability of speech in each hop. float32 [N]
    mask: True where there is speech. bool [N]
    noise_db: noise floor, the RMS of the quietest tenth of the 20 ms frames, dB below full scale.
    samples: length of the note.
    """

    energy: np.ndarray
    probability: np.ndarray
    mask: np.ndarray
    noise_db: float
    samples: int


def analyse(path: Path) -> NoteAnalysis:
    """Analyse a mono wav of 22 050 Hz. The same bytes give the same result."""
    with wav.opened(path) as sound:
        return _analyse(sound.blocks(_BLOCK, dtype="float32"))


def analyse_pcm(pcm: np.ndarray) -> NoteAnalysis:
    """Analyse samples at 22 050 Hz. float32 [T]"""
    return _analyse(pcm[start : start + _BLOCK] for start in range(0, len(pcm), _BLOCK))


def _analyse(blocks: Iterator[np.ndarray]) -> NoteAnalysis:
    """Analyse a recording in blocks of `_BLOCK` samples, of which the last may be shorter. [T] each"""
    silero = _Silero()
    to_16k = soxr.ResampleStream(SAMPLE_RATE_HZ, ASR_RATE_HZ, 1, dtype="float32", quality="HQ")
    energies, probabilities, rest, samples = [], [], np.zeros(0, np.float32), 0
    for block in blocks:
        samples += len(block)
        padded = np.pad(block, (0, -len(block) % HOP)).astype(np.float64)
        energies.append((padded.reshape(-1, HOP) ** 2).mean(axis=1))
        rest = np.concatenate([rest, to_16k.resample_chunk(block)])
        whole = len(rest) // VAD_FRAME * VAD_FRAME
        probabilities.append(silero.probabilities(rest[:whole]))
        rest = rest[whole:]
    rest = np.concatenate([rest, to_16k.resample_chunk(np.zeros(0, np.float32), last=True)])
    probabilities.append(silero.probabilities(np.pad(rest, (0, -len(rest) % VAD_FRAME))))
    energy = np.concatenate(energies) if energies else np.zeros(0)
    probability = _on_hops(np.concatenate(probabilities), len(energy))
    noise_db = quiet_db(energy)
    return NoteAnalysis(energy, probability, speech_mask(probability, energy, noise_db=noise_db), noise_db, samples)


def speech_mask(probability: np.ndarray, energy: np.ndarray, *, noise_db: float) -> np.ndarray:
    """Speech by silero with hysteresis, short gaps closed, edges extended over sound that silero cuts off. [N], [N] -> bool [N]"""
    mask = _close_gaps(hysteresis(probability), round(BRIDGE_S / HOP_S))
    if not mask.any():
        return mask
    level_db = decibel(float(energy[mask].mean()))
    loud = frames_db(energy) > max(noise_db + EDGE_OVER_NOISE_DB, level_db - EDGE_UNDER_SPEECH_DB)
    reach = round(EDGE_S / HOP_S)
    extended = mask.copy()
    for start, end in runs(mask):
        before, after = loud[max(0, start - reach) : start][::-1], loud[end : end + reach]
        extended[start - _leading(before) : end + _leading(after)] = True
    return extended & ~pauses(probability, energy, speech_db=level_db, noise_db=noise_db)


def quiet(probability: np.ndarray, energy: np.ndarray, *, speech_db: float, noise_db: float) -> np.ndarray:
    """True where a hop is far quieter than the speech, or is noise that silero does not take for speech. [N], [N] -> bool [N]"""
    db = frames_db(energy)
    return np.asarray((db <= speech_db - QUIET_DB) | ((probability < NOISE_PROBABILITY) & (db <= noise_db + NOISE_DB)))


def pauses(probability: np.ndarray, energy: np.ndarray, *, speech_db: float, noise_db: float) -> np.ndarray:
    """True in the quiet stretches that silero confirms. [N], [N] -> bool [N]

    Silero bridges short pauses: in one of 150 to 250 ms its probability is low for 80 to 150 ms only. The closures of p, t and k
    are as quiet but keep a probability over 0.7 (real speakers of five languages, benchmarks/README.md, `bench_real`).
    """
    found = np.zeros(len(energy), bool)
    for start, end in runs(quiet(probability, energy, speech_db=speech_db, noise_db=noise_db)):
        lowest = runs(probability[start:end] < OFF)
        found[start:end] = max((last - first for first, last in lowest), default=0) >= round(PAUSE_S / HOP_S)
    return found


def runs(mask: np.ndarray) -> list[tuple[int, int]]:
    """The stretches `[start, end)` where a mask is True. bool [N]"""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]]).astype(np.int8)))
    return [(int(start), int(end)) for start, end in edges.reshape(-1, 2)]


def _leading(mask: np.ndarray) -> int:
    """Number of True values before the first False. bool [N]"""
    return int(np.argmin(mask)) if len(mask) and not mask.all() else len(mask)


def hysteresis(probability: np.ndarray) -> np.ndarray:
    """True from where the probability reaches ON to where it falls below OFF. [N] -> bool [N]"""
    state = np.where(probability >= ON, 1, np.where(probability < OFF, 0, -1))  # -1: as the hop before
    known = np.maximum.accumulate(np.where(state >= 0, np.arange(len(state)), -1))
    return np.where(known >= 0, state[known], 0).astype(bool)


def _close_gaps(mask: np.ndarray, shortest: int) -> np.ndarray:
    """Set the gaps of fewer than `shortest` hops between two stretches of speech to True. bool [N] -> bool [N]"""
    closed = mask.copy()
    for start, end in runs(~mask):
        if start > 0 and end < len(mask) and end - start < shortest:
            closed[start:end] = True
    return closed


def _on_hops(probabilities: np.ndarray, hops: int) -> np.ndarray:
    """For each hop, the probability of the 32 ms frame in which its middle lies. [F] -> [hops]"""
    if not len(probabilities):
        return np.zeros(hops)
    frame = ((np.arange(hops) + 0.5) * HOP_S * ASR_RATE_HZ / VAD_FRAME).astype(int)
    return probabilities[np.minimum(frame, len(probabilities) - 1)]


class _Silero:
    """Silero's 16 kHz model over one recording: the convolutions on many frames at once, the LSTM along them.

    Silero's own `forward` takes one frame at a time, which takes twenty times as long. The probabilities agree to 1e-5
    (tests/test_vad.py).
    """

    def __init__(self) -> None:
        self.net, self.lstm = _load_silero()
        self.context = np.zeros(_VAD_CONTEXT, np.float32)
        self.state: tuple[torch.Tensor, torch.Tensor] | None = None

    @torch.inference_mode()
    def probabilities(self, pcm: np.ndarray) -> np.ndarray:
        """The probability of speech in each 32 ms frame of the next samples of the recording. [F * 512] -> float32 [F]"""
        size = _BATCH * VAD_FRAME
        with compat.torch_threads_kept():
            torch.set_num_threads(1)  # the frames are too small to split, and the sums must not depend on the number of cores
            batches = [self._batch(pcm[start : start + size]) for start in range(0, len(pcm), size)]
        return np.concatenate([np.zeros(0, np.float32), *batches])

    def _batch(self, pcm: np.ndarray) -> np.ndarray:
        """At most _BATCH frames. Fewer are padded to _BATCH, because torch keeps an execution plan for every shape it meets."""
        count = len(pcm) // VAD_FRAME
        padded = np.concatenate([self.context, pcm, np.zeros((_BATCH - count) * VAD_FRAME, np.float32)])
        self.context = pcm[-_VAD_CONTEXT:]
        frames = torch.from_numpy(padded).unfold(0, _VAD_CONTEXT + VAD_FRAME, VAD_FRAME)  # [_BATCH, 576]
        features = self.net.encoder(self.net.run_extractors(frames)).squeeze(-1)  # [_BATCH, 128]
        hidden, self.state = self.lstm(features[:count], self.state)  # [count, 128]
        hidden = torch.nn.functional.pad(hidden, (0, 0, 0, _BATCH - count))
        return self.net.decoder.decoder(hidden.unsqueeze(-1)).mean((1, 2))[:count].numpy()


@functools.cache
def _load_silero() -> tuple[torch.jit.ScriptModule, torch.nn.LSTM]:
    """Silero's 16 kHz network, and its LSTM cell as a layer. Loaded once per process."""
    net = silero_vad.load_silero_vad()._model
    cell = net.decoder.rnn
    lstm = torch.nn.LSTM(cell.weight_ih.shape[1], cell.weight_hh.shape[1])
    lstm.load_state_dict({f"{name}_l0": weight for name, weight in cell.named_parameters()})
    return net, lstm
