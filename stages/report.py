"""One page to listen, look and compare: data, ledger, curves, metrics and players in a single HTML file.

    python -m stages.report reports/report.html --wav data/wav --dataset data/dataset --ledger reports/ledger --reports reports \\
        --lines reports/lines --epochs reports/epochs --voice models/voice --outputs outputs --language en

Reads   the outputs of the other stages; the page names those that are missing
Writes  reports/report.html, which contains every sound and picture: it opens from the disk, without a network
"""

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from markupsafe import Markup
from pydantic import Field

from voz.audio import level, wav
from voz.data import consent, details
from voz.metrics import figures, filters, verdict
from voz.pipeline import command, files, language, ledger, params, records
from voz.pipeline.checked import section
from voz.pipeline.language import later, tr
from voz.pipeline.records import VOICES
from voz.report import charts, pages, views
from voz.report.blind import blind_test
from voz.report.views import LineView

TEMPLATE = Path(__file__).with_name("report.html.j2")
BLIND_SEED = 1  # of the order of the blind test
CURVES = {"loss": later("loss"), "cer": later("cer"), "similarity": later("similarity"), "sheismo": later("sheísmo")}
NAMES = {"real": later("real"), "base": later("base"), "fine_tuned": later("fine-tuned")}  # of VOICES
METRICS = ("segment", "transcribe", "curate", "train", "evaluate")  # the stages that write reports/<stage>.json


@section
class Params:
    """Section `report` of params.yaml."""

    clips: int = Field(ge=0)


@dataclass(frozen=True)
class ReasonView:
    """A reason for which curate rejects clips: of how many clips it is the first reason, and the filter behind it.

    rule, median: when the filter rejects, and the median of its score over all clips; "" for a reason without a filter or score.
    """

    code: str
    clips: int
    why: str
    rule: str
    median: str


def read_player(path: Path, label: str, *, rate_hz: int = wav.SAMPLE_RATE_HZ, picture: bool = True) -> views.Player:
    """A player of a mono WAV."""
    return views.player(wav.read(path, rate_hz=rate_hz), rate_hz, label, picture=picture)


def read_rows(folder: Path, cls: type[records.R]) -> list[records.R]:
    """The records of a folder; none if it has no manifest."""
    return records.read(folder, cls) if (folder / records.MANIFEST).is_file() else []


def read_json(path: Path) -> dict[str, Any]:
    """The contents of a JSON file; {} if it is missing."""
    return files.read_json(path) if path.is_file() else {}


def read_curve(path: Path, x: str, y: str) -> list[tuple[float, float]]:
    """Two columns of a CSV of numbers; [] if it is missing.

    Raises:
        UserError: it lacks a column, or holds something else.
    """
    if not path.is_file():
        return []
    header, *rows = files.read_csv(path) or [[]]
    try:
        return [(float(row[header.index(x)]), float(row[header.index(y)])) for row in rows]
    except (ValueError, IndexError) as error:
        raise command.UserError(
            "{path}: not a table of {x} and {y} ({error})", "`dvc repro` writes it again", path=path, x=x, y=y, error=error
        ) from error


def read_ledgers(folder: Path) -> list[views.StageTotals]:
    """The totals of every stage that has a ledger in `folder`."""
    paths = {stage: folder / f"{stage}.csv" for stage in ledger.STAGES}
    return [views.stage_totals(stage, ledger.read(path)) for stage, path in paths.items() if path.is_file()]


def clip_lines(dataset: Path, examples: list[records.Example], count: int) -> list[LineView]:
    """A sample of the dataset's clips with their texts and scores."""
    lines = []
    for each in views.evenly_spaced(examples, count):
        scores = ", ".join(f"{name} {round(value, 2):g}" for name, value in sorted(each.scores.items()))
        recording = read_player(dataset / "wavs" / f"{each.id}.wav", each.split)
        lines.append(LineView(each.text, [recording], f"{each.id}; {scores}" if scores else each.id))
    return lines


def compared_lines(folder: Path, rows: list[records.Comparison]) -> list[LineView]:
    """The rows of the test lines: each as the recording, spoken by the base, and spoken by the fine-tuned voice; equally loud."""
    lines, rates_hz = [], [rate_of(kind) for kind in VOICES]
    for row in rows:
        transcripts = {"real": row.heard_real, "base": row.heard_base, "fine_tuned": row.heard_fine_tuned}
        quoted = " · ".join(f"{voice_name(kind)} “{views.shortened(transcripts[kind])}”" for kind in VOICES)
        pcms = [wav.read(folder / kind / f"{row.id}.wav", rate_hz=rate_of(kind)) for kind in VOICES]
        sounds = zip(level.same_loudness(pcms, rates_hz), rates_hz, VOICES, strict=True)
        players = [views.player(pcm, rate_hz, voice_name(kind), voice=kind) for pcm, rate_hz, kind in sounds]
        lines.append(LineView(row.text, players, tr("Whisper transcribed: {quoted}", quoted=quoted), row.id))
    return lines


