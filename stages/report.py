"""One page to listen, look and compare: data, ledger, curves, metrics and players in a single HTML file.

    python -m stages.report reports/report.html --wav data/wav --dataset data/dataset --ledger reports/ledger --reports reports \\
        --lines reports/lines --epochs reports/epochs --voice models/voice --outputs outputs

Reads   what the other stages wrote; a part that is not there is named on the page
Writes  reports/report.html, which holds every sound and picture itself: it opens from disk, with no network
"""

import argparse
import csv
import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup
from pydantic import Field

from voz.audio import wav
from voz.data import consent
from voz.pipeline import command, files, ledger, params, records
from voz.pipeline.checked import section
from voz.pipeline.records import VOICES
from voz.report import charts, metrics_table

TEMPLATE = Path(__file__).with_name("report.html.j2")
SMOOTHED = 60  # points at most of the training curve: a pixel holds no more
HEARD = 160  # characters of what whisper heard; it repeats itself where it hears no words
LISTED = 200  # rejected items that the page lists; the ledger holds all


@section
class Params:
    """Section `report` of params.yaml."""

    clips: int = Field(ge=0)


@dataclass(frozen=True)
class Player:
    """A recording on the page: sound and picture are data URIs."""

    label: str
    sound: str
    picture: str
    duration_s: float


@dataclass(frozen=True)
class Line:
    """A text with the recordings that say it, and a remark beneath."""

    text: str
    players: list[Player]
    remark: str


@dataclass(frozen=True)
class StageTotals:
    """The ledger of one stage: `given` inputs = `used` + `unused`; an input may become several items, in part rejected."""

    stage: str
    given: int
    used: int
    unused: int
    items: int
    reasons: dict[str, int]
    rejected: list[ledger.Row]


def player(path: Path, label: str, *, rate_hz: int = wav.SAMPLE_RATE_HZ, picture: bool = True) -> Player:
    """Read a wav into a player."""
    pcm = wav.read(path, rate_hz=rate_hz)
    return Player(label, charts.mp3(pcm, rate_hz), charts.spectrogram(pcm, rate_hz) if picture else "", len(pcm) / rate_hz)


def totals(stage: str, rows: list[ledger.Row]) -> StageTotals:
    """Add up a ledger: an input is used when at least one item of it was accepted."""
    inputs = {row.input for row in rows}
    used = {row.input for row in rows if row.outcome == ledger.ACCEPTED}
    rejected = [row for row in rows if row.outcome == ledger.REJECTED]
    reasons = dict(sorted(Counter(row.reason for row in rejected).items(), key=lambda pair: (-pair[1], pair[0])))
    return StageTotals(stage, len(inputs), len(used), len(inputs - used), len(rows) - len(rejected), reasons, rejected[:LISTED])


def ledgers(folder: Path) -> list[StageTotals]:
    """The totals of every stage whose ledger is there."""
    return [totals(stage, ledger.read(folder / f"{stage}.csv")) for stage in ledger.STAGES if (folder / f"{stage}.csv").is_file()]


def splits(examples: list[records.Example]) -> list[dict[str, Any]]:
    """Clips, notes, minutes and share of corrected texts per split."""
    found = []
    for split in records.SPLITS:
        mine = [e for e in examples if e.split == split]
        corrected = sum(e.corrected for e in mine)
        minutes = sum(e.duration_s for e in mine) / 60
        found.append({"split": split, "clips": len(mine), "notes": len({e.note for e in mine}), "minutes": minutes, "corrected": corrected})
    return found


