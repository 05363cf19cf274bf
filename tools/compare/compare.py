"""Compare two voices by ear and by number: one page with the metrics, the same lines spoken by both, and a blind test.

    python -m tools.compare.compare [--a HEAD] [--b workspace] [--texts data/texts.txt] [--out reports/compare.html]
    (`make compare A=HEAD B=<commit or experiment>`)

Reads   the voices, out of DVC's cache or its remote, and the metrics and parameters of both revisions
        data/texts.txt, and the settings of `synthesize` in params.yaml: both speak with the working tree's sampling and seeds
Writes  reports/compare.html, which contains every sound: it opens from the disk, without a network. Git does not take it.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from stages import synthesize
from tools import revisions
from tools.compare import numbers
from tools.revisions import Revision
from voz.audio import level, watermark, wav
from voz.model import device
from voz.model.voice import Voice, load_voice
from voz.pipeline import command, files, params
from voz.pipeline.command import UserError
from voz.pipeline.language import tr
from voz.report import pages, views
from voz.report.blind import blind_test
from voz.report.views import LineView

TEMPLATE = Path(__file__).with_name("page.html.j2")
MIN_LINES = 10  # fewer texts are spoken several times: a preference shows from 9 of 10 answers on (p = 0.02), and never from 5


@dataclass(frozen=True)
class Side:
    """One of the two voices. name: on the page, "A: HEAD"."""

    key: str
    name: str
    revision: Revision
    voice: Voice


def read_sides(names: Sequence[str], where: str) -> list[Side]:
    """The sides A and B of two revisions.

    Raises:
        UserError: there is no such revision or no voice, or both have the same voice.
    """
    sides = []
    for key, name in zip("ab", names, strict=True):
        revision = revisions.find(name)
        voice = load_voice(revisions.voice_of(revision), device.pick(where), base=params.base_folder())
        sides.append(Side(key, f"{key.upper()}: {revision.name}", revision, voice))
    if len({(side.voice.model_hash, side.voice.reference_hash) for side in sides}) == 1:
        same = " and ".join(side.revision.name for side in sides)
        raise UserError(
            "{names}: the same voice", "name two revisions that differ: make compare A=HEAD B=<commit or experiment>", names=same
        )
    return sides


def in_takes(texts: Sequence[str]) -> tuple[list[str], int]:
    """The texts as often as it takes to have MIN_LINES lines, and how often that is."""
    takes = -(-MIN_LINES // len(texts))
    return [text for text in texts for _ in range(takes)], takes


def spoken(side: Side, texts: Sequence[str], p: synthesize.Params) -> list[np.ndarray]:
    """The texts as a side speaks them at first try. float32 at 24 000 Hz, [T] each"""
    lines = synthesize.lines_of(texts, side.voice, seed=p.seed)
    return side.voice.speak(lines, p, label=tr("{name}: speak", name=side.revision.name))


def line_views(sides: Sequence[Side], texts: Sequence[str], takes: int, p: synthesize.Params) -> list[LineView]:
    """Each line with both recordings, equally loud, and marked."""
    mark = watermark.marker(p.watermark, sides[0].voice.device)
    by_side = [[mark.mark(pcm, wav.OUTPUT_RATE_HZ) if mark else pcm for pcm in spoken(side, texts, p)] for side in sides]
    lines = []
    for index, (text, *pcms) in enumerate(zip(texts, *by_side, strict=True)):
        equal = level.same_loudness(pcms, [wav.OUTPUT_RATE_HZ] * len(sides))
        players = [views.player(pcm, wav.OUTPUT_RATE_HZ, side.name, voice=side.key) for side, pcm in zip(sides, equal, strict=True)]
        remark = tr("take {number} of {count}", number=index % takes + 1, count=takes) if takes > 1 else ""
        lines.append(LineView(text, players, remark, str(index + 1)))
    return lines


def contents(sides: Sequence[Side], texts: Sequence[str], p: synthesize.Params) -> dict[str, Any]:
    """Every variable of the template."""
    a, b = (side.revision for side in sides)
    repeated, takes = in_takes(texts)
    lines = line_views(sides, repeated, takes, p)
    return {
        "sides": sides,
        "settings": p,
        "takes": takes,
        "lines": lines,
        "blind": blind_test(lines, {side.key: side.name for side in sides}, seed=p.seed),
        "measures": numbers.measures(a, b),
        "same_dataset": numbers.same_dataset(a, b),
        "parameters": numbers.changed_params(a, b),
        "metrics": numbers.changed_metrics(a, b),
    }


def main() -> None:
    args = parse_args()
    p, compute = params.load("synthesize", synthesize.Params), params.load("compute", params.Compute)
    texts = synthesize.read_texts(args.texts)
    device.seed_everything(p.seed)
    page = pages.render(TEMPLATE, contents(read_sides([args.a, args.b], compute.device), texts, p))
    files.write_text(args.out, page)
    print(tr("compare: {page}, {size_mb:.1f} MB; open it in any browser", page=args.out.resolve().as_uri(), size_mb=len(page) / 1e6))


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for side, default in (("a", "HEAD"), ("b", revisions.WORKSPACE)):
        parser.add_argument(f"--{side}", default=default, help=f"commit, experiment, or `{revisions.WORKSPACE}` (default: {default})")
    parser.add_argument("--texts", type=Path, default=Path("data/texts.txt"), help="file of texts, one a line")
    parser.add_argument("--out", type=Path, default=Path("reports/compare.html"))
    return parser.parse_args()


if __name__ == "__main__":
    command.run(main)
