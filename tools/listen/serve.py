"""Type a text and hear the base, the current voice and earlier ones side by side (`make listen`).

    .venv/review/bin/python -m tools.listen.serve --python .venv/bin/python [--log said.jsonl] [HEAD~3 exp-name ...]

Reads   what speaker.py reads
Writes  nothing, unless --log names a file for the texts; the sounds lie in a temporary folder until the page is closed

Only this machine can open the page (127.0.0.1), and the page fetches nothing from others. It runs in Gradio's environment, like
the review page; the voices speak in the project's.
"""

import argparse
import tempfile
import threading
from pathlib import Path

from tools.listen.client import Speaker
from tools.review.serve import HOST, set_environment
from voz.pipeline import command
from voz.pipeline.command import UserError
from voz.pipeline.language import tr


def serve(args: argparse.Namespace, copies: Path) -> None:
    """Serve the page until Ctrl-C."""
    set_environment(copies)
    # Imported only now: Gradio reads its environment when it is imported.
    from starlette.middleware import Middleware
    from starlette.middleware.trustedhost import TrustedHostMiddleware

    from tools.listen import page

    speaker = Speaker(args.python, copies, args.revs, args.log)
    blocks = page.build(speaker, copies)
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
            app_kwargs={"middleware": [Middleware(TrustedHostMiddleware, allowed_hosts=[HOST, "localhost"])]},
            theme=page.THEME,
            css_paths=page.CSS,
        )
        print(tr("listen: {url} (this machine only; Ctrl-C stops it)", url=blocks.local_url), flush=True)
        threading.Event().wait()
    except OSError as error:
        raise UserError(
            "port {port}: in use", "stop the other server, or choose another port: make listen PORT=7999", port=args.port or 7860
        ) from error
    except KeyboardInterrupt:
        print()
    finally:
        blocks.close(verbose=False)
        speaker.close()


def main() -> None:
    args = parse_args()
    with tempfile.TemporaryDirectory(prefix="listen-") as copies:
        serve(args, Path(copies))


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("revs", nargs="*", help="commits or experiments whose voices are heard too")
    parser.add_argument("--python", type=Path, required=True, help="of the project's environment")
    parser.add_argument("--log", type=Path, help="file for the texts that are spoken and their settings (default: none)")
    parser.add_argument("--port", type=int, default=0, help="default: the first free port from 7860 on")
    return parser.parse_args()


if __name__ == "__main__":
    command.run(main)
