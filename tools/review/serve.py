"""Listen to the clips, the most doubtful first; correct their texts, accept or reject them (`make review`).

    .venv/review/bin/python -m tools.review.serve data/clips data/transcripts data/wav reports/ledger --python .venv/bin/python

Reads   the stages' outputs, and from params.yaml: `notes`, `corrections` and the limits of `curate`
Writes  the corrections file, after every decision; `dvc repro` applies them. If DVC tracks the file, its .dvc file and DVC's cache

Who can open the page, and why it has an environment of its own: tools/local_page. DVC is in the project's environment.
"""

import argparse
from pathlib import Path

from tools.local_page import serve as local_page
from tools.review import dvc_cache
from voz.pipeline import cache_folders, command, params
from voz.pipeline.command import UserError


def read_path(key: str) -> Path:
    """A path out of params.yaml.

    Raises:
        UserError: the key is missing or is not a text.
    """
    value = params.read().get(key)
    if not isinstance(value, str):
        raise UserError("{params}: `{key}:` is not a path", "`git checkout params.yaml`, or see README.md", params=params.PATH, key=key)
    return Path(value)


def serve(args: argparse.Namespace, copies: Path) -> None:
    """Serve the page until Ctrl-C."""
    local_page.set_environment(copies)
    # Imported only now: Gradio reads its environment when it is imported.
    from tools.review import page
    from tools.review.backend import Backend, Folders

    corrections = read_path("corrections")
    with dvc_cache.filled(corrections, args.python):
        blocks = page.build(Backend(Folders(args.clips, args.transcripts, args.wav, read_path("notes"), args.ledger, corrections, copies)))
        keys = page.KEYS.read_text(encoding="utf-8")
        local_page.serve(blocks, name="review", port=args.port, theme=page.THEME, css_paths=page.CSS, js=keys)


def main() -> None:
    args = parse_args()
    with cache_folders.scratch() as copies:
        serve(args, copies)


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for folder in ("clips", "transcripts", "wav", "ledger"):
        parser.add_argument(folder, type=Path)
    parser.add_argument("--python", type=Path, required=True, help="of the project's environment, which has DVC")
    parser.add_argument("--port", type=int, default=0, help="default: the first free port from 7860 on")
    return parser.parse_args()


if __name__ == "__main__":
    command.run(main)
