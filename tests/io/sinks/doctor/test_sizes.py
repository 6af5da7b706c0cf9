"""Sizes are told; dead rows, free room and a large ledger are warned of."""

from __future__ import annotations

from datetime import timedelta

import pytest

from sinks.database.catalogue.figures import Server, TableSize
from sinks.doctor import sizes
from tests.io.sinks.doctor.examined import NOW, said, wrong
from tests.io.sinks.tested_database import Database, make_batch


def test_many_dead_rows_are_told() -> None:
    many = sizes.MANY_DEAD
    item = sizes.dead_rows("t", TableSize(rows=many, dead=many))
    assert item is not None
    assert (item.level, item.where, "VACUUM" in item.todo) == ("warning", "t", True)
    assert sizes.dead_rows("t", TableSize(rows=100 * many, dead=many)) is None
    assert sizes.dead_rows("t", TableSize(rows=1, dead=many - 1)) is None
    assert sizes.dead_rows("t", TableSize(rows=1)) is None


def test_a_ledger_of_many_files_is_told() -> None:
    item = sizes.ledger(sizes.MANY_PARTITIONS)
    assert item is not None
    assert "ledger forget" in item.todo
    assert sizes.ledger(sizes.MANY_PARTITIONS - 1) is None


def test_free_room_is_told() -> None:
    much = sizes.MUCH_FREE
    assert sizes.free_room(Server("SQLite", "3", bytes=2 * much, free_bytes=much)) is not None
    assert sizes.free_room(Server("SQLite", "3", bytes=3 * much, free_bytes=much)) is None
    assert sizes.free_room(Server("SQLite", "3", bytes=much, free_bytes=much - 1)) is None
    assert sizes.free_room(Server("X", "1")) is None


def test_growth_is_that_of_a_day() -> None:
    since = NOW - timedelta(days=4)
    assert sizes.growth(TableSize(rows=9, grown=400, since=since), NOW) == 100.0
    assert sizes.growth(TableSize(rows=9, grown=400, since=NOW), NOW) is None
    assert sizes.growth(TableSize(rows=9, grown=400), NOW) is None


def test_a_small_database_is_fine(database: Database) -> None:
    database.sink(key=["id"])
    items = said(database, sizes.check)
    generic = database.kind == "generic"
    assert [item.level for item in items] == ["skipped" if generic else "ok"]
    if database.kind == "postgres":
        assert {'"ingest_jobs"', '"events"'} <= items[0].figures.keys()


def test_a_table_that_must_not_be_cleaned_is_told(postgres: Database) -> None:
    postgres.sink(key=["id"])
    assert wrong(postgres, sizes.check) == []
    postgres.run("ALTER TABLE events SET (autovacuum_enabled = false)")
    (item,) = wrong(postgres, sizes.check)
    assert (item.check, item.where) == ("autovacuum", '"events"')
    postgres.run('ALTER TABLE "events" RESET (autovacuum_enabled)')
    assert wrong(postgres, sizes.check) == []


def test_dead_rows_of_a_server_are_told(
    postgres: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    sink = postgres.sink(key=["id"])
    sink.commit([make_batch([{"id": str(n)} for n in range(300)])])
    postgres.run("DELETE FROM events", "ANALYZE events")
    assert wrong(postgres, sizes.check) == []
    monkeypatch.setattr(sizes, "MANY_DEAD", 100)
    (item,) = wrong(postgres, sizes.check)
    assert (item.check, item.where, item.figures["dead"]) == ("bloat", '"events"', 300)
