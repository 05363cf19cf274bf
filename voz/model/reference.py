"""Which clip becomes the reference recording of a voice."""

from collections.abc import Sequence

import numpy as np
import torch

from voz.audio import wav
from voz.model import batches, clip_features, gpt_trainer, xtts
from voz.model.batches import Sample
from voz.pipeline.records import Example

LENGTH_S = (6.0, 11.0)  # coqui advises 6 s and more; clips are not longer than 11.6 s
CANDIDATES = 6  # that are compared by loss: each costs a forward pass per eval clip
EVAL_CLIPS = 12  # over which the losses are averaged
SNR = "snr_db"  # the score of curate that prefers clean clips


def choose(model: xtts.Xtts, base_hash: str, examples: Sequence[Example], train: Sequence[Sample], held_out: Sequence[Sample]) -> Sample:
    """The clip on which the fine-tuned GPT, in eval mode, predicts the eval clips best.

    From the train clips of 6 to 11 s (from all, if none is), the half with the higher signal-to-noise ratio; of those, the
    `CANDIDATES` whose speaker embeddings are nearest (cosine) to the mean embedding of the eval clips: typical ones. Among them the
    least mean loss over eval clips decides, conditioned as in synthesis. Eval clips, not train clips: the reference must serve
    sentences that the model has not learnt.

    Args:
        base_hash: of the base that the model was trained from, whose speaker encoder it has.
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
    losses = {s.id: round(_mean_loss(model, s, spread), 5) for s in candidates}
    return min(candidates, key=lambda s: (losses[s.id], s.id))


@torch.no_grad()
def _mean_loss(model: xtts.Xtts, candidate: Sample, samples: Sequence[Sample]) -> float:
    """Mean loss of clips when the GPT is conditioned on the candidate, in nats per code."""
    latents = xtts.conditioning(model, batches.pcm(candidate)).latents
    return sum(gpt_trainer.code_loss(model, sample, latents) for sample in samples) / len(samples)
