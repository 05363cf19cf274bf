"""Eval lines that a model speaks, and what Whisper and the speaker encoder make of them: they choose the epoch and the reference.

Only figures of the pipeline's own models choose. The independent ones stay judges (stages/evaluate.py). The accent is shown, and
chooses nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from voz.audio import wav
from voz.data import dataset
from voz.metrics import espeak, measures
from voz.metrics.accent import palatals
from voz.model import batches, clip_features, synthesis, xtts
from voz.model.batches import Sample
from voz.model.generation import Sampling
from voz.model.history import Scores
from voz.model.transcriber import Transcriber
from voz.pipeline import cache, cache_folders
from voz.pipeline.language import later
from voz.pipeline.records import Example

STEP_VERSION = 3  # raise when the same weights are given other scores; tests/test_eval_lines.py holds golden ones
LINES = 4  # spread over the notes
PALATALS_VERSION = 1  # raise when the same line is given other palatals
TAKES = 2  # of each line, with other random numbers: 4 x 2 lines are one batch of the generation loop, whose cost is that of one line
EVAL_CLIPS = 12  # whose mean speaker embedding stands for the speaker
DIGITS = 4  # of scores that choose: further ones are noise


@dataclass(frozen=True)
class EvalLines:
    """The lines, and what they are compared with.

    examples: the clips whose texts are spoken.
    lines: their texts, each as often as it is spoken.
    speaker: mean speaker embedding of the eval clips, unit length. float32 [512]
    sampling: the settings of the base's `config.json`.
    base_hash: of the base that the model was trained from, whose speaker encoder it has.
    """

    examples: list[Example]
    lines: list[synthesis.Line]
    speaker: np.ndarray
    sampling: Sampling
    base_hash: str
    asr: Transcriber

    def once(self) -> "EvalLines":
        """The first take of each line."""
        return replace(self, lines=self.lines[:: self._takes])

    @property
    def wav_names(self) -> list[str]:
        """File name of each spoken line: the clip that its text belongs to, and the number of the take."""
        return [f"{self.examples[index // self._takes].id}-{index % self._takes + 1}.wav" for index in range(len(self.lines))]

    @property
    def _takes(self) -> int:
        return len(self.lines) // len(self.examples)

    def speak(self, model: xtts.Xtts, reference: Sample, *, label: str) -> list[np.ndarray]:
        """The lines by the present weights of a model. float32 in [-1, 1] at 24 000 Hz [T] each"""
        return synthesis.speak(model, xtts.conditioning(model, batches.pcm(reference)), self.lines, self.sampling, label=label)

    def scores(self, pcms: Sequence[np.ndarray], model: xtts.Xtts) -> Scores:
        """What was spoken, measured. `model` has the base's speaker encoder."""
        ids = [line.id for line in self.lines]
        transcripts = self.asr.texts(pcms, rate_hz=wav.OUTPUT_RATE_HZ, ids=ids, label="whisper, eval lines")
        cers = [measures.capped_cer(line.text, each) for line, each in zip(self.lines, transcripts, strict=True)]
        similarities = [measures.similarity(each, [self.speaker]) for each in self._embeddings(pcms, model)]
        return Scores(round(float(np.mean(cers)), DIGITS), round(float(np.mean(similarities)), DIGITS), tuple(transcripts))

    def _embeddings(self, pcms: Sequence[np.ndarray], model: xtts.Xtts) -> list[np.ndarray]:
        """The speaker embedding of each spoken line. float32 [512] each"""
        store = cache.Cache("line_embeddings", STEP_VERSION, params={}, model=self.base_hash)

        def work(item: tuple[str, np.ndarray], entry: Path) -> None:
            pcm = wav.resample(item[1], wav.OUTPUT_RATE_HZ, wav.SAMPLE_RATE_HZ)
            cache_folders.save_array(entry, "speaker_embedding.npy", xtts.speaker_embedding(model, pcm))

        return store.map(
            [(line.id, pcm) for line, pcm in zip(self.lines, pcms, strict=True)],
            key=lambda item: store.key(item[0], wav.hash_samples(item[1])),
            work=work,
            load=lambda entry: np.load(entry / "speaker_embedding.npy"),
            label="speaker embeddings",
            unit="line",
        )

    def sheismo(self, pcms: Sequence[np.ndarray]) -> float | None:
        """The share of the lines' ⟨ll, y⟩ that was spoken as [ʃ]; None where there is none, and without espeak-ng."""
        if not espeak.available():
            return None
        store = cache.Cache("line_palatals", PALATALS_VERSION, params={"espeak": espeak.version()}, model="")

        def work(item: tuple[synthesis.Line, np.ndarray], entry: Path) -> None:
            found = palatals.find_windows(item[0].text, wav.resample(item[1], wav.OUTPUT_RATE_HZ, wav.SAMPLE_RATE_HZ))
            cache_folders.save_json(entry, "palatals.json", {"sheismo": [window.sheismo for window in found]})

        found = store.map(
            list(zip(self.lines, pcms, strict=True)),
            key=lambda item: store.key(item[0].id, item[0].text, wav.hash_samples(item[1])),
            work=work,
            load=lambda entry: list(cache_folders.load_json(entry, "palatals.json")["sheismo"]),
            label=later("accent, eval lines"),
            unit="line",
        )
        spoken = [each for line in found for each in line]
        return round(float(np.mean(spoken)), DIGITS) if spoken else None


def choose(
    examples: Sequence[Example],
    held_out: Sequence[Sample],
    model: xtts.Xtts,
    base_hash: str,
    asr: Transcriber,
    *,
    seed: int,
    count: int = LINES,
) -> EvalLines:
    """Choose lines of a split; each is spoken `TAKES` times.

    Args:
        examples, held_out: the split.
        count: of the lines.
    """
    chosen = dataset.choose_lines(examples, count)
    lines = [synthesis.Line(text=each.normalized, seed=seed, id=each.id, occurrence=take) for each in chosen for take in range(TAKES)]
    config = model.config
    sampling = Sampling(
        temperature=config.temperature, top_p=config.top_p, top_k=config.top_k, repetition_penalty=float(config.repetition_penalty)
    )
    return EvalLines(chosen, lines, speaker_of(held_out, model, base_hash), sampling, base_hash, asr)


def speaker_of(held_out: Sequence[Sample], model: xtts.Xtts, base_hash: str) -> np.ndarray:
    """The mean speaker embedding of eval clips, spread over the split. Unit length, float32 [512]"""
    embeddings = clip_features.speaker_embeddings(spread(held_out), lambda: model, base_hash)
    mean = np.mean(embeddings, axis=0)
    return np.asarray(mean / np.linalg.norm(mean))


def spread(held_out: Sequence[Sample]) -> list[Sample]:
    """At most `EVAL_CLIPS` clips over the whole split."""
    return list(held_out)[:: -(-len(held_out) // EVAL_CLIPS)]
