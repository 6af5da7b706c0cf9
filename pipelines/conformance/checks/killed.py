"""A process that commits a batch and is killed at one point of it.

    python -m pipelines.conformance.checks.killed

It reads an object with ``url``, ``table`` and ``process`` from standard input, so that no password is
in a list of processes.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import sqlalchemy as sa

from pipelines.conformance.records import batch_of, failure_of
from sinks.database.database import Database
from sinks.database.engine import engine_of
from sinks.sql import SqlConfig, SqlSink
from transforms.batch.record import RecordBatch

SCHEMA = {"properties": {"id": {"type": "integer"}}, "required": ["id"]}
SIZE = 7
PROCESSES = 3
"""How many are killed: in the middle of the commit, just before the COMMIT, and just after it."""
AFTER = PROCESSES - 1
STATEMENTS = 4
"""How many statements the first one gets."""


def numbers(process: int) -> range:
    """The keys of the records of a process."""
    return range(process * SIZE, (process + 1) * SIZE)


def batch(sink: SqlSink, process: int) -> RecordBatch:
    """What a process commits: rows and a dead letter."""
    partition = f"p{process}"
    failure = failure_of(sink, SIZE, partition=partition)
    records = [{"id": number} for number in numbers(process)]
    return batch_of(sink, records, failures=[failure], partition=partition)


def commit(sink: SqlSink, process: int) -> None:
    """Commit, but be killed at a point: in the middle, just before the COMMIT, or just after it."""
    left = STATEMENTS

    def end_here(*_: Any) -> None:
        nonlocal left
        if process == 0 and left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        left -= 1

    def commit_and_end(connection: sa.Connection) -> None:
        if process == AFTER:
            connection.connection.dbapi_connection.commit()  # type: ignore[union-attr]
        os.kill(os.getpid(), signal.SIGKILL)

    engine = engine_of(sink.config.database)
    sa.event.listen(engine, "before_cursor_execute", end_here)
    sa.event.listen(engine, "commit", commit_and_end)
    sink.commit([batch(sink, process)])


def main(_arguments: Sequence[str]) -> int:
    """Read where and at which point; only a commit that has no such point returns."""
    told = json.load(sys.stdin)
    config = SqlConfig.of("sqlite:///none", told["table"], key=["id"], schema=SCHEMA)
    sink = SqlSink(replace(config, database=Database(told["url"])))
    sink.prepare()
    commit(sink, told["process"])
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
