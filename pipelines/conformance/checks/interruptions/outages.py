"""Outages: a connection may be lost at any moment of a commit, and nothing is lost or there twice."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa

from pipelines.conformance.check import Check, Failed, NotOffered, Trial
from pipelines.conformance.ground import Ground, committed
from pipelines.conformance.records import batch_of, failure_of, outcomes
from sinks.ledger.accounts import accounts
from sinks.sql import SqlSink
from transforms.batch.record import RecordBatch
from transforms.errors import CommitUnknown, SinkUnavailable

SCHEMA = {"properties": {"id": {"type": "integer"}}, "required": ["id"]}
SIZE = 5
MOST = 60
"""The most statements of a commit."""


def _prepared(ground: Ground, table: str) -> SqlSink:
    if ground.dialect.in_process:
        raise NotOffered("the database runs in this process, so there is no connection to lose")
    return ground.sink(table, key=["id"], schema=SCHEMA)


def _batch(sink: SqlSink, number: int) -> RecordBatch:
    partition = f"p{number}"
    records = [{"id": number * SIZE + place} for place in range(SIZE)]
    failure = failure_of(sink, SIZE, partition=partition)
    return batch_of(sink, records, failures=[failure], partition=partition)


@contextmanager
def _listening(engine: sa.Engine, event: str, listener: Callable[..., None]) -> Iterator[None]:
    sa.event.listen(engine, event, listener)
    try:
        yield
    finally:
        sa.event.remove(engine, event, listener)


def _close(connection: sa.Connection) -> None:
    raw: Any = connection.connection.dbapi_connection
    raw.close()


def _statements(ground: Ground, trial: Trial) -> None:
    """The connection is lost before each statement in turn."""
    table = "outages_statements"
    sink = _prepared(ground, table)
    number = 0
    for number in range(MOST):
        left = number

        def cut(connection: sa.Connection, *_: object) -> None:
            nonlocal left
            if left == 0:
                _close(connection)
            left -= 1

        with _listening(ground.engine, "before_cursor_execute", cut):
            try:
                sink.commit([_batch(sink, number)])
                break
            except SinkUnavailable:
                trial.equal(
                    "rows after the connection was lost", ground.number(table), number * SIZE
                )
        settled = committed(sink, [_batch(sink, number)])
        trial.equal("outcomes of another try", outcomes(settled), _WHOLE)
    else:
        raise Failed(f"a commit has more than {MOST} statements")
    trial.true(f"a commit has three statements at least, not {number}", number >= 3)
    trial.equal("rows", ground.number(table), (number + 1) * SIZE)
    _add_up(ground, trial, table, number + 1)


_WHOLE = {"read": SIZE + 1, "inserted": SIZE, "dead": 1}


def _before_commit(ground: Ground, trial: Trial) -> None:
    table = "outages_before_commit"
    sink = _prepared(ground, table)
    with _listening(ground.engine, "commit", _close):
        _unknown(trial, sink)
    trial.equal("rows after the connection was lost", ground.number(table), 0)
    settled = committed(sink, [_batch(sink, 0)])
    trial.equal("outcomes of another try", outcomes(settled), _WHOLE)
    _add_up(ground, trial, table, 1)


def _answer(ground: Ground, trial: Trial) -> None:
    """The commit goes through, but its answer is lost."""
    table = "outages_answer"
    sink = _prepared(ground, table)

    def commit_and_close(connection: sa.Connection) -> None:
        raw: Any = connection.connection.dbapi_connection
        raw.commit()
        raw.close()

    with _listening(ground.engine, "commit", commit_and_close):
        _unknown(trial, sink)
    trial.equal("rows after the commit", ground.number(table), SIZE)
    settled = committed(sink, [_batch(sink, 0)])
    trial.equal("outcomes of another try", outcomes(settled), {})
    trial.equal("records that were settled before", settled[0].trimmed, SIZE + 1)
    trial.equal("rows", ground.number(table), SIZE)
    _add_up(ground, trial, table, 1)


def _unknown(trial: Trial, sink: SqlSink) -> None:
    """The commit says that its fate is unknown."""
    try:
        sink.commit([_batch(sink, 0)])
    except CommitUnknown as error:
        trial.equal("what it would have settled", outcomes(error.settled), _WHOLE)
    else:
        raise Failed("a commit whose connection is closed says that all is well")


def _add_up(ground: Ground, trial: Trial, table: str, number: int) -> None:
    mine = [one for one in accounts(ground.database) if table in one.tables]
    trial.equal("partitions whose ledger adds up", sum(one.balanced for one in mine), number)


CHECKS = (
    Check(
        "outages.statements",
        "a connection lost at any statement leaves nothing behind",
        _statements,
    ),
    Check(
        "outages.before_commit",
        "a connection lost before the COMMIT leaves nothing",
        _before_commit,
    ),
    Check("outages.answer", "a COMMIT whose answer is lost is not done twice", _answer),
)
