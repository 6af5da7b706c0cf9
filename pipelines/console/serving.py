"""Serve the console until a signal ends it."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from pipelines.console.application import Console
from pipelines.console.config import ConsoleConfig
from pipelines.console.samples import sampled
from pipelines.console.security import HEADERS, MOST_HEAD
from runners.signals import stop_on_signals
from sinks.bulk.worker import Worker
from transforms.errors import ConfigError

MOST_CONNECTIONS = 256
BACKLOG = 128
KEEP_ALIVE_SECONDS = 20
END_SECONDS = 10
WORK_SECONDS = 120
"""How long a statement of a long order may take."""


def serve(config: ConsoleConfig, announce: Callable[[str], None]) -> None:
    """Serve until SIGINT or SIGTERM, which lets open requests end; a second one ends at once.

    Args:
        config: The options.
        announce: Called with the address once it answers there.

    Raises:
        ConfigError: The options are wrong, or nothing can listen there.
    """
    console = Console(config)
    try:
        with (
            orders_carried_out(config),
            sampled(config.database),
            _listening(config.listen) as listener,
        ):
            settings: Any = {
                "http": partial(_Protocol, head_seconds=config.head_seconds),
                "ws": "none",
                "lifespan": "off",
                "loop": "asyncio",
                "log_config": None,
                "access_log": False,
                "proxy_headers": False,
                "server_header": False,
                "limit_concurrency": MOST_CONNECTIONS,
                "backlog": BACKLOG,
                "timeout_keep_alive": KEEP_ALIVE_SECONDS,
                "timeout_graceful_shutdown": END_SECONDS,
                "h11_max_incomplete_event_size": MOST_HEAD,
            }
            server = _Server(uvicorn.Config(console, **settings))
            server.announced = lambda: announce(_address(config.listen[0], listener))
            with stop_on_signals(server.stop):
                asyncio.run(server.serve(sockets=[listener]))
    finally:
        console.close()


@contextlib.contextmanager
def orders_carried_out(config: ConsoleConfig) -> Iterator[None]:
    """A thread that carries out long orders meanwhile, unless the console only reads."""
    # Its statements change thousands of records, and take longer than those of a page.
    worker = Worker(replace(config.database, statement_timeout=WORK_SECONDS))
    if not config.read_only:
        worker.start()
    try:
        yield
    finally:
        worker.stop(END_SECONDS)


class _Server(uvicorn.Server):
    """Leaves signals to this project, and says when it answers."""

    announced: Callable[[], None]

    def stop(self) -> None:
        self.should_exit = True

    def capture_signals(self) -> contextlib.AbstractContextManager[None]:  # type: ignore[override]
        return contextlib.nullcontext()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.announced()


class _Protocol(H11Protocol):
    """Closes connections that do not send the head of a request in time."""

    def __init__(self, *, head_seconds: float, **options: Any) -> None:
        super().__init__(**options)
        self._head_seconds = head_seconds

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._expect()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._expect()

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP, with the headers of every answer."""
        content = msg.encode("ascii", "replace") + b"\n"
        headers = [
            *((name.lower().encode(), value.encode()) for name, value in HEADERS.items()),
            (b"content-type", b"text/plain; charset=utf-8"),
            (b"content-length", str(len(content)).encode()),
            *((b"cache-control", b"no-store"), (b"connection", b"close")),
        ]
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            for event in (
                h11.Response(status_code=400, headers=headers),
                h11.Data(data=content),
                h11.EndOfMessage(),
            ):
                self.transport.write(self.conn.send(event) or b"")
        self.transport.close()

    def _expect(self) -> None:
        self.loop.call_later(self._head_seconds, self._close_unless_after, self.cycle)

    def _close_unless_after(self, cycle: Any) -> None:
        if self.cycle is cycle and not self.transport.is_closing():
            self.transport.close()


@contextlib.contextmanager
def _listening(address: tuple[str, int]) -> Iterator[socket.socket]:
    host, port = address
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
            listener.listen(BACKLOG)
        except (OSError, OverflowError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise ConfigError(
                f"cannot listen on {host}:{port}: {reason}; name another address"
            ) from error
        yield listener


def _address(host: str, listener: socket.socket) -> str:
    shown = f"[{host}]" if ":" in host else host
    return f"http://{shown}:{listener.getsockname()[1]}/"
