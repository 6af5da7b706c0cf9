"""Flink's REST API: the few calls that are needed here, each with a timeout."""

from __future__ import annotations

import http.client
import json
from typing import Any
from urllib.parse import urlsplit

SECONDS = 15.0
"""The longest wait for one answer."""


class FlinkUnreachable(Exception):
    """No JobManager answers at an address, which the message names."""


class FlinkRefused(Exception):
    """The JobManager refused a call; the message is its first line."""


class FlinkRest:
    """The REST API of one JobManager.

    Args:
        master: ``host:port``, or ``http(s)://host:port``.
        seconds: The longest wait for one answer.
    """

    def __init__(self, master: str, seconds: float = SECONDS) -> None:
        self._seconds = seconds
        parts = urlsplit(master if "://" in master else f"http://{master}")
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise FlinkUnreachable(f"--flink_master {master}: write host:port or http://host:port")
        try:
            port = parts.port or (443 if parts.scheme == "https" else 8081)
        except ValueError as error:
            raise FlinkUnreachable(f"--flink_master {master}: {error}") from error
        self._kind: type[http.client.HTTPConnection] = (
            http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        )
        self._host, self._port, self._path = parts.hostname, port, parts.path.rstrip("/")
        self.address = f"{parts.scheme}://{self._host}:{self._port}{self._path}"

    def get(self, path: str) -> Any:
        """The answer to ``GET path``, decoded."""
        return self._call("GET", path, None)

    def post(self, path: str, body: dict[str, Any]) -> Any:
        """The answer to ``POST path``, decoded."""
        return self._call("POST", path, body)

    def patch(self, path: str) -> Any:
        """The answer to ``PATCH path``, decoded."""
        return self._call("PATCH", path, None)

    def _call(self, method: str, path: str, body: dict[str, Any] | None) -> Any:
        connection = self._kind(self._host, self._port, timeout=self._seconds)
        try:
            text = None if body is None else json.dumps(body)
            headers = {"Content-Type": "application/json"} if text else {}
            connection.request(method, self._path + path, text, headers)
            answer = connection.getresponse()
            content = answer.read()
        except (OSError, http.client.HTTPException) as error:
            raise FlinkUnreachable(
                f"no answer from a Flink JobManager at {self.address} ({error}); is it running?"
            ) from error
        finally:
            connection.close()
        try:
            decoded = json.loads(content) if content else {}
        except ValueError as error:
            raise FlinkUnreachable(f"{self.address} is not a Flink JobManager") from error
        if answer.status >= 400:
            errors = (decoded.get("errors") or [""]) if isinstance(decoded, dict) else [""]
            line = (str(errors[-1]).strip().splitlines() or [""])[0]
            raise FlinkRefused(f"Flink at {self.address} refused {method} {path}: {line[:300]}")
        return decoded
