"""Transactions: rows, dead letters and ledger come together or not at all, whenever a process dies."""

from __future__ import annotations

import signal

import sqlalchemy as sa

from pipelines.conformance.check import Check, Failed, Trial
from pipelines.conformance.checks.interruptions import killed, killing
from pipelines.conformance.ground import Ground, committed
from pipelines.conformance.records import outcomes
from sinks.database.engine import transaction
from sinks.jobs.filter import JobFilter
from sinks.jobs.store import list_jobs
from sinks.ledger.accounts import accounts

MOST = 60
"""The most statements of a commit."""


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
    """Processes are killed before each statement of a commit in turn, before the COMMIT, and after it."""
    table = "transactions_kills"
    sink = ground.sink(table, key=["id"], schema=killed.SCHEMA)
    with killing.killing() as kills:
        ends = [kills.end_of(ground, table, 0, 0)]
        while ends[-1].at != killed.COMMIT:
            if len(ends) == MOST:
                raise Failed(f"a commit has more than {MOST} statements")
            ends.append(kills.end_of(ground, table, len(ends), len(ends)))
        ends.append(kills.end_of(ground, table, len(ends), killed.AFTER))
    last = len(ends) - 1
    trial.true(f"a commit has three statements at least, not {last - 1}", last > 3)
    trial.equal("where the last process ends", ends[last].at, killed.AFTER)
    trial.equal("how the processes end", {end.status for end in ends}, {-signal.SIGKILL})
    rows = [int(number) for (number,) in ground.rows(table, "id")]
    trial.equal("rows, of the last process alone", rows, list(killed.numbers(last)))
    listed = list_jobs(ground.database, JobFilter(target=table))
    dead = [job.failure.origin.partition for job in listed]
    trial.equal("dead letters, of the last process alone", dead, [f"p{last}"])
    batches = [killed.batch(sink, process) for process in range(len(ends))]
    again = committed(sink, batches)
    trial.equal("records of the last that were settled", again[last].trimmed, killed.SIZE + 1)
    missing = killed.SIZE * last
    trial.equal("rows inserted by another try", outcomes(again).get("inserted"), missing)
    trial.equal("rows", ground.number(table), killed.SIZE * len(ends))
    mine = [one for one in accounts(ground.database) if table in one.tables]
    trial.equal("partitions whose ledger adds up", sum(one.balanced for one in mine), len(batches))


CHECKS = (
    Check("transactions.rollback", "what fails is undone whole, a savepoint in part", _rollback),
    Check("transactions.unseen", "nobody sees rows before they are committed", _unseen),
    Check(
        "transactions.kills",
        "killed at any point of a commit, a process leaves rows, dead letters and ledger in step",
        _kills,
    ),
)
