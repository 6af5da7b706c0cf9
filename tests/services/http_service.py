"""A service as a step may call it: HTTP on a real socket, as slow, as broken or as silent as a test wants."""

from __future__ import annotations

import asyncio
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

SILENT = 0
"""The status of a service that accepts a call and never answers it."""


@dataclass
class HttpService:
    """A server on a thread of its own.

    Attributes:
        seconds: How long each answer takes.
        status: The status of the next answers; ``SILENT`` for none. A function of the number of the call
            may decide.
        calls: When each call came (monotonic seconds), with its path.
        most_at_once: The most calls that were under way at the same time.
    """

    seconds: float = 0.0
    status: int | Callable[[int], int] = 200
    calls: list[tuple[float, str]] = field(default_factory=list)
    most_at_once: int = 0
    port: int = 0
    _at_once: int = 0
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)
    _server: asyncio.Server | None = None

    def url(self, path: object = "") -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}/{path}"

    def start(self) -> None:
        """Listen, on the same port as before if it was stopped."""
        asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result()

    def stop(self) -> None:
        """Refuse connections, and close those that are open."""
        asyncio.run_coroutine_threadsafe(self._leave(), self._loop).result()

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(
            self._answer, "127.0.0.1", self.port, backlog=1024
        )
        self.port = self._server.sockets[0].getsockname()[1]

    async def _leave(self) -> None:
        assert self._server is not None
        self._server.close()
        for task in asyncio.all_tasks():
            if task is not asyncio.current_task():
                task.cancel()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                await self._one(head, writer)
        with suppress(Exception):
            writer.close()

    async def _one(self, head: bytes, writer: asyncio.StreamWriter) -> None:
        self.calls.append((time.monotonic(), head.split()[1].decode()))
        number = len(self.calls)
        self._at_once += 1
        self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            status = self.status(number) if callable(self.status) else self.status
            if status == SILENT:
                await asyncio.sleep(3600)
            await asyncio.sleep(self.seconds)
        finally:
            self._at_once -= 1
        text = b"%d" % number
        writer.write(b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n%s" % (status, len(text), text))
        await writer.drain()


@contextmanager
def http_service(seconds: float = 0.0) -> Iterator[HttpService]:
    """A running service."""
    service = HttpService(seconds)
    thread = threading.Thread(target=service._loop.run_forever, daemon=True)
    thread.start()
    service.start()
    try:
        yield service
    finally:
        with suppress(Exception):
            service.stop()
        service._loop.call_soon_threadsafe(service._loop.stop)
        thread.join()
        service._loop.close()


def get(url: str, timeout: float | None = None) -> bytes:
    """What the service answers; raises what urllib raises."""
    with urllib.request.urlopen(url, timeout=timeout) as response:
        body: bytes = response.read()
        return body
