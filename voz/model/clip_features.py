"""What the models compute of a clip: audio codes, conditioning latents, speaker embedding.

They come from the cache where a clip of the same bytes has passed through the same model before.
"""

import functools
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from voz.model import batches, checkpoint, dvae, xtts
from voz.model.batches import Sample
from voz.pipeline import cache

CODES_VERSION = 1  # raise one of these when the same clip gives other values; tests/test_clip_features.py holds golden ones
LATENTS_VERSION = 2
EMBEDDING_VERSION = 1


def with_codes(samples: Sequence[Sample], base: Path, dvae_hash: str, device: torch.device) -> list[Sample]:
    """The samples with the audio codes that the base's DVAE gives them. It is loaded only if a clip is new to the cache.

    Args:
        dvae_hash: of `dvae.FILES` of the base.
    """
    model = functools.cache(lambda: dvae.Dvae(base, device))
    store = cache.Cache("codes", CODES_VERSION, params={}, model=dvae_hash)
    codes = _of_each(samples, store, lambda pcm: model().encode(pcm), label="audio codes")
    return [replace(sample, codes=found) for sample, found in zip(samples, codes, strict=True)]


def with_latents(samples: Sequence[Sample], model: xtts.Xtts, base_hash: str) -> list[Sample]:
    """The samples with their conditioning latents, which only a frozen conditioning encoder in eval mode gives once and for all."""
    store = cache.Cache("latents", LATENTS_VERSION, params={}, model=base_hash)
    latents = _of_each(samples, store, lambda pcm: xtts.conditioning(model, pcm).latents[0].cpu(), label="latents")
    return [replace(sample, latents=found) for sample, found in zip(samples, latents, strict=True)]


def speaker_embeddings(samples: Sequence[Sample], model: Callable[[], xtts.Xtts], model_hash: str) -> list[np.ndarray]:
    """The speaker embedding of each sample's clip. `model` is called only if a clip is new to the cache. float32 [512] each"""
    store = cache.Cache("embeddings", EMBEDDING_VERSION, params={}, model=model_hash)
    found = _of_each(samples, store, lambda pcm: torch.from_numpy(xtts.speaker_embedding(model(), pcm)), label="speaker embeddings")
    return [embedding.numpy() for embedding in found]


def _of_each(
    samples: Sequence[Sample], store: cache.Cache, compute: Callable[[np.ndarray], torch.Tensor], *, label: str
) -> list[torch.Tensor]:
    """A tensor of each clip: from the cache, or computed of its samples, float32 [T]."""
    name = store.stage
    return store.map(
        samples,
        key=lambda sample: store.key(sample.sha256),
        work=lambda sample, entry: checkpoint.write(entry / f"{name}.pt", {name: compute(batches.pcm(sample))}),
        load=lambda entry: checkpoint.read(entry / f"{name}.pt")[name],
        label=label,
        unit="clip",
    )
