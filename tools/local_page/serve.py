"""Serve a Gradio page to one person, on this machine alone, until Ctrl-C.

Only who has the address can open the page: it is on 127.0.0.1 and holds a token (guard.py). The page fetches nothing from others.
Gradio needs an older Pillow than the stages, so it has an environment of its own (requirements-review.txt).
"""

import errno
import os
import threading
from pathlib import Path
from typing import Any

from tools.local_page import guard
from voz.pipeline.command import UserError
from voz.pipeline.language import later, tr

HOST = "127.0.0.1"
_IN_USE = (None, errno.EADDRINUSE)  # Gradio's own error for a port that is in use has no number


def set_environment(copies: Path) -> None:
    """Set Gradio's environment, before it is imported: no analytics, its files in `copies`, no GRADIO_SHARE or the like."""
    for name in [name for name in os.environ if name.startswith("GRADIO_")]:
        del os.environ[name]
    os.environ.update(GRADIO_ANALYTICS_ENABLED="False", GRADIO_TEMP_DIR=str(copies), HF_HUB_DISABLE_TELEMETRY="1")
    for name in ("no_proxy", "NO_PROXY"):  # Gradio requests its own page once to check that it is up
        os.environ[name] = ",".join(part for part in (os.environ.get(name, ""), HOST) if part)


def serve(blocks: Any, *, name: str, port: int, **look: Any) -> None:
    """Serve a page until Ctrl-C, and print its address.

    Args:
        blocks: a `gradio.Blocks`.
        name: of the make target.
        port: 0 = the first free one from 7860 on.
        look: theme, styles and scripts, as `Blocks.launch` takes them.

    Raises:
        UserError: the port is in use.
    """
    token = guard.new_token()
    try:
        _launch(blocks, token, name, port, look)
        address = f"{blocks.local_url}{token}/"
        print(tr("{name}: {address} (for you alone: do not pass it on; Ctrl-C stops it)", name=name, address=address), flush=True)
        threading.Event().wait()
    except KeyboardInterrupt:
        print()
    finally:
        blocks.close(verbose=False)


def _launch(blocks: Any, token: str, name: str, port: int, look: dict[str, Any]) -> None:
    """Start the server. See `serve`."""
    from starlette.middleware import Middleware  # after `set_environment`, as Gradio
    from starlette.middleware.trustedhost import TrustedHostMiddleware

    # A web site whose name resolves to 127.0.0.1 must not read the page.
    own_host = Middleware(TrustedHostMiddleware, allowed_hosts=[HOST, "localhost"])
    try:
        blocks.launch(
            server_name=HOST,
            server_port=port or None,
            share=False,
            quiet=True,
            prevent_thread_lock=True,
            footer_links=[],
            run_history=False,  # the browser would store texts
            ssr_mode=False,
            mcp_server=False,
            enable_monitoring=False,
            app_kwargs={"middleware": [own_host, Middleware(guard.Guard, token=token)]},
            **look,
        )
    except OSError as error:
        if error.errno not in _IN_USE:
            raise
        fix = later("stop the other server, or choose another port: make {name} PORT=7999")
        raise UserError("port {port}: in use", fix, port=port or 7860, name=name) from error
