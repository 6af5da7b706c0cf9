"""Ask a schema registry for schemas."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Any
from urllib.parse import quote

from clients.registry.config import RegistryConfig
from clients.registry.http import AnswerTooLong, pool_of, request
from clients.registry.token import Tokens
from transforms.errors import ServiceUnavailable, SourceRefused
from transforms.parse.registry.schema import (
    AVRO,
    SchemaId,
    UnknownSchema,
    Unusable,
    WireSchema,
)

MOST_REFERENCES = 500
"""How many schemas one refers to at most, all together."""

_DEEPEST = 50
_ACCEPT = "application/vnd.schemaregistry.v1+json, application/json"
_REFUSED = (401, 403)
_WAITS = (408, 425, 429)


class RegistryClient:
    """The client of one process; for all threads.

    Args:
        config: How to reach the registry.

    Raises:
        ConfigError: A secret cannot be resolved, or a file of certificates cannot be read.
    """

    def __init__(self, config: RegistryConfig) -> None:
        settings = config.resolved()
        self._urls = list(config.urls)
        self._pool = pool_of(settings)
        self._headers = {"Accept": _ACCEPT, **_log_in(settings)}
        issuer = "bearer.auth.issuer.endpoint.url" in settings
        self._tokens = Tokens(self._pool, settings) if issuer else None

    def __reduce__(self) -> Any:
        raise TypeError("a client holds secrets and connections, and is not pickled")

    def schema(self, id: SchemaId) -> WireSchema:  # noqa: A002 - the concept's name
        """The schema of an id, with all that it refers to.

        Raises:
            UnknownSchema, ServiceUnavailable, SourceRefused, Unusable: As ``Schemas.fetch``.
        """
        path = f"/schemas/ids/{id}" if isinstance(id, int) else f"/schemas/guids/{id}"
        answer = self._get(path)
        if answer is None:
            raise UnknownSchema("the registry has no such schema")
        return self._whole(answer)

    def latest(self, subject: str) -> WireSchema | None:
        """The newest schema of a subject, with all that it refers to; None if there is none.

        Raises:
            ServiceUnavailable, SourceRefused, Unusable: As ``Schemas.fetch``.
        """
        answer = self._get(f"/subjects/{quote(subject, safe='')}/versions/latest")
        return None if answer is None else self._whole(answer)

    def subjects(self, id: SchemaId) -> list[str]:  # noqa: A002 - the concept's name
        """The subjects that have the schema of an id, in the order of their names.

        Raises:
            ServiceUnavailable, SourceRefused, Unusable: As ``Schemas.fetch``.
        """
        if isinstance(id, int):
            versions = self._get(f"/schemas/ids/{id}/versions")
            return sorted({str(each["subject"]) for each in _objects(versions, "subject")})
        numbers = _objects(self._get(f"/schemas/guids/{id}/ids"), "id")
        return sorted({name for each in numbers for name in self.subjects(int(each["id"]))})

    def check(self) -> bool:
        """Whether a registry answers at the address.

        Raises:
            ServiceUnavailable, SourceRefused: As ``Schemas.fetch``.
        """
        return self._get("/schemas/types") is not None

    def _whole(self, answer: Any) -> WireSchema:
        if not isinstance(answer, dict):
            raise Unusable("the registry answers without a schema")
        references: dict[str, str] = {}
        self._collect(answer, references, set(), 0)
        return WireSchema(
            str(answer.get("schemaType") or AVRO), _text(answer), tuple(references.items())
        )

    def _collect(
        self, answer: Any, into: dict[str, str], seen: set[tuple[str, str]], depth: int
    ) -> None:
        """Add what a schema refers to, each behind what it refers to itself."""
        for reference in answer.get("references") or ():
            try:
                name, subject = str(reference["name"]), str(reference["subject"])
                version = str(int(reference["version"]))
            except (TypeError, LookupError, ValueError):
                raise Unusable("the registry names a reference that is none") from None
            if (subject, version) in seen:
                continue
            seen.add((subject, version))
            if len(seen) > MOST_REFERENCES or depth > _DEEPEST:
                raise Unusable(f"it refers to more than {MOST_REFERENCES} schemas, or too deep")
            path = f"/subjects/{quote(subject, safe='')}/versions/{version}?deleted=true"
            referred = self._get(path)
            if not isinstance(referred, dict):
                raise UnknownSchema(
                    f"it refers to {name[:200]!r}, which the registry does not have"
                )
            self._collect(referred, into, seen, depth + 1)
            into.setdefault(name, _text(referred))

    def _get(self, path: str) -> Any:
        """The answer to a GET as JSON; None if there is no such thing."""
        away = ServiceUnavailable("no address")
        for url in tuple(self._urls):
            try:
                return self._get_at(url, path)
            except ServiceUnavailable as error:
                away = error
                self._urls.append(self._urls.pop(0))  # ask another one first from now on
        raise away

    def _get_at(self, url: str, path: str) -> Any:
        status, body = self._answered(url + path)
        if status == 401 and self._tokens is not None:
            self._tokens.forget()
            status, body = self._answered(url + path)
        if status in _REFUSED:
            raise SourceRefused(
                f"the schema registry at {url} refuses the credentials (HTTP {status}): see "
                "--schema_registry_config"
            )
        if status in _WAITS or status >= 500 or 300 <= status < 400:
            raise ServiceUnavailable(f"HTTP {status}")
        if status >= 400:
            return None
        try:
            return json.loads(body)
        except ValueError:
            raise ServiceUnavailable("the answer is not JSON") from None

    def _answered(self, url: str) -> tuple[int, bytes]:
        headers = self._headers
        if self._tokens is not None:
            headers = {**headers, "Authorization": f"Bearer {self._tokens.current()}"}
        try:
            return request(self._pool, "GET", url, headers)
        except AnswerTooLong:
            raise Unusable("the answer of the registry is longer than 4 MiB") from None


def _log_in(settings: dict[str, str]) -> dict[str, str]:
    """The headers that say who asks."""
    headers: dict[str, str] = {}
    if user := settings.get("basic.auth.user.info"):
        headers["Authorization"] = f"Basic {b64encode(user.encode()).decode()}"
    if token := settings.get("bearer.auth.token"):
        headers["Authorization"] = f"Bearer {token}"
    if cluster := settings.get("bearer.auth.logical.cluster"):
        headers["target-sr-cluster"] = cluster
    if pool := settings.get("bearer.auth.identity.pool.id"):
        headers["Confluent-Identity-Pool-Id"] = pool
    return headers


def _objects(answer: Any, field: str) -> list[dict[str, Any]]:
    """The objects of a list that have a field; what else may be in the answer is passed over."""
    if not isinstance(answer, list):
        return []
    return [each for each in answer if isinstance(each, dict) and field in each]


def _text(answer: Any) -> str:
    text = answer.get("schema")
    if not isinstance(text, str):
        raise Unusable("the registry answers without a schema")
    return text