def voice_name(kind: str) -> str:
    """One of VOICES as a person writes it."""
    return tr(NAMES[kind])


def rate_of(kind: str) -> int:
    """Sample rate of a test line's WAV: recordings have that of the dataset, the others that of XTTS's decoder."""
    return wav.SAMPLE_RATE_HZ if kind == "real" else wav.OUTPUT_RATE_HZ


def spoken_lines(folder: Path) -> list[LineView]:
    """The lines of `data/texts.txt` as the voice speaks them, in the order of that file."""
    lines = []
    for row in sorted(read_rows(folder, records.SpokenLine), key=lambda r: r.file):
        tries = tr("best of {count} tries", count=row.tries) if row.tries > 1 else tr("first try")
        heard = views.shortened(row.heard)
        remark = tr("Whisper transcribed: “{heard}” ({cer:.0%} character errors, {tries})", heard=heard, cer=row.cer, tries=tries)
        recording = read_player(folder / row.file, voice_name("fine_tuned"), rate_hz=wav.OUTPUT_RATE_HZ)
        lines.append(LineView(row.text, [recording], remark))
    return lines


def epoch_line(folder: Path, epochs: dict[str, Any]) -> LineView | None:
    """The first eval line as it was spoken after each epoch; None if training has written none."""
    if not epochs:
        return None
    players = []
    for row in epochs["epochs"]:
        name = tr("base") if row["epoch"] == 0 else tr("epoch {number}", number=row["epoch"])
        chosen = f" ({tr('chosen')})" if row["epoch"] == epochs["best_epoch"] else ""
        label = tr("{name}: CER {cer:.2f}, loss {loss:.3f}", name=name + chosen, cer=row["cer"], loss=row["loss"])
        players.append(read_player(folder / row["wavs"][0], label, rate_hz=wav.OUTPUT_RATE_HZ, picture=False))
    heard = {name: epochs["epochs"][at]["heard"][0] for name, at in ((tr("base"), 0), (tr("chosen"), epochs["best_epoch"]))}
    quoted = " · ".join(f"{name} “{views.shortened(text)}”" for name, text in heard.items())
    remark = tr("Whisper transcribed: {quoted}. CER is the mean over all eval lines.", quoted=quoted)
    return LineView(epochs["lines"][0]["text"], players, remark)


def candidate_lines(dataset: Path, epochs: dict[str, Any], examples: list[records.Example]) -> list[LineView]:
    """The clips that were tried as the reference recording, the best first, with what was spoken with them."""
    texts, lines = {example.id: example.text for example in examples}, []
    for index, row in enumerate(epochs.get("references", [])):
        label = tr("chosen") if index == 0 else tr("candidate {number}", number=index + 1)
        recording = read_player(dataset / "wavs" / f"{row['id']}.wav", label, picture=False)
        remark = tr("{id}; spoken with it: CER {cer:.3f}, similarity {similarity:.3f}; eval loss {loss:.3f}", **row)
        lines.append(LineView(texts.get(row["id"], ""), [recording], remark))
    return lines


def reference_line(path: Path) -> LineView | None:
    """The voice's reference recording; None if there is no voice."""
    if not path.is_file():
        return None
    return LineView(
        tr("The reference recording"), [read_player(path, voice_name("real"))], tr("The voice is conditioned on this recording.")
    )


def training_charts(plots: Path, best_epoch: int | None) -> list[Markup]:
    """What was measured on eval after each epoch, the chosen one marked, and the losses on the training batches."""
    mark = None if best_epoch is None else float(best_epoch)
    spoken = tr("eval lines, spoken")
    held_out = (("eval", "loss", tr("eval clips")), *((name, name, spoken) for name in ("cer", "similarity", "sheismo")))
    epoch = tr("epoch (0 = base)")
    drawn = [
        charts.line_chart([charts.Series(name, read_curve(plots / f"{file}.csv", "epoch", y), "b")], x=epoch, y=tr(CURVES[y]), mark_x=mark)
        for file, y, name in held_out
    ]
    train = charts.Series(tr("training batches, smoothed"), charts.smoothed(read_curve(plots / "train.csv", "update", "loss")), "a")
    return [chart for chart in (*drawn, charts.line_chart([train], x=tr("update"), y=tr("loss"))) if chart]


def length_charts(notes: list[records.Note], examples: list[records.Example]) -> list[Markup]:
    """Histograms of the lengths of notes and clips."""
    drawn = (
        charts.histogram([note.duration_s for note in notes], bins=20, x=tr("seconds"), y=tr("notes")),
        charts.histogram([e.duration_s for e in examples], bins=20, x=tr("seconds"), y=tr("clips")),
    )
    return [chart for chart in drawn if chart]


