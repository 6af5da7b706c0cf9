"""The audit: what was read is accounted for, record by record, whatever became of it."""

from __future__ import annotations

from typing import Any

from pipelines.conformance.check import Check, Trial
from pipelines.conformance.ground import Ground, committed
from pipelines.conformance.records import batch_of, failure_of
from sinks.ledger.accounts import accounts
from sinks.sql import SqlSink

SCHEMA = {"properties": {"id": {"type": "integer"}}, "required": ["id"]}


def _mixture(sink: SqlSink, partition: str) -> None:
    """New rows, duplicates, dead letters, and one that is tried again."""
    failures = [
        failure_of(sink, 6, partition=partition),
        failure_of(sink, 7, partition=partition, transient=True),
    ]
    values: list[dict[str, Any]] = [
        {"id": 1},
        {"id": 2},
        {"id": 1},
        {"id": None},
        {"id": "x y"},
        {"id": 3},
    ]
    committed(sink, [batch_of(sink, values, failures=failures, partition=partition, final=True)])


def _adds_up(ground: Ground, trial: Trial) -> None:
    """The ledger of everything that was written here, by all checks before."""
    sink = ground.sink("audit_adds_up", key=["id"], schema=SCHEMA)
    _mixture(sink, "p")
    _mixture(sink, "q")
    seen = list(accounts(ground.database))
    trial.true("the ledger has partitions", len(seen) >= 2)
    for account in seen:
        place = f"{account.progress.source} ({account.progress.partition})"
        trial.true(f"each record of {place} has one outcome", account.progress.counts.conserved)
        trial.true(f"the ledger of {place} agrees with its jobs", account.balanced)
        trial.true(f"the tables of {place} add up to its ledger", account.added_up)
        trial.equal(f"tables of {place} that do not add up", account.faulty_tables, [])
    mine = [one.progress for one in seen if "audit_adds_up" in one.tables]
    trial.equal("records read", sum(one.counts.read for one in mine), 16)
    inserted = sum(one.counts.inserted for one in mine)
    trial.equal("rows, as counted", ground.number("audit_adds_up"), inserted)
    trial.equal("partitions that are read to their end", {one.coverage.end for one in mine}, {8})


CHECKS = (Check("audit.adds_up", "the ledger of all that was written here adds up", _adds_up),)
