"""Judges that neither made nor chose the voice: models whose weights lie in their packages, kept in the cache like other measures.

XTTS's own speaker encoder conditions the voice and helps to choose its reference, so a similarity by that encoder alone is circular.
Resemblyzer (Apache-2.0) is a speaker encoder of other makers, trained on English speakers. DistillMOS (MIT, "Distillation and Pruning
for Scalable Self-Supervised Representation-Based Speech Quality Assessment", Stahl and Gamper, 2025) rates the quality of a signal:
noise, codecs, the sound of a vocoder. It does not rate whether the speech is natural, and knows nothing of the accent.

Both run on the CPU, so that a score does not depend on the device. All audio is float32 in [-1, 1] at 22 050 Hz.
"""

import functools
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch

from voz import compat
from voz.audio import wav
from voz.metrics import measures
from voz.pipeline import cache, cache_folders

with compat.webrtcvad_spared():
    import resemblyzer
    from resemblyzer import audio, hparams

import distillmos
from distillmos import sqa

EMBEDDING_VERSION = 1  # raise when `voice_embeddings` or `signal_quality` give another value for the same samples;
QUALITY_VERSION = 1  # tests/test_judges.py holds golden ones


def voice_embeddings(pcms: Sequence[np.ndarray], *, ids: Sequence[str], label: str) -> list[np.ndarray | None]:
    """Resemblyzer's speaker embedding of each recording, of unit length; None for silence. [T] each -> [256] each

    Args:
        ids: of the clip that each recording belongs to.
    """
    store = cache.Cache("voice_embeddings", EMBEDDING_VERSION, params={}, model=_package("Resemblyzer"))

    def work(item: tuple[str, np.ndarray], entry: Path) -> None:
        found = embed(item[1])
        cache_folders.save_array(entry, "embedding.npy", np.zeros(0, np.float32) if found is None else found)

    def load(entry: Path) -> np.ndarray | None:
        found = np.load(entry / "embedding.npy")
        return found if len(found) else None

    return store.map(_items(ids, pcms), key=_key_in(store), work=work, load=load, label=label, unit="line")


def signal_quality(pcms: Sequence[np.ndarray], *, ids: Sequence[str], label: str) -> list[float | None]:
    """DistillMOS's mean opinion score of each recording, 1 (bad) to 5 (excellent); None for silence. See `voice_embeddings`."""
    store = cache.Cache("signal_quality", QUALITY_VERSION, params={}, model=f"{_package('distillmos')}, {_package('xls-r-sqa')}")

    def work(item: tuple[str, np.ndarray], entry: Path) -> None:
        cache_folders.save_json(entry, "quality.json", {"mos": rate(item[1])})

    def load(entry: Path) -> float | None:
        mos: float | None = cache_folders.load_json(entry, "quality.json")["mos"]
        return mos

    return store.map(_items(ids, pcms), key=_key_in(store), work=work, load=load, label=label, unit="line")


def embed(pcm: np.ndarray) -> np.ndarray | None:
    """See `voice_embeddings`. Unlike in Resemblyzer's own preparation, only the silence at both ends is cut (no webrtcvad), and loud
    speech is brought to the same level as quiet speech: the encoder hears the level, and voices must not win by it.
    """
    spoken = measures.without_ends(pcm)
    if not np.any(spoken):
        return None
    heard = wav.resample(spoken, wav.SAMPLE_RATE_HZ, hparams.sampling_rate)
    level = audio.normalize_volume(heard, hparams.audio_norm_target_dBFS)
    found: np.ndarray = _encoder().embed_utterance(level.astype(np.float32))
    return found if np.isfinite(found).all() else None  # its last layer may be zero throughout


@torch.inference_mode()
def rate(pcm: np.ndarray) -> float | None:
    """See `signal_quality`."""
    if not np.any(pcm):
        return None
    return float(_rater()(torch.from_numpy(wav.resample(pcm, wav.SAMPLE_RATE_HZ, wav.ASR_RATE_HZ))[None])[0])


class _Encoder(resemblyzer.VoiceEncoder):
    """Resemblyzer's encoder. Its own constructor reads the weights with whatever `torch.load` allows, and picks a device."""

    def __init__(self) -> None:
        torch.nn.Module.__init__(self)
        self.device = torch.device("cpu")
        self.lstm = torch.nn.LSTM(hparams.mel_n_channels, hparams.model_hidden_size, hparams.model_num_layers, batch_first=True)
        self.linear = torch.nn.Linear(hparams.model_hidden_size, hparams.model_embedding_size)
        self.relu = torch.nn.ReLU()
        weights = torch.load(Path(resemblyzer.__file__).with_name("pretrained.pt"), map_location="cpu", weights_only=True)["model_state"]
        self.load_state_dict({name: value for name, value in weights.items() if not name.startswith("similarity_")})  # of its training
        self.eval()


@functools.cache
def _encoder() -> _Encoder:
    return _Encoder()


@functools.cache
def _rater() -> torch.nn.Module:
    model = distillmos.ConvTransformerSQAModel(load_weights=False)  # its own loading prints a line
    model.load_state_dict(torch.load(sqa.DEFAULT_WEIGHTS_CHKPT, map_location="cpu", weights_only=True)["model"])
    return model.eval()


def _items(ids: Sequence[str], pcms: Sequence[np.ndarray]) -> list[tuple[str, np.ndarray]]:
    return list(zip(ids, pcms, strict=True))


def _key_in(store: cache.Cache) -> Callable[[tuple[str, np.ndarray]], cache.Key]:
    return lambda item: store.key(item[0], wav.hash_samples(item[1]))


def _package(name: str) -> str:
    """Name and version of the package that the weights come with."""
    return f"{name} {version(name)}"
