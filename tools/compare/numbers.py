"""What the metrics and parameters of two revisions say, side by side."""

import json
from dataclasses import dataclass
from typing import Any

import yaml

from tools import revisions
from tools.revisions import Revision
from voz.metrics import estimates, figures
from voz.metrics.line_scores import Figures
from voz.pipeline import records
from voz.report import views

FILES = tuple(f"reports/{stage}.json" for stage in ("segment", "transcribe", "curate", "train", "evaluate"))
EVALUATED = "reports/evaluate.json"
LINES = f"reports/lines/{records.MANIFEST}"
SEED = 1  # of the bootstrap


@dataclass(frozen=True)
class Change:
    """A value that differs between the revisions, as text; "–" where a revision lacks it. difference: B - A, "" unless both are numbers."""

    file: str
    name: str
    a: str
    b: str
    difference: str


def measures(a: Revision, b: Revision) -> list[figures.Row]:
    """The metrics of both fine-tuned voices, in the shape of the report's table: A in the place of the base, B in the fine-tuned one's.

    The difference has an interval, and a better side, only where both were measured on lines of the same id and text.
    """
    of_a, of_b = read_json(a, EVALUATED), read_json(b, EVALUATED)
    table = {"base": of_a.get("fine_tuned", {}), "fine_tuned": of_b.get("fine_tuned", {})}
    if of_a.get("real") == of_b.get("real"):
        table["real"] = of_a.get("real", {})
    both = {name: (each["mean"], table["fine_tuned"][name]["mean"]) for name, each in table["base"].items() if name in table["fine_tuned"]}
    means = {name: {"mean": mean_b - mean_a} for name, (mean_a, mean_b) in both.items()}
    return figures.table(table | {records.DIFFERENCE: means | paired(line_figures(a), line_figures(b))})


def paired(a: dict[tuple[str, str], tuple[str, Figures]], b: dict[tuple[str, str], tuple[str, Figures]]) -> dict[str, dict[str, float]]:
    """Means and 95 % intervals of B - A, over lines that both have; {} unless they have the same lines. a, b: see `line_figures`"""
    if a.keys() != b.keys():
        return {}
    differences = estimates.differences([own for _, own in a.values()], [b[key][1] for key in a])
    return estimates.summarise(differences, [note for note, _ in a.values()], seed=SEED)


def line_figures(revision: Revision) -> dict[tuple[str, str], tuple[str, Figures]]:
    """The note and the figures of each test line that a revision's voice spoke, by id and text; {} if DVC does not have them here.

    Read as plain JSON: the records of an older commit may have other fields.
    """
    rows = [json.loads(line) for line in (revisions.read_text(revision, LINES) or "").splitlines()]
    return {(row["id"], row["text"]): (row["note"], row["fine_tuned"]) for row in rows if "fine_tuned" in row}


def same_dataset(a: Revision, b: Revision) -> bool:
    """True if both voices were evaluated on the same dataset, by the hashes in dvc.lock."""
    hashes = []
    for revision in (a, b):
        lock = yaml.safe_load(revisions.read_text(revision, "dvc.lock") or "{}")
        deps = lock.get("stages", {}).get("evaluate", {}).get("deps", [])
        hashes.append({dep["path"]: dep.get("md5") for dep in deps}.get("data/dataset"))
    return None not in hashes and hashes[0] == hashes[1]


def changed_metrics(a: Revision, b: Revision) -> list[Change]:
    """Every number of the stages' metrics that differs."""
    return [change for path in FILES for change in changes(path.rpartition("/")[2], read_json(a, path), read_json(b, path))]


def changed_params(a: Revision, b: Revision) -> list[Change]:
    """Every parameter that differs."""
    of_a, of_b = (yaml.safe_load(revisions.read_text(each, "params.yaml") or "{}") for each in (a, b))
    return changes("params.yaml", of_a, of_b)


def changes(file: str, a: dict[str, Any], b: dict[str, Any]) -> list[Change]:
    """The values that differ, by their dotted names, in the order of A; those that only B has come last."""
    flat_a, flat_b = views.flatten(a), views.flatten(b)
    rows = []
    for name in dict.fromkeys([*flat_a, *flat_b]):
        left, right = flat_a.get(name), flat_b.get(name)
        if left != right:
            rows.append(Change(file, name, _text(left), _text(right), _difference(left, right)))
    return rows


def read_json(revision: Revision, path: str) -> dict[str, Any]:
    """A JSON file of a revision; {} if it has none."""
    values: dict[str, Any] = json.loads(revisions.read_text(revision, path) or "{}")
    return values


def _difference(a: Any, b: Any) -> str:
    if any(isinstance(each, bool) or not isinstance(each, int | float) for each in (a, b)):
        return ""
    return f"{b - a:+.4g}"


def _text(value: Any) -> str:
    return "–" if value is None else f"{value:.6g}" if isinstance(value, float) else str(value)
