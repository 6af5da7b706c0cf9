"""Make every check, each in a short transaction that only reads, and say what could not be asked."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar

import sqlalchemy as sa

from sinks.database.database import Database
from sinks.database.dialects import dialect_of
from sinks.database.engine import transaction
from sinks.database.migrations import version
from sinks.database.tables import VERSION
from sinks.doctor import (
    control,
    dead_letters,
    indexes,
    objects,
    outbox,
    owners,
    processes,
    retention,
    rights,
    server,
    sizes,
    versions,
)
from sinks.doctor.item import Item
from sinks.doctor.scope import Question, Scope, scope_of, time_of
from transforms.errors import ConfigError, Contention, SinkFailed

SECONDS = 10.0
"""How long a statement of a check may take."""

Check = Callable[[sa.Connection, Scope], Iterator[Item]]
Result = TypeVar("Result")

CHECKS: tuple[tuple[str, Check], ...] = (
    ("versions", versions.check),
    ("server", server.check),
    ("rights", rights.check),
    ("indexes", indexes.check),
    ("sizes", sizes.check),
    ("processes", processes.check),
    ("owners", owners.check),
    ("control", control.check),
    ("dead_letters", dead_letters.check),
    ("retention", retention.check),
    ("outbox", outbox.check),
    ("objects", objects.check),
)
"""Every check after that of the version of the tables, by its name."""


def examine(database: Database, question: Question) -> list[Item]:
    """What all checks say, in the order in which they are made.

    A check that takes too long, or that the database refuses, is one item that says so.

    Args:
        database: Which database.
        question: What is asked.

    Raises:
        ConfigError: The database has no ``ingest_`` tables, or there is no such pipeline or role.
        SinkUnavailable: The database cannot be reached.
    """
    version.require(database, migrated=False)
    of_tables = _asked(database, lambda connection: version.version_of(connection) or 0)
    items = [versions.tables(of_tables)]
    if of_tables != VERSION:
        bare = _asked(database, lambda connection: time_of(connection, question))
        items += _made(database, "versions", _server_only, bare)
        return items
    scope = _asked(database, lambda connection: scope_of(connection, question))
    _check_pipeline(scope)
    for name, check in CHECKS:
        items += _made(database, name, check, scope)
    return items


def _asked(database: Database, ask: Callable[[sa.Connection], Result]) -> Result:
    with transaction(database, "examine it", write=False) as connection:
        dialect_of(connection).limit_statements(connection, SECONDS)
        return ask(connection)


def _made(database: Database, name: str, check: Check, scope: Scope) -> list[Item]:
    try:
        return _asked(database, lambda connection: list(check(connection, scope)))
    except (Contention, SinkFailed) as error:
        todo = "see what the database says: a right to read, a lock, or more than a check may take"
        return [Item(name, "skipped", f"not asked: {error}", "database", todo)]


def _server_only(connection: sa.Connection, scope: Scope) -> Iterator[Item]:
    """What can be asked of a database whose tables this program does not know."""
    yield versions.server(dialect_of(connection).server(connection), scope.now.date())


def _check_pipeline(scope: Scope) -> None:
    names = {*scope.names, *(run.pipeline for run in scope.runs)}
    asked = scope.question.pipeline
    if asked is not None and asked not in names:
        raise ConfigError(
            f"there is no pipeline {asked!r} here; there are {', '.join(scope.names) or 'none'}"
        )
