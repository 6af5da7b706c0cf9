"""Transactions: rows, dead letters and ledger come together or not at all, whenever a process dies."""

from __future__ import annotations

import json
import signal
import subprocess
import sys

import sqlalchemy as sa

from pipelines.conformance.check import Check, Failed, Trial
from pipelines.conformance.checks import killed
from pipelines.conformance.ground import Ground, committed
from pipelines.conformance.records import outcomes
from sinks.database import leases
from sinks.database.engine import dispose_engine, transaction
from sinks.jobs.filter import JobFilter
from sinks.jobs.store import list_jobs
from sinks.ledger.accounts import accounts
from transforms.secret_urls import resolve_url

_CHILD_SECONDS = 55.0


class _Undone(Exception):
    """Ends a transaction."""


def _rollback(ground: Ground, trial: Trial) -> None:
    """What is written in a transaction that fails is not there, and a savepoint undoes its part alone."""
    table = "transactions_rollback"
    ground.sink(table, key=["id"], schema=killed.SCHEMA)
    insert = sa.insert(sa.table(table, sa.column("id")))
    try:
        with transaction(ground.database, "write") as connection:
            connection.execute(insert, [{"id": 1}, {"id": 2}])
            raise _Undone
    except _Undone:
        trial.equal("rows of a transaction that failed", ground.number(table), 0)
    with transaction(ground.database, "write") as connection:
        connection.execute(insert, [{"id": 1}])
        try:
            with connection.begin_nested():
                connection.execute(insert, [{"id": 2}])
                raise _Undone
        except _Undone:
            connection.execute(insert, [{"id": 3}])
    trial.equal("rows beside a savepoint's", ground.rows(table, "id"), [(1,), (3,)])


def _unseen(ground: Ground, trial: Trial) -> None:
    """Nobody sees what a transaction has written before it commits."""
    table = "transactions_unseen"
    ground.sink(table, key=["id"], schema=killed.SCHEMA)
    insert = sa.insert(sa.table(table, sa.column("id")))
    with transaction(ground.database, "write") as connection:
        connection.execute(insert, [{"id": 1}])
        trial.equal("rows that another connection sees", ground.number(table), 0)
    trial.equal("rows after the commit", ground.number(table), 1)


def _kills(ground: Ground, trial: Trial) -> None:
    """Processes are killed in the middle of a commit, just before the COMMIT, and just after it."""
    table = "transactions_kills"
    sink = ground.sink(table, key=["id"], schema=killed.SCHEMA)
    ends = [_end_of(ground, table, process) for process in range(killed.PROCESSES)]
    trial.equal("how the processes end", ends, [-signal.SIGKILL] * killed.PROCESSES)
    rows = [int(number) for (number,) in ground.rows(table, "id")]
    trial.equal("rows, of the last process alone", rows, list(killed.numbers(killed.AFTER)))
    listed = list_jobs(ground.database, JobFilter(target=table))
    dead = [job.failure.origin.partition for job in listed]
    trial.equal("dead letters, of the last process alone", dead, [f"p{killed.AFTER}"])
    batches = [killed.batch(sink, process) for process in range(killed.PROCESSES)]
    again = committed(sink, batches)
    trial.equal(
        "records of the last that were settled", again[killed.AFTER].trimmed, killed.SIZE + 1
    )
    missing = killed.SIZE * (killed.PROCESSES - 1)
    trial.equal("rows inserted by another try", outcomes(again).get("inserted"), missing)
    trial.equal("rows", ground.number(table), killed.SIZE * killed.PROCESSES)
    mine = [one for one in accounts(ground.database) if table in one.tables]
    trial.equal("partitions whose ledger adds up", sum(one.balanced for one in mine), len(batches))


def _end_of(ground: Ground, table: str, process: int) -> int:
    """How a process ended that was to be killed."""
    leases.release_all()
    dispose_engine(ground.database)  # where one process at a time has the database
    told = {"url": resolve_url(ground.database.url), "table": table, "process": process}
    try:
        result = subprocess.run(  # noqa: S603 - this program itself
            [sys.executable, "-m", killed.__name__],
            input=json.dumps(told),
            capture_output=True,
            text=True,
            timeout=_CHILD_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise Failed(f"a process did not end within {_CHILD_SECONDS:g} s") from error
    if result.returncode > 0:
        last = (result.stderr.strip().splitlines() or ["no message"])[-1]
        raise Failed(f"a process ended by itself: {last}")
    return result.returncode


CHECKS = (
    Check("transactions.rollback", "what fails is undone whole, a savepoint in part", _rollback),
    Check("transactions.unseen", "nobody sees rows before they are committed", _unseen),
    Check(
        "transactions.kills",
        "killed in a commit, a process leaves rows, dead letters and ledger in step",
        _kills,
    ),
)
