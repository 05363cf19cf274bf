"""The folder of a finished voice, and its model card."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch

from voz.data.consent import Consent
from voz.model import lora, stored, xtts
from voz.model.batches import Sample
from voz.pipeline import language
from voz.pipeline.files import copy, write_text
from voz.pipeline.language import later, tr

FILES = (*stored.WHOLE, "reference.wav", "README.md")
ADAPTER_FILES = (*stored.ADAPTED, "reference.wav", "README.md")


@dataclass(frozen=True)
class Reference:
    """A clip that might have become the reference: the loss when the GPT is conditioned on it, and what the voice speaks with it."""

    id: str
    loss: float
    cer: float
    similarity: float


@dataclass(frozen=True)
class Card:
    """The values in a model card. All of them follow from data and parameters: no date, no machine."""

    base: str  # folder of the base as given on the command line
    base_hash: str
    data_hash: str
    params: dict[str, object]
    consent: Consent
    epoch: int
    evaluations: list[dict[str, float]]  # of the base, then of each epoch: loss, cer, similarity
    stored_loss: float  # eval loss of the weights as they are stored
    references: list[Reference]  # the best first
    train_clips: int
    eval_clips: int


def write(folder: Path, base: Path, learned: dict[str, torch.Tensor] | lora.Adapter, reference: Sample, card: Card) -> None:
    """Fill an empty folder with a voice.

    Args:
        learned: the GPT, in the precision that it is stored in. Every other weight is the base's. Stock coqui-tts loads the folder
            (`Xtts.load_checkpoint(config, checkpoint_dir=folder)`). Or an adapter, which `stored` merges into the base.
    """
    if isinstance(learned, lora.Adapter):
        learned.write(folder / lora.FILE)
    else:
        state = {key: value for key, value in xtts.read_weights(base / "model.pth").items() if not key.startswith("gpt.")}
        stored.write(folder, state | {f"gpt.{key}": value for key, value in learned.items()})
    for name in stored.CONFIGURATION:
        copy(base / name, folder / name)
    copy(reference.path, folder / "reference.wav")
    _, widths = xtts.read_config(base)
    write_text(folder / "README.md", describe(card, reference, stock=widths.stock))


def write_whole(folder: Path, voice: stored.StoredModel, reference: Path, dtype: torch.dtype) -> None:
    """Fill an empty folder with a voice that stock coqui-tts loads, whatever the voice's own folder holds.

    Args:
        dtype: of the GPT, if an adapter is merged.
    """
    if voice.base is None:
        copy(voice.folder / "model.pth", folder / "model.pth")
    else:
        weights = {name: value.to(dtype) if name.startswith("gpt.") else value for name, value in voice.weights().items()}
        stored.write(folder, weights)
    for name in stored.CONFIGURATION:
        copy(voice.folder / name, folder / name)
    copy(reference, folder / "reference.wav")
    card = voice.folder / "README.md"
    if card.is_file():
        write_text(folder / "README.md", _whole_use(card.read_text(encoding="utf-8")))


def _whole_use(card: str) -> str:
    """The card of an adapter, in whatever language it was written, with the use of whole weights."""
    for name in language.LANGUAGES:
        with language.used(name):
            card = card.replace(tr(_USE_ADAPTER), _USE)
    return card


def describe(card: Card, reference: Sample, *, stock: bool) -> str:
    """The model card, in the format of model hubs and the current language; the keys of its head are the hubs' own."""
    use = tr(_USE_ADAPTER) if card.params["method"] == "lora" else _USE
    params = "\n".join(f"| {key} | {value} |" for key, value in card.params.items())
    return f"""---
language: es
license: {"other" if stock else "mit"}
license_name: {"coqui-public-model-license" if stock else "mit"}
base_model: {card.base}
pipeline_tag: text-to-speech
tags: [xtts, text-to-speech, voice-cloning, rioplatense]
---

# {tr("The voice of {name}", name=card.consent.speaker)}

{tr(_WHAT, base=card.base, name=card.consent.speaker)}

## {tr("Consent")}

- {tr("speaker")}: {card.consent.speaker}
- {tr("date")}: {card.consent.date}
- {tr("statement")}: {card.consent.statement}
- {tr("scope")}: {card.consent.scope}

{tr("Use outside that scope is not covered.")}

## {tr("Licence")}

{_licence(stock)}

## {tr("Training")}

| | |
|---|---|
| {tr("train / eval clips")} | {card.train_clips} / {card.eval_clips} |
| {tr("epoch, chosen on eval by {select}", select=card.params["select"])} | {card.epoch} |
| {tr("eval loss, this voice")} | {card.evaluations[card.epoch]["loss"]:.4f} |
| {tr("eval loss, this voice as stored in {dtype}", dtype=card.params["export_dtype"])} | {card.stored_loss:.4f} |
| {tr("eval loss, the base")} | {card.evaluations[0]["loss"]:.4f} |
| {tr("reference recording")} | {reference.id} |
| {tr("base, SHA-256")} | {card.base_hash} |
| {tr("data, SHA-256")} | {card.data_hash} |
{params}

{_choices(card)}

## {tr("Use")}

{use}{"" if stock else tr(_NARROW)}"""


