"""Perth's watermark: a mark in the sound of synthetic speech that the ear misses, and that a file can be asked for.

Resemble AI's Perth (MIT; its weights come in the wheel) changes the magnitudes below 2 kHz. Only what it adds is taken, and added to
the samples as they are: its own round trip through 32 kHz would cut off the highest frequencies and return another length.
Speech is marked and read in blocks, so a long recording needs no more memory than a short one. In what is hardly speech (noise,
humming) the detector does not find the mark again.
"""

import functools
import hashlib
import pickle
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib import resources
from typing import Any, Literal

import numpy as np
import torch
import yaml

from voz import compat
from voz.audio import wav
from voz.pipeline.command import UserError

Kind = Literal["perth", "none"]  # `synthesize.watermark` in params.yaml

THRESHOLD = 0.5  # a block with a higher confidence carries the mark (benchmarks/README.md, `bench_watermark`)
RATE_HZ = 32_000  # of Perth's network
BLOCK_S = 5.0  # of speech that is read for the mark at a time
MARK_BLOCK_S = 20.0  # of speech that is marked at a time
STREAM_BLOCK_S = 0.5  # of speech that is marked at a time while it is made
CONTEXT_S = 0.5  # on both sides of it: the network sees 0.15 s, the spectrum's window is 0.064 s long
_LOADING_FAULTS = (  # AssertionError: torch was built without the device
    *(ImportError, OSError, KeyError, TypeError, ValueError, RuntimeError, AssertionError),
    *(yaml.YAMLError, pickle.UnpicklingError),
)
_TAIL = 2048  # zeros after the samples: one window, so that the last ones lie within a frame
_WEIGHTS = "perth_net_250000.pth.tar"
_WEIGHTS_SHA256 = "a15bce457ebc53ce5e6c9c3f11df78cf7ee2bf9cdab0a798902135b4c4027670"  # of Perth 1.0.1


@dataclass(frozen=True)
class Block:
    """A stretch of a recording, and the detector's confidence that it carries the mark: about 0 or about 1."""

    start_s: float
    end_s: float
    confidence: float

    @property
    def marked(self) -> bool:
        """Whether the stretch carries the mark."""
        return self.confidence > THRESHOLD


def marker(kind: Kind, device: torch.device) -> "Watermark | None":
    """What marks speech; None for "none". Call it before the work: speech that was to be marked must not come out unmarked.

    Raises:
        UserError: Perth cannot be loaded.
    """
    return None if kind == "none" else Watermark(device)


