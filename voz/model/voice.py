"""The finished voice: its reference recording, its folder and its model card."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from voz.audio import wav
from voz.data.consent import Consent
from voz.model import batches, checkpoint, xtts
from voz.model.batches import Sample
from voz.model.gpt_trainer import Trainer
from voz.pipeline.files import write_text
from voz.pipeline.records import Example

FILES = ("model.pth", "config.json", "vocab.json", "reference.wav", "README.md")
REFERENCE_S = (6.0, 11.0)  # coqui advises 6 s and more; longer than a clip there is none
CANDIDATES = 6  # judged by the GPT; each costs a forward pass over the judging clips
JUDGES = 12  # eval clips that judge
SNR = "snr_db"  # the score of curate that a candidate is picked by


@dataclass(frozen=True)
class Card:
    """What the model card tells. Only values that follow from data and parameters: no date, no machine."""

    base: str  # folder of the base as it was given
    base_hash: str
    data_hash: str
    params: dict[str, object]
    consent: Consent
    epoch: int
    loss: float
    base_loss: float
    train_clips: int
    eval_clips: int


@torch.no_grad()
def choose_reference(trainer: Trainer, examples: Sequence[Example], train: Sequence[Sample], held_out: Sequence[Sample]) -> Sample:
    """The recording that makes the fine-tuned model expect what the speaker really said.

    Candidates are clips of the train split of 6 to 11 s (all, if none is), the cleaner half by signal-to-noise ratio, of
    which those are kept whose speaker embedding is nearest (cosine) to the mean of the eval clips': typical, not odd. Among
    them the GPT judges as it will be used: its mean loss over eval clips when it is conditioned on the candidate alone,
    with `voz.model.xtts.conditioning`'s own lengths. Least loss wins. Eval, not train: a candidate must serve sentences
    that the model has not learnt. Costs 6 x 12 forward passes.
    """
    trainer.learning(False)
    snr = {example.id: example.scores.get(SNR, 0.0) for example in examples}
    fitting = [s for s in train if REFERENCE_S[0] <= s.length / wav.SAMPLE_RATE_HZ <= REFERENCE_S[1]] or list(train)
    clean = sorted(fitting, key=lambda s: (-snr[s.id], s.id))[: max(CANDIDATES, (len(fitting) + 1) // 2)]
    judges = list(held_out)[:: -(-len(held_out) // JUDGES)]  # spread over the split, whatever its size
    typical = np.mean([_embedding(trainer, s) for s in judges], axis=0)
    typical /= np.linalg.norm(typical)
    near = sorted(clean, key=lambda s: (-round(float(_embedding(trainer, s) @ typical), 4), s.id))
    losses = {s.id: _loss_given(trainer, s, judges) for s in near[:CANDIDATES]}
    return min(near[:CANDIDATES], key=lambda s: (round(losses[s.id], 5), s.id))


def _embedding(trainer: Trainer, sample: Sample) -> np.ndarray:
    return xtts.speaker_embedding(trainer.xtts, batches.pcm(sample))


def _loss_given(trainer: Trainer, reference: Sample, judges: Sequence[Sample]) -> float:
    latents = xtts.conditioning(trainer.xtts, batches.pcm(reference)).latents
    return sum(trainer.loss_given(sample, latents) for sample in judges) / len(judges)


def export(folder: Path, base: Path, gpt: dict[str, torch.Tensor], reference: Sample, card: Card) -> None:
    """Fill an empty folder with a voice that stock coqui-tts loads (`Xtts.load_checkpoint(config, checkpoint_dir=folder)`).

    The GPT is written in float32: an update of lr 5e-6 is below half precision's resolution. Every other weight is the
    base's own, in the base's own precision.
    """
    state = {key: value for key, value in xtts.read_weights(base / "model.pth").items() if not key.startswith("gpt.")}
    state |= {f"gpt.{key}": value.float() if value.is_floating_point() else value for key, value in gpt.items()}
    checkpoint.write(folder / "model.pth", {"model": {key: state[key] for key in sorted(state)}})
    for name in ("config.json", "vocab.json"):
        shutil.copyfile(base / name, folder / name)
    shutil.copyfile(reference.path, folder / "reference.wav")
    _, widths = xtts.read_config(base)
    write_text(folder / "README.md", describe(card, reference, stock=widths.stock))


def describe(card: Card, reference: Sample, *, stock: bool) -> str:
    """The model card, in the form that model hubs read."""
    params = "\n".join(f"| {key} | {value} |" for key, value in card.params.items())
    return f"""---
language: es
license: {"other" if stock else "mit"}
license_name: {"coqui-public-model-license" if stock else "mit"}
base_model: {card.base}
pipeline_tag: text-to-speech
tags: [xtts, text-to-speech, voice-cloning, rioplatense]
---

# The voice of {card.consent.speaker}

A synthetic voice: `{card.base}` fine-tuned on voice notes in Rioplatense Spanish. What it says was never said by {card.consent.speaker}.

## Consent

- speaker: {card.consent.speaker}
- date: {card.consent.date}
- statement: {card.consent.statement}
- scope: {card.consent.scope}

Use outside that scope is not covered.

## Licence

{_licence(stock)}

## Training

| | |
|---|---|
| train / eval clips | {card.train_clips} / {card.eval_clips} |
| best epoch, chosen on eval | {card.epoch} |
| eval loss, this voice | {card.loss:.4f} |
| eval loss, the base | {card.base_loss:.4f} |
| reference recording | {reference.id} |
| base, SHA-256 | {card.base_hash} |
| data, SHA-256 | {card.data_hash} |
{params}

## Use

```python
from TTS.tts.configs.xtts_config import XttsConfig
from TTS.tts.models.xtts import Xtts

config = XttsConfig()
config.load_json("config.json")
model = Xtts.init_from_config(config)
model.load_checkpoint(config, checkpoint_dir=".")
spoken = model.synthesize("Bueno muchachos, gracias por la bancada.", speaker_wav="reference.wav", language="es")  # 24 kHz
```
{"" if stock else _NARROW}"""


def _licence(stock: bool) -> str:
    if stock:
        return (
            "The base is XTTS_v2 under the Coqui Public Model License (CPML, https://coqui.ai/cpml): non-commercial use only.\n"
            "The licence covers this voice, which is derived from it, and what the voice speaks."
        )
    return "The base is this project's own pocket model, under the project's licence. The recordings are the speaker's."


_NARROW = """
The base is narrower than XTTS_v2 (`widths` in `config.json`), which coqui-tts alone cannot build: load it with `voz.model.xtts.load_model`.
"""
