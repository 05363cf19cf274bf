"""Which clip becomes the reference recording of a voice."""

from collections.abc import Sequence

import numpy as np
import torch

from voz.audio import wav
from voz.model import batches, clip_features, gpt_trainer, xtts
from voz.model.batches import Sample
from voz.pipeline import cache
from voz.pipeline.records import Example

STEP_VERSION = 1  # raise when the same weights and clips give other losses
LENGTH_S = (6.0, 11.0)  # coqui advises 6 s and more; clips are not longer than 11.6 s
CANDIDATES = 6  # that are compared by loss: each costs a forward pass per eval clip
EVAL_CLIPS = 12  # over which the losses are averaged
SNR = "snr_db"  # the score of curate that prefers clean clips


def choose(
    model: xtts.Xtts, base_hash: str, trained: str, examples: Sequence[Example], train: Sequence[Sample], held_out: Sequence[Sample]
) -> Sample:
    """The clip on which the fine-tuned GPT, in eval mode, predicts the eval clips best.

    From the train clips of 6 to 11 s (from all, if none is), the half with the higher signal-to-noise ratio; of those, the
    `CANDIDATES` whose speaker embeddings are nearest (cosine) to the mean embedding of the eval clips: typical ones. Among them the
    least mean loss over eval clips decides, conditioned as in synthesis. Eval clips, not train clips: the reference must serve
    sentences that the model has not learnt.

    Args:
        base_hash: of the base that the model was trained from, whose speaker encoder it has.
        trained: the training that gave the model its weights, by its key in the cache.
    """

    def embeddings(samples: Sequence[Sample]) -> list[np.ndarray]:
        return clip_features.speaker_embeddings(samples, lambda: model, base_hash)

    snr_db = {example.id: example.scores.get(SNR, 0.0) for example in examples}
    fitting = [s for s in train if LENGTH_S[0] <= s.length / wav.SAMPLE_RATE_HZ <= LENGTH_S[1]] or list(train)
    clean = sorted(fitting, key=lambda s: (-snr_db[s.id], s.id))[: max(CANDIDATES, (len(fitting) + 1) // 2)]
    spread = list(held_out)[:: -(-len(held_out) // EVAL_CLIPS)]  # over the whole split
    typical = np.mean(embeddings(spread), axis=0)
    typical /= np.linalg.norm(typical)
    nearness = {s.id: round(float(embedding @ typical), 4) for s, embedding in zip(clean, embeddings(clean), strict=True)}
    candidates = sorted(clean, key=lambda s: (-nearness[s.id], s.id))[:CANDIDATES]
    losses = dict(zip((s.id for s in candidates), _losses(model, trained, candidates, spread), strict=True))
    return min(candidates, key=lambda s: (losses[s.id], s.id))


def _losses(model: xtts.Xtts, trained: str, candidates: Sequence[Sample], samples: Sequence[Sample]) -> list[float]:
    """The mean loss of the eval clips for each candidate, from the cache where this training was judged on them before."""
    store = cache.Cache("reference", STEP_VERSION, params={}, model=trained)
    judged_on = [part for sample in samples for part in (sample.id, sample.sha256)]
    return store.map(
        candidates,
        key=lambda s: store.key(s.id, s.sha256, *judged_on),
        work=lambda s, entry: cache.save_json(entry, "loss.json", {"loss": round(_mean_loss(model, s, samples), 5)}),
        load=lambda entry: float(cache.load_json(entry, "loss.json")["loss"]),
        label="reference",
        unit="clip",
    )


@torch.no_grad()
def _mean_loss(model: xtts.Xtts, candidate: Sample, samples: Sequence[Sample]) -> float:
    """Mean loss of clips when the GPT is conditioned on the candidate, in nats per code."""
    latents = xtts.conditioning(model, batches.pcm(candidate)).latents
    return sum(gpt_trainer.code_loss(model, sample, latents) for sample in samples) / len(samples)