class Watermark:
    """Perth's network, which marks speech and recognises the mark.

    Raises:
        UserError: it cannot be loaded.
    """

    def __init__(self, device: torch.device | str = "cpu") -> None:
        try:
            self.net = _load_net().to(device)
        except _LOADING_FAULTS as error:
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise UserError(
                "the watermark cannot be loaded ({reason})",
                "reinstall resemble-perth (`rm .venv/.installed; make setup`), or set `synthesize.watermark: none` in params.yaml",
                reason=reason,
            ) from error

    def mark(self, pcm: np.ndarray, rate_hz: int) -> np.ndarray:
        """The same speech with the mark: same length, same bandwidth, clipped at full scale. float32 in [-1, 1] [T] -> [T]"""
        size, context = round(MARK_BLOCK_S * rate_hz), round(CONTEXT_S * rate_hz)
        marked = [np.zeros(0, np.float32)]
        for start in range(0, len(pcm), size):
            first, end = max(0, start - context), min(len(pcm), start + size)
            marked.append(self._marked(pcm[first : end + context], start - first, end - first, rate_hz))
        return np.concatenate(marked)

    def _marked(self, pcm: np.ndarray, start: int, end: int, rate_hz: int) -> np.ndarray:
        """The samples from `start` to `end`, marked. float32 [T] -> [end - start]"""
        return np.clip(pcm[start:end] + self._residual(pcm, rate_hz)[start:end], -1.0, 1.0, dtype=np.float32)

    def mark_stream(self, pieces: Iterable[np.ndarray], rate_hz: int) -> Iterator[np.ndarray]:
        """Mark speech while it is made. A sample is yielded when the `CONTEXT_S` after it have come, or at the end.

        The samples differ by at most 1e-4 from those of `mark`. float32 [T] each -> [T] each
        """
        size, context = round(STREAM_BLOCK_S * rate_hz), round(CONTEXT_S * rate_hz)
        waiting, before = np.zeros(0, np.float32), 0  # `before` of the samples are marked already
        for piece in pieces:
            waiting = np.concatenate([waiting, piece])
            while len(waiting) >= before + size + context:
                yield self._marked(waiting[: before + size + context], before, before + size, rate_hz)
                kept = min(context, before + size)
                waiting, before = waiting[before + size - kept :], kept
        if len(waiting) > before:
            yield self._marked(waiting, before, len(waiting), rate_hz)

    def blocks(self, pcm: np.ndarray, rate_hz: int) -> Iterator[Block]:
        """The recording in stretches of `BLOCK_S`; the last one has up to twice that. float32 [T]"""
        size = round(BLOCK_S * rate_hz)
        starts = range(0, max(1, len(pcm) - size + 1), size)
        for start in starts:
            end = len(pcm) if start == starts[-1] else start + size
            yield Block(start / rate_hz, end / rate_hz, self.confidence(pcm[start:end], rate_hz))

    def highest(self, pcm: np.ndarray, rate_hz: int) -> float:
        """The confidence of the block that carries the mark most surely. float32 [T]"""
        return max(block.confidence for block in self.blocks(pcm, rate_hz))

    @torch.inference_mode()
    def confidence(self, pcm: np.ndarray, rate_hz: int) -> float:
        """How sure the detector is that a recording carries the mark, 0 to 1; 0 for silence. float32 [T]"""
        magnitudes, _ = self._spectrum(pcm, rate_hz)
        (found,) = self.net.decoder(magnitudes[None])
        value = float(found)
        return min(1.0, max(0.0, value)) if np.isfinite(value) else 0.0  # silence: a mean over no frame

    @torch.inference_mode()
    def _residual(self, pcm: np.ndarray, rate_hz: int) -> np.ndarray:
        """What Perth adds to the samples. float32 [T] -> [T]"""
        magnitudes, phase = self._spectrum(pcm, rate_hz)
        marked, _ = self.net.encoder(magnitudes[None])
        to_signal = self.net.ap.magphase_to_signal
        added = (to_signal(marked[0], phase) - to_signal(magnitudes, phase)).cpu().numpy()
        return _to_length(wav.resample(added, RATE_HZ, rate_hz), len(pcm))

    def _spectrum(self, pcm: np.ndarray, rate_hz: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Log magnitudes and phases. float32 [T] -> [1025, N] each"""
        resampled = np.pad(wav.resample(np.asarray(pcm, np.float32), rate_hz, RATE_HZ), (0, _TAIL))
        magnitudes, phase = self.net.ap.signal_to_magphase(torch.from_numpy(resampled).to(self.net.device))
        return magnitudes, phase


def _to_length(pcm: np.ndarray, length: int) -> np.ndarray:
    """Cut, or filled up with zeros. [T] -> [length]"""
    return np.pad(pcm, (0, max(0, length - len(pcm))))[:length]


@functools.cache
def _load_net() -> Any:
    """Perth's network in eval mode. Perth's own loader unpickles, prints, and makes folders among the installed packages."""
    with compat.pkg_resources_lent():
        from perth.perth_net.perth_net_implicit.config import PerthConfig
        from perth.perth_net.perth_net_implicit.model.perth_net import PerthNet
    folder = resources.files("perth") / "perth_net" / "pretrained" / "implicit"
    weights = folder / _WEIGHTS
    with weights.open("rb") as file:
        if hashlib.file_digest(file, "sha256").hexdigest() != _WEIGHTS_SHA256:  # type: ignore[arg-type]
            raise ValueError(f"{_WEIGHTS} is damaged, or of another version")
        file.seek(0)
        checkpoint = torch.load(file, map_location="cpu", weights_only=True)
    net = PerthNet(PerthConfig(**yaml.safe_load((folder / "hparams.yaml").read_text(encoding="utf-8"))))
    net.load_state_dict(checkpoint["model"])
    return net.eval()
