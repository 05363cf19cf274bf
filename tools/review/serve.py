"""Listen to the clips, the most doubtful first; correct their texts, accept or reject them (`make review`).

    .venv/review/bin/python -m tools.review.serve data/clips data/transcripts data/wav reports/ledger

Reads   the stages' outputs, and from params.yaml: `notes`, `corrections` and the limits of `curate`
Writes  the corrections file, after every decision; `dvc repro` applies them

Only who has the address can open the page: it is on this machine alone (127.0.0.1) and holds a token (guard.py). The page
fetches nothing from others. Gradio needs an older Pillow than
the stages, so it has an environment of its own (requirements-review.txt).
"""

import argparse
import os
import signal
import tempfile
import threading
from pathlib import Path
from types import FrameType

from tools.review import guard
from voz.pipeline import command, params
from voz.pipeline.command import UserError
from voz.pipeline.language import tr

HOST = "127.0.0.1"
COPIES_IN = Path(".cache")  # voz.pipeline.cache's folder, which this environment cannot import: `make forget` finds there what kill -9 left


def set_environment(copies: Path) -> None:
    """Set Gradio's environment, before it is imported: no analytics, its files in `copies`, no GRADIO_SHARE or the like."""
    for name in [name for name in os.environ if name.startswith("GRADIO_")]:
        del os.environ[name]
    os.environ.update(GRADIO_ANALYTICS_ENABLED="False", GRADIO_TEMP_DIR=str(copies), HF_HUB_DISABLE_TELEMETRY="1")
    for name in ("no_proxy", "NO_PROXY"):  # Gradio requests its own page once to check that it is up
        os.environ[name] = ",".join(part for part in (os.environ.get(name, ""), HOST) if part)


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
    set_environment(copies)
    # Imported only now: Gradio reads its environment when it is imported.
    from starlette.middleware import Middleware
    from starlette.middleware.trustedhost import TrustedHostMiddleware

    from tools.review import page
    from tools.review.backend import Backend, Folders

    paths = (args.clips, args.transcripts, args.wav, read_path("notes"), args.ledger, read_path("corrections"), copies)
    token = guard.new_token()
    blocks = page.build(Backend(Folders(*paths)))
    try:
        blocks.launch(
            server_name=HOST,
            server_port=args.port or None,
            share=False,
            quiet=True,
            prevent_thread_lock=True,
            footer_links=[],
            run_history=False,  # the browser would store texts
            ssr_mode=False,
            mcp_server=False,
            enable_monitoring=False,
            # A web site whose name resolves to 127.0.0.1 must not read the page.
            app_kwargs={
                "middleware": [Middleware(TrustedHostMiddleware, allowed_hosts=[HOST, "localhost"]), Middleware(guard.Guard, token=token)]
            },
            theme=page.THEME,
            css_paths=page.CSS,
            js=page.KEYS.read_text(encoding="utf-8"),
        )
    except OSError as error:
        raise UserError(
            "port {port}: in use", "stop the other server, or choose another port: make review PORT=7999", port=args.port or 7860
        ) from error
    print(tr("review: {url}{token}/ (for you alone: do not pass it on; Ctrl-C stops it)", url=blocks.local_url, token=token), flush=True)
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        print()
    finally:
        blocks.close(verbose=False)


def main() -> None:
    args = parse_args()
    signal.signal(signal.SIGHUP, _hang_up)  # the terminal was closed
    COPIES_IN.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="review-", dir=COPIES_IN.resolve()) as copies:
        serve(args, Path(copies))


def _hang_up(number: int, frame: FrameType | None) -> None:
    raise command.Terminated


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for folder in ("clips", "transcripts", "wav", "ledger"):
        parser.add_argument(folder, type=Path)
    parser.add_argument("--port", type=int, default=0, help="default: the first free port from 7860 on")
    return parser.parse_args()


if __name__ == "__main__":
    command.run(main)
