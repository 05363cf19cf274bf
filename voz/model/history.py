"""What a training has come to so far: its losses, what its eval lines sound like, and what follows from them."""

import math
from dataclasses import dataclass, field
from typing import Any

from voz.model.schedule import Schedule
from voz.pipeline.language import later, tr

LOST_WORDS = 0.1  # rise of the CER over two epochs that counts as lost words: by chance alone it moved by 0.08 (benchmarks/README.md)
SELECTED = {
    "loss": later("eval loss"),
    "cer": later("CER of the eval lines"),
    "similarity": later("similarity of the eval lines"),
}  # by train.select


@dataclass(frozen=True)
class Scores:
    """What was measured of the eval lines as the weights of one evaluation speak them; means over the lines.

    cer: character error rate of Whisper's transcripts.
    similarity: cosine of the speaker embedding with those of the eval recordings, by XTTS's own encoder.
    transcripts: Whisper's, a line each.
    sheismo: share of the lines' ⟨ll, y⟩ that are spoken as [ʃ]; None where no line has one, and without espeak-ng.
    """

    cer: float
    similarity: float
    transcripts: tuple[str, ...]
    sheismo: float | None = None


@dataclass
class History:
    """The losses of a training so far, in nats per token, and the scores of its eval lines.

    updates: (text, mel) of each update, in order; None for one that was skipped because its loss was not finite.
    clips: of each evaluation (0 = the base, then one per epoch): (text, mel, text targets, mel targets) of each eval clip, by id.
    scores: of each evaluation. Not part of what is saved: they follow from the spoken lines, which are.
    """

    updates: list[list[float] | None] = field(default_factory=list)
    clips: list[dict[str, list[float]]] = field(default_factory=list)
    scores: list[Scores] = field(default_factory=list)

    def saved(self) -> dict[str, Any]:
        """What a state holds of it; `History(**saved)` is the same without its scores."""
        return {"updates": self.updates, "clips": self.clips}

    def until(self, epoch: int, updates: int) -> "History":
        """The history as it was after an evaluation, and so many updates."""
        return History(self.updates[:updates], self.clips[: epoch + 1], self.scores[: epoch + 1])

    def eval_losses(self, schedule: Schedule) -> list[dict[str, float]]:
        """Mean losses over the tokens of the eval clips, a row per evaluation: `text`, `mel`, and `loss`, their weighted sum."""
        return [mean_losses(clips, schedule) for clips in self.clips]

    def best_epoch(self, schedule: Schedule) -> int:
        """The epoch (1, 2, ...) that is best by `schedule.select`; of equal ones that of less loss, of these the first."""
        losses = [row["loss"] for row in self.eval_losses(schedule)]

        def rank(epoch: int) -> tuple[float, float, int]:
            chosen_by = losses[epoch]
            if schedule.select == "cer":
                chosen_by = self.scores[epoch].cer
            elif schedule.select == "similarity":
                chosen_by = -self.scores[epoch].similarity
            return chosen_by, losses[epoch], epoch

        return min(range(1, len(losses)), key=rank)

    def skipped(self) -> int:
        """Number of updates whose loss was not finite."""
        return sum(update is None for update in self.updates)

    def overfitting(self, schedule: Schedule) -> list[str]:
        """A line for each sign of overfitting, where it shows first: the eval loss rises over two epochs, or words are lost over
        two epochs in which it falls."""
        losses, cers = [row["loss"] for row in self.eval_losses(schedule)], [each.cer for each in self.scores]
        found: dict[str, str] = {}
        for epoch in range(3, len(losses)):
            first, second, third = losses[epoch - 2 : epoch + 1]
            words = cers[epoch - 2 : epoch + 1]
            if first < second < third:
                found.setdefault(
                    "loss",
                    tr(
                        "overfitting since epoch {epoch}: the eval loss rises ({first:.3f} to {last:.3f}); "
                        "try fewer epochs (or train.patience: 2), a lower train.lr, or more notes",
                        epoch=epoch - 2,
                        first=first,
                        last=third,
                    ),
                )
            if words == sorted(set(words)) and words[2] - words[0] >= LOST_WORDS and first > second > third:
                found.setdefault(
                    "words",
                    tr(
                        "overfitting since epoch {epoch}: words are lost (CER of the eval lines {first:.2f} to {last:.2f}) while "
                        "the eval loss falls; try train.select: cer, a lower train.lr, or a lower train.lower_layers_alpha",
                        epoch=epoch - 2,
                        first=words[0],
                        last=words[2],
                    ),
                )
        return list(found.values())


def mean_losses(clips: dict[str, list[float]], schedule: Schedule) -> dict[str, float]:
    """Mean losses of one evaluation, see `History.eval_losses`."""
    text, mel = (sum(c[i] * c[i + 2] for c in clips.values()) / sum(c[i + 2] for c in clips.values()) for i in (0, 1))
    return {"text": text, "mel": mel, "loss": schedule.text_loss_weight * text + schedule.mel_loss_weight * mel}


def is_finite(losses: dict[str, float]) -> bool:
    """True if every loss of a row is a number."""
    return all(math.isfinite(value) for value in losses.values())