def chosen_clips(examples: list[records.Example], count: int) -> list[records.Example]:
    """`count` clips spread evenly over the dataset, by id: a look at what went in, good and bad alike."""
    ordered = sorted(examples, key=lambda e: e.id)
    if count >= len(ordered):
        return ordered
    return [ordered[i * len(ordered) // count] for i in range(count)]


def clip_lines(dataset: Path, examples: list[records.Example], count: int) -> list[Line]:
    """Some clips of the dataset with their texts and scores."""
    found = []
    for each in chosen_clips(examples, count):
        scores = ", ".join(f"{name} {round(value, 2):g}" for name, value in sorted(each.scores.items()))
        found.append(
            Line(each.text, [player(dataset / "wavs" / f"{each.id}.wav", each.split)], f"{each.id}; {scores}" if scores else each.id)
        )
    return found


def rows_of(folder: Path, cls: type[records.R]) -> list[records.R]:
    """The rows of a manifest; none where it is missing."""
    return records.read(folder, cls) if (folder / records.MANIFEST).is_file() else []


def compared_lines(folder: Path) -> list[Line]:
    """The test lines, each as recorded, as the base and as the fine-tuned voice speak it."""
    found = []
    for row in rows_of(folder, records.Comparison):
        heard = {"real": row.heard_real, "base": row.heard_base, "fine_tuned": row.heard_fine_tuned}
        remark = " · ".join(f"{name(voice)} “{shortened(heard[voice])}”" for voice in VOICES)
        players = [player(folder / voice / f"{row.id}.wav", name(voice), rate_hz=rate_of(voice)) for voice in VOICES]
        found.append(Line(row.text, players, f"whisper heard: {remark}"))
    return found


def name(voice: str) -> str:
    """real, base, fine-tuned: as a person writes it."""
    return voice.replace("_", "-")


def rate_of(voice: str) -> int:
    """Sample rate of a line's wav: recordings have the pipeline's, what was spoken the model's."""
    return wav.SAMPLE_RATE_HZ if voice == "real" else wav.OUTPUT_RATE_HZ


def shortened(heard: str) -> str:
    """What whisper heard, cut where it went on and on."""
    return heard if len(heard) <= HEARD else f"{heard[:HEARD]}…"


def spoken_lines(folder: Path) -> list[Line]:
    """What the voice said of `data/texts.txt`, in the order of that file."""
    found = []
    for row in sorted(rows_of(folder, records.SpokenLine), key=lambda r: r.file):
        tries = f"best of {row.tries} tries" if row.tries > 1 else "first try"
        remark = f"whisper heard: “{shortened(row.heard)}” ({row.cer:.0%} character errors, {tries})"
        found.append(Line(row.text, [player(folder / row.file, "fine-tuned", rate_hz=wav.OUTPUT_RATE_HZ)], remark))
    return found


def read_json(path: Path) -> dict[str, Any]:
    """A metrics file; empty where it is missing."""
    data: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return data


def flat(values: dict[str, Any], where: str = "") -> dict[str, Any]:
    """{"a.b": 1} of {"a": {"b": 1}}."""
    found: dict[str, Any] = {}
    for key, value in values.items():
        found |= flat(value, f"{where}{key}.") if isinstance(value, dict) else {f"{where}{key}": value}
    return found


def curve(path: Path, x: str, y: str) -> list[tuple[float, float]]:
    """Two columns of a CSV of numbers; empty where the file is missing."""
    if not path.is_file():
        return []
    with open(path, encoding="utf-8", newline="") as file:
        return [(float(row[x]), float(row[y])) for row in csv.DictReader(file)]


def smoothed(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Means of neighbouring points, so that at most SMOOTHED remain: single updates jump from batch to batch."""
    size = -(-len(points) // SMOOTHED)
    groups = [points[i : i + size] for i in range(0, len(points), size)] if size else []
    return [(sum(x for x, _ in g) / len(g), sum(y for _, y in g) / len(g)) for g in groups]


def loss_charts(plots: Path, best_epoch: int | None) -> list[Markup]:
    """The curves of training and of eval; the chosen epoch is marked."""
    train = charts.Series("training batches, smoothed", smoothed(curve(plots / "train.csv", "update", "loss")), "a")
    held_out = charts.Series("eval clips", curve(plots / "eval.csv", "epoch", "loss"), "b")
    drawn = (
        charts.line_chart([held_out], x="epoch (0 = base)", y="loss", mark_x=None if best_epoch is None else float(best_epoch)),
        charts.line_chart([train], x="update", y="loss"),
    )
    return [chart for chart in drawn if chart]


def epoch_lines(folder: Path) -> Line | None:
    """The eval line as it was spoken after each epoch."""
    told = read_json(folder / "epochs.json")
    if not told:
        return None
    found = []
    for row in told["epochs"]:
        name = "base" if row["epoch"] == 0 else f"epoch {row['epoch']}" + (" (chosen)" if row["epoch"] == told["best_epoch"] else "")
        found.append(player(folder / row["wav"], f"{name}, loss {row['loss']:.3f}", rate_hz=wav.OUTPUT_RATE_HZ, picture=False))
    return Line(told["line"]["text"], found, "")


def figures(found: list[dict[str, Any]], reports: dict[str, dict[str, Any]], table: list[metrics_table.Measure]) -> list[tuple[str, str]]:
    """The few numbers at the top of the page: (what, value)."""
    train = next((each for each in found if each["split"] == "train"), None)
    top = [("minutes that teach", f"{train['minutes']:.1f}"), ("clips that teach", str(train["clips"]))] if train else []
    if reports["train"]:
        top.append(("epoch chosen on eval", str(reports["train"]["best_epoch"])))
        top.append(("eval loss, base → fine-tuned", f"{reports['train']['eval_loss_base']:.2f} → {reports['train']['eval_loss']:.2f}"))
    for measure in table:
        if measure.key in ("cer", "similarity"):
            top.append((f"{measure.name.lower()}, base → fine-tuned", f"{measure.cells['base'].mean} → {measure.cells['fine_tuned'].mean}"))
    return top


def length_charts(wavs: Path, examples: list[records.Example]) -> list[Markup]:
    """How long notes and clips are."""
    notes = [note.duration_s for note in rows_of(wavs, records.Note)]
    drawn = (
        charts.histogram(notes, bins=20, x="seconds", y="notes"),
        charts.histogram([e.duration_s for e in examples], bins=20, x="seconds", y="clips"),
    )
    return [chart for chart in drawn if chart]


def speaker(dataset: Path) -> str:
    """Whose voice it is, by the consent record that travels with the data."""
    return consent.read(dataset).speaker if (dataset / consent.NAME).is_file() else ""


def contents(args: argparse.Namespace, p: Params) -> dict[str, Any]:
    """Everything the template shows."""
    reports = {stage: read_json(args.reports / f"{stage}.json") for stage in ("segment", "transcribe", "curate", "train", "evaluate")}
    examples = rows_of(args.dataset, records.Example)
    found = splits(examples) if examples else []
    table = metrics_table.measures(reports["evaluate"])
    card, reference = args.voice / "README.md", args.voice / "reference.wav"
    who, count = speaker(args.dataset), len(rows_of(args.wav, records.Note))
    return {
        "title": f"The voice of {who}" if who else "The voice",
        "subtitle": f"Synthetic speech, made of {count} voice notes. The page holds a person's recordings: keep it where those are kept.",
        "figures": figures(found, reports, table),
        "spoken": spoken_lines(args.outputs),
        "compared": compared_lines(args.lines),
        "measures": table,
        "charts": loss_charts(args.reports / "plots" / "train", reports["train"].get("best_epoch")),
        "epochs": epoch_lines(args.epochs),
        "splits": found,
        "lengths": length_charts(args.wav, examples),
        "clips": clip_lines(args.dataset, examples, p.clips),
        "ledgers": ledgers(args.ledger),
        "filters": reports["curate"],
        "reference": Line("The reference recording", [player(reference, "real")], "What the voice listens to before it speaks.")
        if reference.is_file()
        else None,
        "card": card.read_text(encoding="utf-8") if card.is_file() else "",
        "numbers": [(stage, key, value) for stage, values in reports.items() for key, value in flat(values).items()],
    }


def render(values: dict[str, Any]) -> str:
    """The page. Names and texts are strangers' words: everything that is not Markup is escaped."""
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)
    return environment.from_string(TEMPLATE.read_text(encoding="utf-8")).render(values)


def main() -> None:
    args = parse_args()
    page = render(contents(args, params.load("report", Params)))
    files.write_text(args.page, page)
    print(f"report: {args.page}, {len(page) / 1e6:.1f} MB; it opens in any browser")


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("page", type=Path)
    for folder in ("wav", "dataset", "ledger", "reports", "lines", "epochs", "voice", "outputs"):
        parser.add_argument(f"--{folder}", type=Path, required=True)
    return parser.parse_args()


if __name__ == "__main__":
    command.run(main)