def _choices(card: Card) -> str:
    """How the epoch and the reference recording were chosen."""
    chosen, base = f" ({tr('chosen')})", f" ({tr('base')})"
    epochs = "\n".join(
        f"| {number}{chosen if number == card.epoch else base if number == 0 else ''} | {_figures(row)} |"
        for number, row in enumerate(card.evaluations)
    )
    references = "\n".join(
        f"| {each.id}{chosen if index == 0 else ''} | {_figures(vars(each))} |" for index, each in enumerate(card.references)
    )
    return f"""### {tr("The epoch")}

{tr(_EPOCHS)}

| {tr("epoch")} | {tr("eval loss")} | CER | {tr("similarity")} |
|---|---|---|---|
{epochs}

### {tr("The reference recording")}

{tr(_REFERENCES)}

| {tr("candidate")} | {tr("eval loss")} | CER | {tr("similarity")} |
|---|---|---|---|
{references}"""


def _figures(row: Mapping[str, float]) -> str:
    return f"{row['loss']:.4f} | {row['cer']:.4f} | {row['similarity']:.4f}"


def _licence(stock: bool) -> str:
    if stock:
        return tr(
            "The base is XTTS_v2 under the Coqui Public Model License (CPML, https://coqui.ai/cpml): non-commercial use only.\n"
            "The licence covers this voice, which is derived from it, and what the voice speaks."
        )
    return tr("The base is this project's own pocket model, under the project's licence. The recordings are the speaker's.")


_WHAT = later("A synthetic voice: `{base}` fine-tuned on voice notes in Rioplatense Spanish. What it says was never said by {name}.")
_EPOCHS = later(
    "Eval lines spoken after each epoch: CER of Whisper's transcripts, and cosine similarity to the speaker by XTTS's own encoder."
)
_REFERENCES = later(
    "The same lines spoken by the chosen epoch with each candidate; of those within 0.05 of the lowest CER, the most similar was chosen."
)
_USE = """```python
from TTS.tts.configs.xtts_config import XttsConfig
from TTS.tts.models.xtts import Xtts

config = XttsConfig()
config.load_json("config.json")
model = Xtts.init_from_config(config)
model.load_checkpoint(config, checkpoint_dir=".")
spoken = model.synthesize("Bueno muchachos, gracias por la bancada.", speaker_wav="reference.wav", language="es")  # 24 kHz
```
"""

_USE_ADAPTER = later("""`adapter.pth` is a LoRA adapter: it needs the base above, which this project merges it into when it speaks
(`make speak`). `make export` writes a folder with whole weights, which coqui-tts loads.
""")

_NARROW = later("""
The base is narrower than XTTS_v2 (`widths` in `config.json`), which coqui-tts alone cannot build: load it with `voz.model.xtts.load_model`.
""")
