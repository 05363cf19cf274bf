"""Listen to the clips, the most doubtful first; correct their texts, accept or reject them (`make review`).

    .venv/review/bin/python -m tools.review.serve data/clips data/transcripts data/wav reports/ledger

Reads   the stages' outputs, and from params.yaml: `notes`, `corrections` and the limits of `curate`
Writes  the corrections file, after every decision; `dvc repro` then redoes what depends on it

The page is served to this machine alone (127.0.0.1) and asks nothing of any other. It needs Gradio, which needs an older
Pillow than the stages: an environment of its own.
"""

import argparse
import os
import tempfile
import threading
from pathlib import Path

from voz.pipeline import command, params
from voz.pipeline.command import UserError

HOST = "127.0.0.1"


def settle(copies: Path) -> None:
    """Set Gradio's environment, before it is imported: no analytics, its copies in our folder, and nobody's GRADIO_SHARE or the like."""
    for name in [name for name in os.environ if name.startswith("GRADIO_")]:
        del os.environ[name]
    os.environ.update(GRADIO_ANALYTICS_ENABLED="False", GRADIO_TEMP_DIR=str(copies), HF_HUB_DISABLE_TELEMETRY="1")
    for name in ("no_proxy", "NO_PROXY"):  # Gradio looks whether its own page answers
        os.environ[name] = ",".join(part for part in (os.environ.get(name, ""), HOST) if part)


def named(key: str) -> Path:
    """A path that params.yaml names."""
    value = params.read().get(key)
    if not isinstance(value, str):
        raise UserError(f"{params.PATH}: `{key}:` names no path", "`git checkout params.yaml`, or see README.md")
    return Path(value)


def serve(args: argparse.Namespace, copies: Path) -> None:
    """Serve the page until Ctrl-C."""
    settle(copies)
    # Not before: these import Gradio, which reads its environment then.
    from starlette.middleware import Middleware
    from starlette.middleware.trustedhost import TrustedHostMiddleware

    from tools.review import desk, page

    paths = (args.clips, args.transcripts, args.wav, named("notes"), args.ledger, named("corrections"), copies)
    shown = page.build(desk.Desk(desk.Folders(*paths)))
    try:
        shown.launch(
            server_name=HOST,
            server_port=args.port or None,
            share=False,
            quiet=True,
            prevent_thread_lock=True,
            footer_links=[],
            run_history=False,  # Gradio would keep texts in the browser
            ssr_mode=False,
            mcp_server=False,
            enable_monitoring=False,
            # Another site that points its own name at 127.0.0.1 must not read the page.
            app_kwargs={"middleware": [Middleware(TrustedHostMiddleware, allowed_hosts=[HOST, "localhost"])]},
            theme=page.THEME,
            css_paths=page.CSS,
            js=page.KEYS.read_text(encoding="utf-8"),
        )
    except OSError as error:
        raise UserError(f"port {args.port or 7860}: taken", "close the other page, or name another: make review PORT=7999") from error
    print(f"review: {shown.local_url} (this machine only; Ctrl-C ends it)", flush=True)
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        print()
    finally:
        shown.close(verbose=False)


def main() -> None:
    args = parse_args()
    with tempfile.TemporaryDirectory(prefix="review-") as copies:
        serve(args, Path(copies))


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for folder in ("clips", "transcripts", "wav", "ledger"):
        parser.add_argument(folder, type=Path)
    parser.add_argument("--port", type=int, default=0, help="default: the first free one from 7860 on")
    return parser.parse_args()


if __name__ == "__main__":
    command.run(main)
