"""Tokens of OAuth, by client credentials (RFC 6749, section 4.4)."""

from __future__ import annotations

import json
import threading
import time
from base64 import b64encode
from collections.abc import Callable, Mapping
from urllib.parse import quote

import urllib3

from clients.registry.http import AnswerTooLong, request
from transforms.errors import ServiceUnavailable, SourceRefused

_USED = 0.8
"""The part of a token's life after which another one is asked for."""

_SHORTEST_LIFE = 30.0


class Tokens:
    """The token of one process, renewed before it ends.

    Args:
        pool: For connections to the service that gives tokens.
        settings: With ``bearer.auth.issuer.endpoint.url`` and the client's id and secret.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        pool: urllib3.PoolManager,
        settings: Mapping[str, str],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._pool = pool
        self._settings = settings
        self._clock = clock
        self._lock = threading.Lock()
        self._token = ""
        self._until = 0.0

    def current(self) -> str:
        """A token that is valid now.

        Raises:
            ServiceUnavailable: The service that gives tokens is away.
            SourceRefused: It refuses the client.
        """
        with self._lock:
            if self._clock() >= self._until:
                self._token, life = self._asked()
                self._until = self._clock() + _USED * max(life, _SHORTEST_LIFE)
            return self._token

    def forget(self) -> None:
        """Ask for another one next time: the registry does not take this one."""
        with self._lock:
            self._until = 0.0

    def _asked(self) -> tuple[str, float]:
        names = ("bearer.auth.client.id", "bearer.auth.client.secret")
        user, secret = (quote(self._settings[name], safe="") for name in names)
        log_in = b64encode(f"{user}:{secret}".encode()).decode()
        fields = {"grant_type": "client_credentials"}
        if scope := self._settings.get("bearer.auth.scope"):
            fields["scope"] = scope
        url = self._settings["bearer.auth.issuer.endpoint.url"]
        headers = {"Authorization": f"Basic {log_in}", "Accept": "application/json"}
        try:
            status, body = request(self._pool, "POST", url, headers, fields)
        except AnswerTooLong:
            raise ServiceUnavailable("the service of tokens answers too much") from None
        if status in (400, 401, 403):
            raise SourceRefused(
                f"the service of tokens refuses the client (HTTP {status}): check bearer.auth.client.id, "
                "bearer.auth.client.secret and bearer.auth.scope of --schema_registry_config"
            )
        if status != 200:
            raise ServiceUnavailable(f"the service of tokens answers HTTP {status}")
        try:
            answer = json.loads(body)
            return str(answer["access_token"]), float(answer.get("expires_in", 0.0))
        except (ValueError, TypeError, LookupError):
            raise ServiceUnavailable("the service of tokens answers no token") from None
