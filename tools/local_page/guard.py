"""Who may talk to a local page: only who has its address, from the page itself, and without sending files.

The page's address holds a token (http://127.0.0.1:7860/<token>/), so another user of this machine cannot open it. It is in the path
and not in a cookie, because a browser sends the cookies of 127.0.0.1 to every port, also to other users' servers.
"""

import secrets
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

MAX_BODY_BYTES = 2**20  # an event of the page holds the ids of all clips
OPEN = "/gradio_api/startup-events"  # Gradio calls it itself when it starts; it does nothing more
POSTS = ("/gradio_api/queue/join", "/gradio_api/cancel", "/gradio_api/reset")  # what the page posts; uploads are not among them
UNUSED = ("/gradio_api/proxy=", "/gradio_api/info", "/gradio_api/openapi.json", "/runs", "/monitoring")
HEADERS = [  # on every answer
    (b"x-frame-options", b"DENY"),
    (b"content-security-policy", b"frame-ancestors 'none'; form-action 'none'"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
]


def new_token() -> str:
    """A token that nobody can guess (128 bits), in characters of a path."""
    return secrets.token_hex(16)


class Guard:
    """ASGI middleware: passes on only what is under the token, comes from the page itself, and is needed."""

    def __init__(self, app: App, token: str) -> None:
        self.app, self.token = app, token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or pass it on."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        headers = {name.lower(): value for name, value in scope["headers"]}
        path = scope["path"]
        inside = (
            secrets.compare_digest(path[1 : 1 + len(self.token)].encode(), self.token.encode()) and path[1 + len(self.token) :][:1] == "/"
        )
        if inside:
            path = path[1 + len(self.token) :]
            scope = {**scope, "root_path": f"{scope.get('root_path', '')}/{self.token}"}
        refused = self._refusal(scope, path, headers, inside=inside)
        if refused:
            await _answer(send, refused)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                ours = {name for name, _ in HEADERS}
                kept = [pair for pair in message.get("headers", []) if pair[0].lower() not in ours]
                message = {**message, "headers": [*kept, *HEADERS]}
            await send(message)

        await self.app(scope, _limited(receive), send_with_headers)

    def _refusal(self, scope: Scope, path: str, headers: dict[bytes, bytes], *, inside: bool) -> int:
        """The HTTP status to refuse a request with; 0 if it may pass."""
        if scope["type"] != "http":
            return 403
        if not inside:
            return 0 if path == OPEN and scope["method"] == "GET" else 401
        origin = b"%s://%s" % (scope["scheme"].encode(), headers.get(b"host", b""))
        if headers.get(b"origin", origin) != origin or headers.get(b"sec-fetch-site", b"none") not in (b"none", b"same-origin"):
            return 403
        if scope["method"] in ("GET", "HEAD"):
            return 403 if path.startswith(UNUSED) else 0
        if scope["method"] != "POST" or path.rstrip("/") not in POSTS:
            return 403
        length = headers.get(b"content-length", b"")
        return 0 if length.isdigit() and int(length) <= MAX_BODY_BYTES else 413


def _limited(receive: Receive) -> Receive:
    """`receive` that reports a client who sends more than MAX_BODY_BYTES as gone."""
    received = 0

    async def limited() -> Message:
        nonlocal received
        message = await receive()
        received += len(message.get("body", b""))
        return message if received <= MAX_BODY_BYTES else {"type": "http.disconnect"}

    return limited


async def _answer(send: Send, status: int) -> None:
    """An empty answer."""
    headers: Iterable[tuple[bytes, bytes]] = [*HEADERS, (b"content-length", b"0")]
    await send({"type": "http.response.start", "status": status, "headers": list(headers)})
    await send({"type": "http.response.body", "body": b""})
