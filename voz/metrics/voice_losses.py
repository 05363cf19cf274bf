"""The loss of a voice on clips: how well its model predicts the codes of the recordings; kept in the cache."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

from voz.metrics.line_scores import Figures
from voz.model import gpt_loss
from voz.model.batches import Sample
from voz.model.voice import Voice
from voz.pipeline import cache, cache_folders

STEP_VERSION = 1  # raise when the same clip and weights give another loss; tests/test_evaluate.py holds a golden one


def clip_losses(voice: Voice, samples: Sequence[Sample], *, label: str) -> list[Figures]:
    """The loss of a voice on each clip, conditioned on its reference recording."""
    store = cache.Cache("losses", STEP_VERSION, params={}, model=voice.model_hash)

    def key(sample: Sample) -> cache.Key:
        content = json.dumps([sample.tokens.tolist(), sample.codes.tolist(), sample.length])
        return store.key(sample.id, hashlib.sha256(content.encode()).hexdigest(), voice.reference_hash)

    def work(sample: Sample, entry: Path) -> None:
        loss = gpt_loss.of_clip(voice.model.gpt, sample, voice.conditioning.latents)
        cache_folders.save_json(entry, "loss.json", {"loss": loss})

    def load(entry: Path) -> Figures:
        return dict(cache_folders.load_json(entry, "loss.json"))

    return store.map(samples, key=key, work=work, load=load, label=label, unit="clip")
