"""Which clip becomes the reference recording of a voice: of those with which the eval lines are clear, the one most like the speaker."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from voz.audio import wav
from voz.metrics import eval_lines
from voz.metrics.eval_lines import EvalLines
from voz.model import batches, clip_features, gpt_loss, xtts
from voz.model.batches import Sample
from voz.model.history import Scores
from voz.pipeline import cache, cache_folders
from voz.pipeline.language import tr
from voz.pipeline.records import Example

STEP_VERSION = 3  # raise when the same weights and clips give other losses or samples
LENGTH_S = (6.0, 11.0)  # coqui advises 6 s and more; clips are not longer than 11.6 s
TYPICAL = 6  # clips that are compared by loss: each costs a forward pass per eval clip
CANDIDATES = 4  # of them that the voice speaks with: each costs the eval lines
SAME_CER = 0.05  # candidates that are so near to the lowest CER are equal: on a few lines chance moves it by more (benchmarks/README.md)
SNR = "snr_db"  # the score of curate that prefers clean clips


@dataclass(frozen=True)
class Candidate:
    """A clip that may become the reference.

    loss: mean over eval clips when the GPT is conditioned on it, in nats per code.
    scores: of the eval lines as they are spoken with it.
    """

    sample: Sample
    loss: float
    scores: Scores


def typical(
    examples: Sequence[Example], train: Sequence[Sample], model: xtts.Xtts, base_hash: str, speaker: np.ndarray, *, count: int = TYPICAL
) -> list[Sample]:
    """Clean clips that sound like the speaker, the most typical first. They do not depend on the training.

    From the train clips of 6 to 11 s (from all, if none is), the half with the higher signal-to-noise ratio; of those, the ones whose
    speaker embeddings are nearest (cosine) to the speaker's.

    Args:
        speaker: see `EvalLines`.
    """
    snr_db = {example.id: example.scores.get(SNR, 0.0) for example in examples}
    fitting = [s for s in train if LENGTH_S[0] <= s.length / wav.SAMPLE_RATE_HZ <= LENGTH_S[1]] or list(train)
    clean = sorted(fitting, key=lambda s: (-snr_db[s.id], s.id))[: max(count, (len(fitting) + 1) // 2)]
    embeddings = clip_features.speaker_embeddings(clean, lambda: model, base_hash)
    nearness = {s.id: round(float(embedding @ speaker), 4) for s, embedding in zip(clean, embeddings, strict=True)}
    return sorted(clean, key=lambda s: (-nearness[s.id], s.id))[:count]


def choose(model: xtts.Xtts, trained: str, clips: Sequence[Sample], held_out: Sequence[Sample], lines: EvalLines) -> list[Candidate]:
    """The candidates, the best first: those of low CER (see `ranked`) before the others, by similarity, then by loss.

    The `CANDIDATES` among `clips` on which the GPT, in eval mode, predicts the eval clips best. Eval clips and lines, not train
    clips: the reference must serve sentences that the model has not learnt. They are of other notes than any candidate.

    Args:
        model: with the weights of the chosen epoch.
        trained: the training that gave the model its weights, by its key in the cache.
        clips: see `typical`.
    """
    losses = dict(zip((s.id for s in clips), _losses(model, trained, clips, eval_lines.spread(held_out)), strict=True))
    samples = sorted(clips, key=lambda s: (losses[s.id], s.id))[:CANDIDATES]
    scores = [lines.scores(pcms, model) for pcms in _spoken(model, trained, samples, lines)]
    candidates = [Candidate(sample, losses[sample.id], each) for sample, each in zip(samples, scores, strict=True)]
    return ranked(candidates)


def ranked(candidates: Sequence[Candidate]) -> list[Candidate]:
    """The best first: whatever is within `SAME_CER` of the lowest CER, the most similar first; then the rest, likewise."""
    limit = min(each.scores.cer for each in candidates) + SAME_CER
    return sorted(candidates, key=lambda c: (c.scores.cer > limit, -c.scores.similarity, c.loss, c.sample.id))


def _losses(model: xtts.Xtts, trained: str, clips: Sequence[Sample], samples: Sequence[Sample]) -> list[float]:
    """The mean loss of the eval clips for each clip, from the cache where this training was judged on them before."""
    store = cache.Cache("reference", STEP_VERSION, params={}, model=trained)
    judged_on = [part for sample in samples for part in (sample.id, sample.sha256)]
    return store.map(
        clips,
        key=lambda s: store.key(s.id, s.sha256, *judged_on),
        work=lambda s, entry: cache_folders.save_json(entry, "loss.json", {"loss": round(_mean_loss(model, s, samples), 5)}),
        load=lambda entry: float(cache_folders.load_json(entry, "loss.json")["loss"]),
        label="reference",
        unit="clip",
    )


@torch.no_grad()
def _mean_loss(model: xtts.Xtts, clip: Sample, samples: Sequence[Sample]) -> float:
    """Mean loss of clips when the GPT is conditioned on `clip`, in nats per code."""
    latents = xtts.conditioning(model, batches.pcm(clip)).latents
    return sum(gpt_loss.of_clip(model.gpt, sample, latents) for sample in samples) / len(samples)


def _spoken(model: xtts.Xtts, trained: str, samples: Sequence[Sample], lines: EvalLines) -> list[list[np.ndarray]]:
    """The eval lines as the model speaks them with each clip, from the cache where this training spoke them before."""
    store = cache.Cache("reference_lines", STEP_VERSION, params={}, model=trained)
    names = [f"{index}.npy" for index in range(len(lines.lines))]

    def work(sample: Sample, entry: Path) -> None:
        for name, pcm in zip(names, lines.speak(model, sample, label=tr("with {clip}", clip=sample.id)), strict=True):
            cache_folders.save_array(entry, name, pcm)

    return store.map(
        samples,
        key=lambda s: store.key(s.id, s.sha256, *(line.id for line in lines.lines)),
        work=work,
        load=lambda entry: [np.load(entry / name) for name in names],
        label="reference, spoken",
        unit="clip",
    )
