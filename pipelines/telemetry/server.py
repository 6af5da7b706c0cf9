"""Answer over HTTP: ``/metrics`` for Prometheus, ``/live`` and ``/ready`` for whoever restarts processes."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from prometheus_client import CollectorRegistry, make_wsgi_app

from transforms.errors import ConfigError

MOST_REQUESTS = 8
"""How many requests are answered at once; the next ones are refused with 503."""

REQUEST_SECONDS = 10.0
"""How long a client may take to send its request or to take the answer."""


@dataclass(frozen=True, slots=True)
class Health:
    """The answer of ``/live`` or ``/ready``.

    Attributes:
        ok: Whether it is 200 rather than 503.
        reasons: Why not, one short line each.
        figures: What else is said.
    """

    ok: bool
    reasons: tuple[str, ...] = ()
    figures: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, reasons: Iterable[str], figures: Mapping[str, Any] | None = None) -> Health:
        """Well if there is no reason why not."""
        because = tuple(reasons)
        return cls(not because, because, figures or {})


Probe = Callable[[], Health]


@contextmanager
def serving(
    address: tuple[str, int], registry: CollectorRegistry, *, live: Probe, ready: Probe
) -> Iterator[int]:
    """Answer requests in threads of their own while the block runs.

    Args:
        address: Host and port to listen on; port 0 stands for any that is free.
        registry: The metrics.
        live: Whether the process works; if not, it should be restarted.
        ready: Whether it does its work now.

    Yields:
        The port.

    Raises:
        ConfigError: Nothing can listen there.
    """
    host, port = address
    try:
        server = _server_class(host)(address, _Quiet)
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ConfigError(
            f"cannot listen on {host}:{port}: {reason}; name another address"
        ) from error
    server.set_app(_App(registry, live, ready))
    thread = threading.Thread(target=server.serve_forever, name="http", daemon=True)
    thread.start()
    try:
        yield int(server.server_address[1])
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Quiet(WSGIRequestHandler):
    timeout = REQUEST_SECONDS

    def address_string(self) -> str:
        return str(self.client_address[0])  # and no question to a name server

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - as in the base class
        """Say nothing: a probe asks every few seconds."""


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 32

    def server_bind(self) -> None:
        """Bind without asking a name server for this host's name, as the base class would."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = str(self.server_address[0]), self.server_address[1]
        self.setup_environ()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: a client that goes away is no error of ours."""


def _server_class(host: str) -> type[_Server]:
    if ":" not in host:
        return _Server
    return type("_Server6", (_Server,), {"address_family": socket.AF_INET6})


class _App:
    """The WSGI application."""

    def __init__(self, registry: CollectorRegistry, live: Probe, ready: Probe) -> None:
        self._metrics = make_wsgi_app(registry)
        self._probes = {"/live": live, "/ready": ready}
        self._places = threading.BoundedSemaphore(MOST_REQUESTS)

    def __call__(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        if not self._places.acquire(blocking=False):
            return _answer(start, "503 Service Unavailable", {"reasons": ["too many requests"]})
        try:
            return self._answer(environ, start)
        finally:
            self._places.release()

    def _answer(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        if environ.get("REQUEST_METHOD") not in ("GET", "HEAD"):
            return _answer(start, "405 Method Not Allowed", {"reasons": ["use GET"]})
        if path == "/metrics":
            answer: Iterable[bytes] = self._metrics(environ, start)
            return answer
        if path in self._probes:
            health = self._probes[path]()
            status = "200 OK" if health.ok else "503 Service Unavailable"
            body = {"ok": health.ok, "reasons": list(health.reasons), **health.figures}
            return _answer(start, status, body)
        paths = ", ".join(["/metrics", *self._probes])
        return _answer(start, "404 Not Found", {"reasons": [f"there are {paths}"]})


def _answer(start: Callable[..., Any], status: str, body: Mapping[str, Any]) -> list[bytes]:
    content = json.dumps(body).encode() + b"\n"
    headers = [("Content-Type", "application/json"), ("Content-Length", str(len(content)))]
    start(status, [*headers, ("Cache-Control", "no-store")])
    return [content]
