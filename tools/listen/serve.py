"""Type a text and hear the base, the current voice and earlier ones side by side (`make listen`).

    .venv/review/bin/python -m tools.listen.serve --python .venv/bin/python [--log said.jsonl] [HEAD~3 exp-name ...]

Reads   what speaker.py reads
Writes  nothing, unless --log names a file for the texts; the sounds lie in a folder of the cache until the page is closed

Who can open the page, and why it has an environment of its own: tools/local_page. The voices speak in the project's environment.
"""

import argparse
from pathlib import Path

from tools.listen.client import Speaker
from tools.local_page import serve as local_page
from voz.pipeline import cache_folders, command


def serve(args: argparse.Namespace, copies: Path) -> None:
    """Serve the page until Ctrl-C."""
    local_page.set_environment(copies)
    from tools.listen import page  # only now: Gradio reads its environment when it is imported

    speaker = Speaker(args.python, copies, args.revs, args.log)
    try:
        local_page.serve(page.build(speaker, copies), name="listen", port=args.port, theme=page.THEME, css_paths=page.CSS)
    finally:
        speaker.close()


def main() -> None:
    args = parse_args()
    with cache_folders.scratch() as copies:
        serve(args, copies)


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("revs", nargs="*", help="commits or experiments whose voices are heard too")
    parser.add_argument("--python", type=Path, required=True, help="of the project's environment")
    parser.add_argument("--log", type=Path, help="file for the texts that are spoken and their settings (default: none)")
    parser.add_argument("--port", type=int, default=0, help="default: the first free port from 7860 on")
    return parser.parse_args()


if __name__ == "__main__":
    command.run(main)
