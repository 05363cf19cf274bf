"""Tell whether audio files carry the watermark of synthetic speech.

    python -m tools.detect spoken.wav PTT-20260314-WA0007.opus                            (`make detect FILES="spoken.wav ..."`)

Reads   any audio that the stage convert reads
Prints  a line per file: marked, partly marked (from when to when), not marked, or why it cannot be read

The mark says that speech is synthetic. Its absence proves nothing: other tools leave none, and who edits a file can destroy it.
Exit status: 0 every file carries the mark, in whole or in part · 3 at least one does not · 2 at least one cannot be read.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from voz.audio import recording, watermark
from voz.pipeline import command, files
from voz.pipeline.command import UserError
from voz.pipeline.language import tr

NOT_MARKED, UNREADABLE = 3, 2  # exit statuses


def verdict(blocks: Sequence[watermark.Block]) -> str:
    """What the blocks of a file say about it."""
    marked = [block for block in blocks if block.marked]
    highest = max(block.confidence for block in blocks)
    if not marked:
        return tr("not marked (confidence {confidence:.2f})", confidence=highest)
    if len(marked) == len(blocks):
        return tr("marked (confidence {confidence:.2f})", confidence=min(block.confidence for block in marked))
    stretches = ", ".join(f"{block.start_s:.0f}-{block.end_s:.0f} s" for block in marked)
    return tr(
        "partly marked: {stretches} of {end_s:.0f} s (confidence {confidence:.2f})",
        stretches=stretches,
        end_s=blocks[-1].end_s,
        confidence=highest,
    )


def main() -> None:
    """Print a line for each file."""
    args = parse_args()
    mark, status = watermark.Watermark(), 0
    for path in args.files:
        try:
            with recording.opened(path) as (pcm, rate_hz):
                blocks = list(mark.blocks(pcm, rate_hz))
        except UserError as error:
            print(tr("error: {line}", line=error), file=sys.stderr)
            status = UNREADABLE
            continue
        print(f"{files.printable(str(path))}   {verdict(blocks)}")
        if not status and not any(block.marked for block in blocks):
            status = NOT_MARKED
    sys.exit(status)


def parse_args() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", type=Path, nargs="+", metavar="file")
    return parser.parse_args()


if __name__ == "__main__":
    command.run(main)
