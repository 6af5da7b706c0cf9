"""Changes that wait to be published, and those that were."""

from __future__ import annotations

import pytest

from sinks.console import outbox as reader
from sinks.console.outbox import Outbox, outbox
from sinks.sql import SqlSink
from tests.io.sinks.tested_database import Database, make_batch


def filled(database: Database, number: int = 6, table: str = "events") -> None:
    sink = SqlSink(database.sink(table, key=["id"]).config, outbox=True)
    values = [{"id": number} for number in range(number)]
    sink.commit([make_batch(values)])


def pages(database: Database, target: str | None = None, limit: int = 2) -> list[Outbox]:
    result: list[Outbox] = []
    after: int | None = None
    while not result or after is not None:
        result.append(outbox(database.database, target, after=after, limit=limit))
        after = result[-1].after
    return result


def test_each_change_that_waits_is_on_one_page(database: Database) -> None:
    filled(database)
    database.run("UPDATE ingest_outbox SET published_at = created_at WHERE id = 2")
    result = pages(database)
    assert [row.id for page in result for row in page.rows] == [1, 3, 4, 5, 6]
    (pending,) = result[0].pending
    assert (pending.target, pending.changes, result[0].counted) == ("events", 5, True)
    (published,) = result[0].published
    assert (published.id, published.target, published.operation) == (2, "events", "insert")
    assert published.published_at is not None
    assert published.size > 0


def test_a_table_is_searched_in_bounded_steps(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled(database, 9)
    database.run("UPDATE ingest_outbox SET target = 'other' WHERE id IN (1, 8, 9)")
    monkeypatch.setattr(reader, "LOOKED_AT", 4)
    result = pages(database, "other")
    assert [row.id for page in result for row in page.rows] == [1, 8, 9]
    assert [page.searched for page in result] == [4, 4, None]
    assert {one.target: one.changes for one in result[0].pending} == {"events": 6, "other": 3}


def test_an_empty_outbox_is_empty(database: Database) -> None:
    database.sink()
    result = outbox(database.database)
    assert (list(result.rows), list(result.pending), list(result.published)) == ([], [], [])
