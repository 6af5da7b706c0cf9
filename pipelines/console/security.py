"""What holds for every answer and every request, whichever screen it is for: headers and limits."""

from __future__ import annotations

import asyncio
import contextlib

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
"""Sent with every answer."""

MOST_HEAD = 32 * 1024
"""Bytes of the address and the headers of a request."""

MOST_BODY = 2 * 1024 * 1024
MOST_REQUESTS = 64
METHODS = frozenset({"GET", "HEAD", "POST"})
LINGER_SECONDS = 1.0
"""How long an answer waits for the rest of a body that nobody wants: a connection that is closed before
the client has sent all of it is reset, and the client may never see the answer."""


class TooLarge(Exception):
    """The body of a request is larger than ``MOST_BODY``."""


class Guard:
    """Passes requests on within limits, and adds the headers to their answers."""

    def __init__(self, app: ASGIApp, most_requests: int = MOST_REQUESTS) -> None:
        self._app = app
        self._most = most_requests
        self._open = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = whole = False
        taken = 0

        async def answer(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.body" and not message.get("more_body"):
                await take_the_rest()
            if message["type"] == "http.response.start":
                started = True
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        async def take() -> Message:
            nonlocal taken, whole
            message = await receive()
            whole = not message.get("more_body", False)
            if message["type"] == "http.request":
                taken += len(message.get("body", b""))
                if taken > MOST_BODY:
                    raise TooLarge
            return message

        async def take_the_rest() -> None:
            with contextlib.suppress(TimeoutError, TooLarge):
                async with asyncio.timeout(LINGER_SECONDS):
                    while not whole:
                        await take()

        refusal = self._refusal(scope)
        if refusal is not None:
            await _refuse(*refusal, answer)
            return
        self._open += 1
        try:
            await self._app(scope, take, answer)
        except TooLarge:
            if started:
                raise
            await _refuse(413, f"a request has at most {MOST_BODY} bytes", answer)
        finally:
            self._open -= 1

    def _refusal(self, scope: Scope) -> tuple[int, str] | None:
        # The server counts a head only while it is incomplete: one that comes at once goes through.
        head = sum(len(name) + len(value) for name, value in scope["headers"])
        address = (scope.get("raw_path") or b"", scope.get("query_string", b""))
        if head + sum(map(len, address)) > MOST_HEAD:
            return 431, f"the address and the headers have at most {MOST_HEAD} bytes"
        if scope["method"] not in METHODS:
            return 405, "use GET, HEAD or POST"
        length = next(
            (value for name, value in scope["headers"] if name == b"content-length"), b"0"
        )
        if not length.isdigit():
            return 400, "Content-Length is no number"
        if int(length) > MOST_BODY:
            return 413, f"a request has at most {MOST_BODY} bytes"
        if self._open >= self._most and scope["path"] != "/live":
            return 503, "too many requests at once; try again"
        return None


async def _refuse(status: int, line: str, send: Send) -> None:
    content = f"{line}\n".encode()
    headers = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", str(len(content)).encode()),
        (b"connection", b"close"),
    ]
    more = {405: (b"allow", b"GET, HEAD, POST"), 503: (b"retry-after", b"2")}.get(status)
    headers += [more] if more else []
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": content})
