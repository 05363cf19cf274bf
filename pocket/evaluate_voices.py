"""The part of pocket/evaluate.py about voices: the base's own speakers, its zero-shot clone of the demo speaker, the fine-tuned voice.

All speak the same 240 sentences, which no training has; each holds three or more ⟨ll, y⟩. espeak-ng speaks them too, in the demo
speaker's voice, as a perfect clone would; and with [ʝ], which shows what the accent alone costs with each judge.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from pocket import line_figures
from pocket.corpus import speech
from pocket.corpus.manifest import Recording, read_manifest
from pocket.corpus.voices import DEMO_SPEAKER, YE
from voz.audio import wav
from voz.data import dataset
from voz.metrics import estimates, judges, measures
from voz.model import synthesis, xtts
from voz.model.generation import Sampling
from voz.model.transcriber import Transcriber
from voz.text import normalize, tokens

REFERENCE_S = (4.0, 8.0)  # length of the recording that stands for a base's speaker
SEED = 1
Pcms = list[np.ndarray]  # one per line, float32 at 22 050 Hz


def voices(corpus: Path, base: Path, voice: Path, data: Path, ears: dict[str, Path], settings: dict[str, Any]) -> dict[str, Any]:
    """Figures of the voices (own, cloned, fine_tuned, espeak, espeak_ye) and of the demo speaker's real clips.

    Args:
        ears: Whisper checkpoints by the name of the error rate that each counts.
    """
    rows = read_manifest(corpus, role="gpt", split="test")
    texts = [row.text for row in rows]
    sampling = Sampling(**{name: settings[name] for name in ("temperature", "top_p", "top_k", "repetition_penalty")})
    model = xtts.load_model(base)
    reference = wav.read(voice / "reference.wav")
    spoken = {
        "own": own_speakers(model, corpus, rows, sampling),
        "cloned": say(model, reference, texts, sampling, "base, cloning"),
        "fine_tuned": say(xtts.load_model(voice), reference, texts, sampling, "fine-tuned"),
        "espeak": [speech.speak(line, DEMO_SPEAKER) for line in texts],
        "espeak_ye": [speech.speak(line, replace(DEMO_SPEAKER, accent=YE)) for line in texts],
    }
    report: dict[str, Any] = {name: line_figures.sounds(texts, pcms) for name, pcms in spoken.items()}
    for figure, checkpoint in ears.items():
        heard_by = Transcriber(checkpoint, torch.device("cpu"))
        for name, pcms in spoken.items():
            report[name][figure] = line_figures.mean_cer(heard_by, texts, pcms, label=f"{figure}, {name}")
    examples = dataset.read(data)
    real = [wav.read(dataset.wav(data, example)) for example in examples]
    report["demo_speaker"] = line_figures.sounds([example.text for example in examples], real)
    notes = [example.note for example in examples]
    report["similarity"] = similarity(lambda pcm: xtts.speaker_embedding(model, pcm), spoken, real, notes)
    report["similarity_resemblyzer"] = similarity(judges.embed, spoken, real, notes)
    clones = ("cloned", "fine_tuned")
    away = {name: [measures.mcd_db(*pair) for pair in zip(spoken[name], spoken["espeak"], strict=True)] for name in clones}
    report["mcd_db"] = compare(away)
    return {**report, "lines": len(texts)}


def own_speakers(model: xtts.Xtts, corpus: Path, rows: Sequence[Recording], sampling: Sampling) -> Pcms:
    """Each line by the speaker that the corpus gave it, conditioned on a recording of the train split."""
    train = read_manifest(corpus, role="gpt", split="train")
    spoken: dict[str, np.ndarray] = {}
    for voice in sorted({row.voice for row in rows}):
        mine = [row for row in rows if row.voice == voice]
        recording = next(row for row in train if row.voice == voice and REFERENCE_S[0] <= row.duration_s <= REFERENCE_S[1])
        pcms = say(model, wav.read(corpus / recording.path), [row.text for row in mine], sampling, voice)
        spoken |= {row.id: pcm for row, pcm in zip(mine, pcms, strict=True)}
    return [spoken[row.id] for row in rows]


def say(model: xtts.Xtts, reference: np.ndarray, texts: Sequence[str], sampling: Sampling, label: str) -> Pcms:
    """Lines in the voice of `reference`, [T] at 22 050 Hz, with the same seeds for every voice."""
    lines = synthesis.number([tokens.fit(normalize.normalize(line), model.tokenizer) for line in texts], seed=SEED)
    pcms = synthesis.speak(model, xtts.conditioning(model, reference), lines, sampling, label=label)
    return [wav.resample(pcm, wav.OUTPUT_RATE_HZ, wav.SAMPLE_RATE_HZ) for pcm in pcms]


def similarity(
    embedding_of: Callable[[np.ndarray], np.ndarray | None], spoken: dict[str, Pcms], real: Pcms, notes: Sequence[str]
) -> dict[str, Any]:
    """Mean cosine with the demo speaker's real clips; `real`: of those with the clips of other notes. A silent line has none: 0."""
    prints = {note: [each for each in map(embedding_of, of_note) if each is not None] for note, of_note in _by(notes, real).items()}
    all_prints = [each for of_note in prints.values() for each in of_note]

    def to_real(pcm: np.ndarray) -> float:
        found = embedding_of(pcm)
        return 0.0 if found is None else measures.similarity(found, all_prints)

    likeness = {name: [to_real(pcm) for pcm in spoken[name]] for name in ("cloned", "fine_tuned", "espeak")}
    others = {note: [each for other, of_other in prints.items() if other != note for each in of_other] for note in prints}
    of_real = [measures.similarity(mine, others[note]) for note, of_note in prints.items() if others[note] for mine in of_note]
    return {**compare(likeness), "real": round(float(np.mean(of_real)), 4)}


def _by(notes: Sequence[str], pcms: Pcms) -> dict[str, Pcms]:
    """Clips by their note."""
    found: dict[str, Pcms] = {}
    for note, pcm in zip(notes, pcms, strict=True):
        found.setdefault(note, []).append(pcm)
    return found


def compare(values: dict[str, list[float]]) -> dict[str, Any]:
    """Means, and fine-tuned less cloned line by line with its 95 % interval over the lines."""
    lines = [str(number) for number in range(len(values["cloned"]))]
    gains = [own - other for own, other in zip(values["fine_tuned"], values["cloned"], strict=True)]
    gain = estimates.interval(gains, lines, seed=SEED)
    means = {name: round(float(np.mean(each)), 4) for name, each in values.items()}
    return {**means, "gain": round(gain.mean, 4), "gain_low": round(gain.low or 0.0, 4), "gain_high": round(gain.high or 0.0, 4)}
