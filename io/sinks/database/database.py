"""A database: where it is, and how long to wait for it."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

from transforms.errors import ConfigError
from transforms.secret_urls import conceal_url, resolve_url


@dataclass(frozen=True, slots=True)
class Database:
    """How to reach a database: picklable, without secrets.

    A secret in ``url`` is replaced by a reference that resolves in this process only
    (``transforms.secret_urls``); ``${env:NAME}`` and ``${file:PATH}`` travel.

    Attributes:
        url: Its SQLAlchemy URL.
        connect_timeout: Seconds to wait for a connection.
        statement_timeout: Seconds after which the database cancels a statement (Postgres),
            or how long to wait for another writer (SQLite).
        rehearsal: Names the rehearsal (``sinks.rehearsal``) that this is the database of: nothing that is
            written to it stays. Empty for a database that is written to in earnest. Whatever a
            process remembers of tables, it remembers by their database, so that nothing of a
            rehearsal outlives it.

    Raises:
        ConfigError: A timeout is shorter than a second, or it is not clear where the password in
            ``url`` ends.
    """

    url: str
    connect_timeout: int = 10
    statement_timeout: int = 120
    rehearsal: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "url", conceal_url(self.url))
        if self.connect_timeout < 1 or self.statement_timeout < 1:
            raise ConfigError("connect_timeout and statement_timeout must be at least 1 second")

    def __str__(self) -> str:
        """The database as messages name it: never with user or password."""
        url = sa.make_url(resolve_url(self.url))
        if url.get_backend_name() in ("sqlite", "duckdb"):  # files
            return f"{url.get_backend_name()} database {url.database}"
        host = url.host or url.query.get("host") or "localhost"
        port = f":{url.port}" if url.port else ""
        return f"{url.get_backend_name()} database {url.database or ''} at {host}{port}"
