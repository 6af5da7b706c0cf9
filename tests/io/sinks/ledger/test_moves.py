"""Moves of the ledger's counts: they add up over a partition, and roll back with the rest."""

from __future__ import annotations

import pytest

from sinks.database.engine import transaction
from sinks.ledger import ledger
from sinks.ledger.counts import Deltas
from sinks.ledger.moves import move
from tests.io.sinks.tested_database import Database, make_batch
from transforms.batch.counts import Counts

A, B = ("file:///a", "p"), ("file:///b", "p")


def moved(database: Database, deltas: Deltas) -> dict[str, tuple[list[int], Counts]]:
    """Partitions with three rows (A has two ranges, B one), and what ``deltas`` made of them."""
    sink = database.sink(key=["id"])
    sink.commit([make_batch([{"id": "1"}], 10), make_batch([{"id": "2"}], 20)])
    sink.commit([make_batch([{"id": "3"}], source=B[0])])
    with transaction(sink.config.database, "test") as connection:
        move(connection, "events", {"events": deltas})
    return {
        each.source: ([low for low, _ in each.coverage.ranges], each.counts)
        for each in ledger.audit(sink.config.database)
    }


def test_deltas_are_added_once_a_partition(database: Database) -> None:
    ledger_after = moved(database, {A: Counts(inserted=-1, dead=3, retrying=-2), B: Counts(dead=1)})
    assert ledger_after == {
        A[0]: ([10, 20], Counts(read=2, inserted=1, dead=3, retrying=-2)),
        B[0]: ([0], Counts(read=1, inserted=1, dead=1)),
    }


def test_counts_stay_right_when_the_ranges_merge_afterwards(database: Database) -> None:
    moved(database, {A: Counts(dead=2, inserted=-2)})
    sink = database.sink(key=["id"])
    sink.commit([make_batch([{"id": f"x{i}"} for i in range(9)], 11)])
    first, _ = ledger.audit(sink.config.database)
    assert first.coverage.ranges == ((10, 21),)
    assert first.counts == Counts(read=11, inserted=9, dead=2)


def test_unknown_partitions_and_zeros_change_nothing(database: Database) -> None:
    ledger_after = moved(
        database, {("file:///c", "p"): Counts(dead=1), A: Counts(dead=0), B: Counts()}
    )
    assert ledger_after == {
        A[0]: ([10, 20], Counts(read=2, inserted=2)),
        B[0]: ([0], Counts(read=1, inserted=1)),
    }


def test_another_pipelines_partition_is_left_alone(database: Database) -> None:
    sink = database.sink(key=["id"])
    sink.commit([make_batch([{"id": "1"}])])
    with transaction(sink.config.database, "test") as connection:
        move(connection, "others", {"events": {A: Counts(dead=1)}})
    (only,) = ledger.audit(sink.config.database)
    assert only.counts == Counts(read=1, inserted=1)


def test_a_move_is_the_callers_transaction(database: Database) -> None:
    sink = database.sink(key=["id"])
    sink.commit([make_batch([{"id": "1"}])])

    def move_and_fail() -> None:
        with transaction(sink.config.database, "test") as connection:
            move(connection, "events", {"events": {A: Counts(dead=1)}})
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        move_and_fail()
    (only,) = ledger.audit(sink.config.database)
    assert only.counts == Counts(read=1, inserted=1)
