"""First failures are stored once each, however many come at once and whichever are there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from sinks.database.engine import transaction
from sinks.dead import upkeep
from sinks.jobs.first import insert
from sinks.jobs.first.columns import Entry
from tests.io.sinks.jobs.queued_jobs import PIPELINE, TABLE, retryable
from tests.io.sinks.tested_database import Database
from transforms.batch.retry_policy import Next

DEAD, AGAIN = Next("discarded", 1), Next("retryable", 1, 5.0)
STORED = 'SELECT "offset", state, message FROM ingest_jobs ORDER BY 1'
ENTERED = (
    'SELECT "offset" FROM ingest_dead JOIN ingest_jobs ON id = job '
    "JOIN ingest_fingerprints AS f ON f.id = fingerprint ORDER BY 1"
).replace("ON id =", "ON ingest_jobs.id =")
QUEUED = 'SELECT "offset" FROM ingest_queue JOIN ingest_jobs ON ingest_jobs.id = job ORDER BY 1'


def entry(offset: int, message: str = "no") -> Entry:
    return retryable(offset, message=message), AGAIN if offset % 3 == 0 else DEAD, 3


def prepare(database: Database) -> None:
    database.run(TABLE)
    database.sink(key=["id"]).prepare()


def store(database: Database, entries: Sequence[Entry]) -> None:
    with transaction(database.database, "store") as connection:
        groups = insert.insert_failures(connection, "events", "events", entries, "run-1", PIPELINE)
        upkeep.note(connection, groups)


def ask(database: Database, query: str) -> Any:
    quoted = "`offset`" if database.kind == "mariadb" else '"offset"'
    return database.rows(query.replace('"offset"', quoted))


def check(database: Database, rows: list[tuple[int, str]]) -> None:
    states = ["retryable" if offset % 3 == 0 else "discarded" for offset, _ in rows]
    expected = [(at, state, text) for (at, text), state in zip(rows, states, strict=True)]
    assert ask(database, STORED) == expected
    assert [at for (at,) in ask(database, ENTERED)] == [at for at, _ in rows if at % 3]
    assert [at for (at,) in ask(database, QUEUED)] == [at for at, _ in rows if at % 3 == 0]


def test_what_is_there_stays_as_it_is(database: Database) -> None:
    prepare(database)
    store(database, [entry(n) for n in range(2, 5)])
    store(database, [entry(n, "again") for n in range(7)])
    check(database, [(n, "no" if 2 <= n < 5 else "again") for n in range(7)])


@pytest.mark.parametrize(("at_once", "chunk"), [(4, 3), (10_000, 2), (1, 1)])
def test_they_may_come_in_parts(
    postgres: Database, monkeypatch: pytest.MonkeyPatch, at_once: int, chunk: int
) -> None:
    monkeypatch.setattr(insert, "AT_ONCE", at_once)
    monkeypatch.setattr(insert, "CHUNK", chunk)
    prepare(postgres)
    store(postgres, [entry(5)])
    store(postgres, [entry(n, "new") for n in range(12)])
    check(postgres, [(n, "no" if n == 5 else "new") for n in range(12)])
