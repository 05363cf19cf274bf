"""The eval lines after each epoch: spoken once, scored, and written for the report."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from voz.audio import wav
from voz.metrics.eval_lines import EvalLines
from voz.metrics.reference import Candidate
from voz.model import gpt_decoder, train_log, xtts
from voz.model.batches import Sample
from voz.model.history import History, Scores
from voz.model.schedule import Schedule
from voz.pipeline import files
from voz.pipeline.command import UserError


@dataclass(frozen=True)
class EpochLines:
    """The eval lines as they were spoken after each evaluation, kept as wavs: each needs the weights of its epoch.

    folder: of the training.
    reference: the recording that every epoch speaks with, chosen before the training (`reference.typical`).
    """

    folder: Path
    lines: EvalLines
    model: xtts.Xtts
    reference: Sample

    def listen(self, epoch: int) -> Scores:
        """The scores of an evaluation. The present weights, which must be its own, speak, unless they have before."""
        if not self._kept(epoch):
            with files.whole_folder(self.of(epoch)) as spoken:
                for path, pcm in zip(self.paths(epoch), self.lines.speak(self.model, self.reference, label="eval lines"), strict=True):
                    wav.write(spoken / path.name, pcm, rate_hz=wav.OUTPUT_RATE_HZ)
            gpt_decoder.release(self.model.gpt)  # it would lie beside the gradients
        return self.recall(epoch)

    def recall(self, epoch: int) -> Scores:
        """The scores of an evaluation whose lines are spoken already.

        Raises:
            UserError: they are missing. No other weights may speak them.
        """
        if not self._kept(epoch):
            raise UserError(
                "{spoken}: the spoken eval lines are missing, and the weights of that epoch are gone",
                "delete {folder}: the voice is trained again",
                spoken=self.of(epoch),
                folder=self.folder,
            )
        pcms = [wav.read(path, rate_hz=wav.OUTPUT_RATE_HZ) for path in self.paths(epoch)]
        scores = self.lines.scores(pcms, self.model)
        self.lines.asr.release()  # beside a training on a small card there is no room for a large Whisper
        return replace(scores, sheismo=self.lines.sheismo(pcms))

    def _kept(self, epoch: int) -> bool:
        return all(path.is_file() for path in self.paths(epoch))

    def of(self, epoch: int) -> Path:
        """The folder of an evaluation."""
        return self.folder / "spoken" / f"epoch-{epoch:02d}"

    def paths(self, epoch: int) -> list[Path]:
        """The wavs of an evaluation, 24 000 Hz, in the order of the lines."""
        return [self.of(epoch) / name for name in self.lines.wav_names]


def write(folder: Path, history: History, schedule: Schedule, spoken: EpochLines, candidates: Sequence[Candidate]) -> None:
    """Write `epochs.json`, and the eval lines as they were spoken after each epoch."""
    rows = []
    for epoch, row in enumerate(train_log.evaluations(history, schedule)):
        (folder / spoken.of(epoch).name).mkdir()
        wavs = [f"{path.parent.name}/{path.name}" for path in spoken.paths(epoch)]
        for name, path in zip(wavs, spoken.paths(epoch), strict=True):
            files.copy(path, folder / name)
        clips = {name: {"text": values[0], "mel": values[1]} for name, values in history.clips[epoch].items()}
        rows.append({"epoch": epoch, **row, "wavs": wavs, "heard": history.scores[epoch].transcripts, "clips": clips})
    values = {
        "best_epoch": history.best_epoch(schedule),
        "select": schedule.select,
        "overfitting": history.overfitting(schedule),
        "lines": [{"id": line.id, "text": line.text} for line in spoken.lines.lines],
        "epochs": rows,
        "references": [{"id": c.sample.id, "loss": c.loss, "cer": c.scores.cer, "similarity": c.scores.similarity} for c in candidates],
    }
    files.write_json(folder / "epochs.json", values)
