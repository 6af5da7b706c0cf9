"""Processes that commit a batch and are killed at one point of it.

    python -m pipelines.conformance.checks.interruptions.killed

One interpreter reads orders from standard input, so that no password is in a list of processes, and
carries out each in a process forked from it: so the program is imported once. An order is a line with an
object: ``url``, ``table``, ``process`` and ``point``. The answer is a line with one: ``status``, as
``subprocess`` has it, ``at``, the point that was reached, and ``error``, which ended it otherwise.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, NoReturn

import sqlalchemy as sa

from pipelines.conformance.records import batch_of, failure_of
from sinks.database.database import Database
from sinks.database.engine import engine_of
from sinks.sql import SqlConfig, SqlSink
from transforms.batch.record import RecordBatch
from transforms.error_texts import message_of

SCHEMA = {"properties": {"id": {"type": "integer"}}, "required": ["id"]}
SIZE = 7
AFTER = "after"
"""The point after the COMMIT, whose answer is lost with the process."""
COMMIT = "commit"
"""The point before the COMMIT."""


def batch(sink: SqlSink, process: int) -> RecordBatch:
    """What a process commits: rows and a dead letter."""
    partition = f"p{process}"
    failure = failure_of(sink, SIZE, partition=partition)
    records = [{"id": number} for number in numbers(process)]
    return batch_of(sink, records, failures=[failure], partition=partition)


def numbers(process: int) -> range:
    """The keys of the records of a process."""
    return range(process * SIZE, (process + 1) * SIZE)


def commit(sink: SqlSink, process: int, point: int | str, end: Callable[[str], None]) -> None:
    """Commit, and call ``end`` with the point that was reached, and that ends the process.

    Args:
        sink: Where to.
        process: Whose records.
        point: The number of the statement to end before, counted from 0; before the COMMIT, if there are
            not so many. Or ``AFTER``.
        end: Ends the process.
    """
    number = 0

    def before_statement(*_: Any) -> None:
        nonlocal number
        if number == point:
            end(f"statement {number}")
        number += 1

    def at_commit(connection: sa.Connection) -> None:
        if point != AFTER:
            end(COMMIT)
        connection.connection.dbapi_connection.commit()  # type: ignore[union-attr]
        end(AFTER)

    engine = engine_of(sink.config.database)
    sa.event.listen(engine, "before_cursor_execute", before_statement)
    sa.event.listen(engine, "commit", at_commit)
    sink.commit([batch(sink, process)])


def _carry_out(order: dict[str, Any]) -> dict[str, Any]:
    """What has become of a process forked for ``order``."""
    engine_of(Database(order["url"]))  # it connects to nothing yet, but imports the driver
    reading, writing = os.pipe()
    process = os.fork()
    if process == 0:
        os.close(reading)
        _commit_and_die(order, writing)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        told = pipe.read()
    status = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    return {"at": "", "error": "", **json.loads(told or "{}"), "status": status}


def _commit_and_die(order: dict[str, Any], writing: int) -> NoReturn:
    def tell(**message: str) -> None:
        os.write(writing, json.dumps(message).encode())

    def end(at: str) -> None:
        tell(at=at)
        os.kill(os.getpid(), signal.SIGKILL)

    status = 1
    try:
        config = SqlConfig.of("sqlite:///none", order["table"], key=["id"], schema=SCHEMA)
        sink = SqlSink(replace(config, database=Database(order["url"])))
        sink.prepare()
        commit(sink, order["process"], order["point"], end)
        status = 0
    except BaseException as error:  # noqa: BLE001 - a forked process must not go on with its parent's work
        tell(error=f"{type(error).__name__}: {message_of(error)}"[:1000])
    os._exit(status)


def main(_arguments: Sequence[str]) -> int:
    """Carry out orders until there are no more."""
    gc.freeze()  # a collection would write to, and so copy, the memory that forked processes share
    for line in sys.stdin:
        print(json.dumps(_carry_out(json.loads(line))), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