def headline(train: dict[str, Any], table: list[figures.Row]) -> list[tuple[str, str]]:
    """The few numbers at the top of the page: (what, value)."""
    top = []
    if train:
        top += [(tr("minutes of training speech"), f"{train['train_minutes']:.1f}"), (tr("training clips"), str(train["train_clips"]))]
        top.append((tr("epoch chosen on eval"), str(train["best_epoch"])))
        top.append((tr("eval loss, base → fine-tuned"), f"{train['eval_loss_base']:.2f} → {train['eval_loss']:.2f}"))
    shown = {row.name: row for row in table}
    for name in ("cer_judge" if "cer_judge" in shown else "cer", "similarity_resemblyzer"):
        if row := shown.get(name):
            top.append(
                (
                    tr("{figure}, base → fine-tuned", figure=tr(row.figure.label)),
                    f"{row.cells['base'].mean} → {row.cells['fine_tuned'].mean}",
                )
            )
    return top


def training_of(train: dict[str, Any], epochs: dict[str, Any]) -> verdict.Training | None:
    """What the verdict says of the training; None where train has not run."""
    if not (train and epochs):
        return None
    return verdict.Training(
        minutes=train["train_minutes"],
        select=epochs["select"],
        last_is_best=train["best_epoch"] == epochs["epochs"][-1]["epoch"],
        improved=train["eval_loss"] < train["eval_loss_base"],
        overfitting=bool(epochs["overfitting"]),
    )


def reasons_of_curate(metrics: dict[str, Any]) -> list[ReasonView]:
    """The reasons in curate's metrics, in their order."""
    by_code, medians = {each.code: each for each in filters.FILTERS}, metrics.get("medians", {})
    rows = []
    for code, clips in metrics.get("rejected", {}).items():
        rule, score = (by_code[code].rule, by_code[code].score) if code in by_code else ("", "")
        rows.append(ReasonView(code, clips, filters.WHY.get(code, ""), rule, f"{medians[score]:.4g}" if score in medians else ""))
    return rows


def speaker(dataset: Path) -> str:
    """The speaker's name in the consent record of the dataset; "" if there is none."""
    return consent.read(dataset).speaker if (dataset / consent.NAME).is_file() else ""


def contents(args: argparse.Namespace, p: Params) -> dict[str, Any]:
    """Every variable of the template."""
    metrics = {stage: read_json(args.reports / f"{stage}.json") for stage in METRICS}
    notes, examples = read_rows(args.wav, records.Note), read_rows(args.dataset, records.Example)
    sizes, table = views.split_sizes(examples), figures.table(metrics["evaluate"])
    card, name, epochs = args.voice / "README.md", speaker(args.dataset), read_json(args.epochs / "epochs.json")
    spoken, training = read_rows(args.lines, records.Comparison), training_of(metrics["train"], epochs)
    compared = compared_lines(args.lines, spoken)
    return {
        "title": tr("The voice of {name}", name=name) if name else tr("The voice"),
        "notes": len(notes),
        "headline": headline(metrics["train"], table),
        "spoken": spoken_lines(args.outputs),
        "compared": compared,
        "blind": blind_test(compared, {kind: voice_name(kind) for kind in VOICES}, seed=BLIND_SEED),
        "verdict": verdict.verdict(table, len({row.note for row in spoken}), training) if table and training else None,
        "figures": table,
        "judges": figures.JUDGES,
        "charts": training_charts(args.reports / "plots" / "train", metrics["train"].get("best_epoch")),
        "epochs": epoch_line(args.epochs, epochs),
        "select": epochs.get("select", ""),
        "overfitting": epochs.get("overfitting", []),
        "candidates": candidate_lines(args.dataset, epochs, examples),
        "splits": sizes,
        "lengths": length_charts(notes, examples),
        "clips": clip_lines(args.dataset, examples, p.clips),
        "ledgers": read_ledgers(args.ledger),
        "shown": details.shown,
        "reasons": reasons_of_curate(metrics["curate"]),
        "reference": reference_line(args.voice / "reference.wav"),
        "card": card.read_text(encoding="utf-8") if card.is_file() else "",
        "numbers": [(stage, key, value) for stage, values in metrics.items() for key, value in views.flatten(values).items()],
    }


def main() -> None:
    args = parse_args()
    with language.used(args.language):
        page = pages.render(TEMPLATE, contents(args, params.load("report", Params)))
    files.write_text(args.page, page)
    print(tr("report: {page}, {size_mb:.1f} MB; open it in any browser", page=args.page, size_mb=len(page) / 1e6))


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("page", type=Path)
    for folder in ("wav", "dataset", "ledger", "reports", "lines", "epochs", "voice", "outputs"):
        parser.add_argument(f"--{folder}", type=Path, required=True)
    parser.add_argument("--language", choices=language.LANGUAGES, default="en", help="of the page, whatever the user's is")
    return parser.parse_args()


if __name__ == "__main__":
    command.run(main)
