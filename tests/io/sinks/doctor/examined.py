"""What a check says of a database under test."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from sinks.database.engine import transaction
from sinks.doctor.examine import Check
from sinks.doctor.item import Item
from sinks.doctor.scope import LastRun, Question, Scope, scope_of
from tests.io.sinks.tested_database import Database

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)


def said(database: Database, check: Check, question: Question | None = None) -> list[Item]:
    """Everything that the check says."""
    with transaction(database.database, "test", write=False) as connection:
        scope = scope_of(connection, question or Question(program="1.2.3"))
        return list(check(connection, scope))


def wrong(database: Database, check: Check, question: Question | None = None) -> list[Item]:
    """What it says that somebody has to do something about."""
    items = said(database, check, question)
    return [item for item in items if item.level in ("warning", "error")]


def scope(database: Database, question: Question | None = None) -> Scope:
    with transaction(database.database, "test", write=False) as connection:
        return scope_of(connection, question or Question())


def ago(**period: float) -> str:
    """A time so long ago, as SQL text."""
    return f"'{datetime.now(UTC) - timedelta(**period):%Y-%m-%d %H:%M:%S.%f}'"


def last_run(**fields: Any) -> LastRun:
    """A stream of pipeline ``p`` into table ``t`` that goes on."""
    usual = {
        "id": "run-1",
        "pipeline": "p",
        "target": "t",
        "options": {},
        "streaming": True,
        "started_at": NOW - timedelta(days=9),
        "outcome": None,
        "heard_at": NOW,
    }
    return LastRun(**{**usual, **fields})


def told(items: Iterator[Item]) -> list[tuple[str, str]]:
    """Level and place of each item."""
    return [(item.level, item.where) for item in items]


def insert(database: Database, table: sa.Table, *rows: dict[str, Any]) -> None:
    with transaction(database.database, "test") as connection:
        connection.execute(sa.insert(table), list(rows))
