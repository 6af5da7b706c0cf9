"""Deletes that were kept long enough are forgotten, unless something older may still come."""

from __future__ import annotations

import threading
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from sinks.database.engine import transaction
from sinks.expiry import removal
from sinks.expiry.removal import removable, remove, targets_of
from sinks.order import positions
from sinks.order.state import Place, State
from tests.io.sinks.expiry.gone_keys import (
    SOURCE,
    forget_later,
    left,
    marked,
    prepared,
    settled,
)
from tests.io.sinks.jobs.stored_jobs import store
from tests.io.sinks.tested_database import Database

MONTH = timedelta(days=30)


def removed(database: Database, **options: Any) -> list[int]:
    """Forget what is older than a month; returns how many each transaction has entered."""
    numbers: list[int] = []

    def entered(_connection: sa.Connection, target: str, before: datetime, number: int) -> None:
        assert (target, before < datetime.now(UTC) - MONTH) == ("events", True)
        numbers.append(number)

    promised = removable(database.database, "events", MONTH)
    total = remove(database.database, "events", MONTH, entered, **options)
    assert sum(numbers) == total
    assert total == promised or options
    return numbers


def test_only_what_is_gone_for_longer_is_forgotten(database: Database) -> None:
    prepared(database)
    settled(database, (0, 100))
    forget_later(database, 3, 9)
    forget_later(database, 20, age=timedelta(days=29), start=10)
    forget_later(database, 30, deleted=False, start=20)
    forget_later(database, 40, target="others", start=30)
    assert removed(database) == [2]
    assert (left(database), left(database, "others")) == ([20], [40])
    assert database.rows("SELECT count(*) FROM ingest_positions WHERE NOT deleted") == [(1,)]
    assert marked(database) == [("events", "0", 9)]
    assert removed(database) == []
    with transaction(database.database, "test") as connection:
        assert targets_of(connection) == ["events", "others"]


def test_what_lies_behind_a_gap_stays_until_the_gap_is_read(database: Database) -> None:
    prepared(database)
    settled(database, (5, 10), (20, 30))
    forget_later(database, 7, 10, 25)
    forget_later(database, 1, partition="of a ledger that is gone", start=10)
    assert removed(database) == [2]
    assert left(database) == [10, 25]
    database.run("UPDATE ingest_progress SET end_offset = 20 WHERE start_offset = 5")
    assert removed(database) == [2]
    assert left(database) == []


def test_a_failed_record_keeps_what_was_deleted_since_a_period_before_it(
    database: Database,
) -> None:
    prepared(database)
    settled(database, (0, 100))
    forget_later(database, 3, age=timedelta(days=49))
    forget_later(database, 4, age=timedelta(days=51), start=10)
    (job,) = store(
        database.config(key=["id"]), {"inserted_at": datetime.now(UTC) - timedelta(days=20)}
    )
    assert removed(database) == [1]
    assert left(database) == [3]
    database.run(f"UPDATE ingest_jobs SET expansion = '[[1, 2]]' WHERE id = {job}")
    assert removed(database) == []
    database.run("DELETE FROM ingest_jobs")
    assert removed(database) == [1]


def test_a_transaction_looks_at_a_bounded_number_and_all_get_their_turn(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(removal, "CHUNK", 2)
    prepared(database)
    settled(database, (0, 100))
    keys = forget_later(database, *range(7))
    assert removed(database, start=keys[4], chunks=2) == [2, 1]
    assert left(database) == [0, 1, 2, 3]
    assert removed(database, start=keys[4], chunks=3) == [2, 2]
    assert left(database) == []


def test_a_key_that_somebody_writes_is_left_alone(postgres: Database) -> None:
    prepared(postgres)
    settled(postgres, (0, 100))
    one, other = forget_later(postgres, 3, 4)
    with transaction(postgres.database, "test") as connection:
        positions.locked(connection, "events", [one])
        done = threading.Thread(target=removed, args=(postgres,), kwargs={"chunks": 9})
        done.start()
        done.join()
        positions.store(connection, "events", {one: State(None, Place(SOURCE, "0", 50))})
    assert removed(postgres) == []
    rows = postgres.rows("SELECT key, deleted FROM ingest_positions")
    assert [(uuid.UUID(str(key)), gone) for key, gone in rows] == [(one, False)]
    assert other not in {key for key, _ in rows}


def test_the_index_leads_to_them(database: Database) -> None:
    prepared(database)
    statement = "SELECT min(target) FROM ingest_positions WHERE ingest_positions.deleted"
    if database.kind == "postgres":
        plan = database.rows(
            "SELECT indexdef FROM pg_indexes WHERE indexname = 'ingest_positions_deleted'"
        )
        assert "WHERE deleted" in str(plan)
    elif database.kind == "mariadb":
        assert "ingest_positions_deleted" in str(database.rows("SHOW INDEX FROM ingest_positions"))
    elif database.kind == "duckdb":
        assert ("ingest_positions_deleted",) in database.rows(
            "SELECT index_name FROM duckdb_indexes()"
        )
    else:
        assert "ingest_positions_deleted" in str(database.rows(f"EXPLAIN QUERY PLAN {statement}"))
