"""A partition of a topic in the ledger, with failed records, that a test forgets offsets of."""

from __future__ import annotations

import time
from collections.abc import Collection
from dataclasses import replace
from datetime import UTC, datetime
from typing import TypedDict

import sqlalchemy as sa

from sinks.database.engine import transaction
from sinks.database.tables import control
from sinks.ledger.accounts import Account, accounts
from sinks.rewind.order import Outcome, Rewind
from sinks.rewind.rewind import carry_out
from sinks.sql import SqlSink
from tests.io.sinks.tested_database import Database, make_batch, make_failure
from transforms.batch.record import Failure, Origin, RecordBatch

SOURCE = "kafka://orders"


class Who(TypedDict):
    actor: str
    reason: str


WHO: Who = {"actor": "ann", "reason": "the step was wrong"}


def pause(
    database: Database, pipeline: str = "events", source: str = "", state: str = "paused"
) -> None:
    """Enter that an operator holds a pipeline, or one source of it."""
    row = {"pipeline": pipeline, "source": source, "state": state, "generation": 0}
    row |= {"actor": "ann", "reason": "to look", "changed_at": datetime.now(UTC)}
    with transaction(database.database, "pause") as connection:
        connection.execute(sa.insert(control), row)


def failed(
    offset: int, partition: str = "0", *, transient: bool, target: str | None = None
) -> Failure:
    one = make_failure(offset, transient=transient)
    return replace(one, origin=Origin(SOURCE, partition, offset), target=target)


def batch(
    start: int,
    end: int,
    dead: Collection[int] = (),
    retrying: Collection[int] = (),
    *,
    partition: str = "0",
    elsewhere: Collection[int] = (),
) -> RecordBatch:
    """The offsets from ``start`` to before ``end``: a row for each that did not fail.

    Those that failed and are in ``elsewhere`` were meant for the table ``others``.
    """
    failures = [
        failed(
            at,
            partition,
            transient=at in retrying,
            target="others" if at in elsewhere else None,
        )
        for at in range(start, end)
        if at in dead or at in retrying
    ]
    gone = {failure.origin.offset for failure in failures}
    good = [at for at in range(start, end) if at not in gone]
    values = [{"id": f"{partition}/{at}"} for at in good]
    one = make_batch(values, start, source=SOURCE, partition=partition, end=end)
    return replace(one, offsets=good, failures=tuple(failures))


def sink_of(database: Database) -> SqlSink:
    database.run("CREATE TABLE events (id varchar(100) PRIMARY KEY)")
    return database.sink(key=["id"])


def rewound(
    database: Database,
    start: int,
    end: int | None = None,
    *partitions: str,
    pipeline: str = "events",
) -> Outcome:
    places = tuple((SOURCE, partition) for partition in partitions or ("0",))
    return carry_out(database.database, Rewind(pipeline, places, start, end), **WHO)


def accounts_of(database: Database) -> dict[str, Account]:
    """By partition, what the ledger says; the law has to hold for each of them."""
    listed = {account.progress.partition: account for account in accounts(database.database)}
    for account in listed.values():
        assert account.progress.counts.conserved
        assert account.balanced
        assert account.added_up
        assert account.faulty_tables == []
    return listed


def soon() -> datetime:
    return datetime.fromtimestamp(time.time() + 60, UTC)
