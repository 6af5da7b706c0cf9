"""Stores jobs as a commit would, together with the ledger that counts them."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
import sqlalchemy as sa

from sinks.database.engine import transaction
from sinks.database.tables import audit, claims, counts, jobs, progress
from sinks.jobs.actions import Outcome, carry_out
from sinks.jobs.filter import JobFilter
from sinks.jobs.first.origin import origin_of
from sinks.jobs.orders import Order
from sinks.jobs.state import CURRENT
from sinks.jobs.store import enqueue
from sinks.ledger.accounts import accounts
from sinks.table.config import SqlConfig
from tests.io.sinks.tested_database import Database
from transforms.batch.counts import COUNTS
from transforms.batch.job_states import EXECUTING, UNFINISHED_STATES, Action
from transforms.batch.record import Origin

FAILED_AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
TRIED_AT = datetime(2026, 3, 1, 13, tzinfo=UTC)
LEASE = "jobs:events:host:1:abc"
"""Of those that are stored as executing."""

DEAD: dict[str, Any] = {}
WHO = {"actor": "ann", "reason": "the parser is repaired"}


def act(
    config: SqlConfig, action: Action, which: JobFilter | None = None, **options: Any
) -> Outcome:
    """Carry an action out on the jobs that ``which`` matches."""
    return carry_out(config.database, Order.of(action, which or JobFilter(), **options), **WHO)


def prepared(database: Database, table: str = "events") -> SqlConfig:
    """A database with its tables, and the configuration to reach it."""
    return database.sink(table, key=["id"]).config


def store(
    config: SqlConfig,
    *kinds: Mapping[str, Any],
    source: str = "file:///a",
    partition: str = "p",
    target: str = "events",
) -> list[int]:
    """Store a job for each of ``kinds`` (columns that differ from a dead letter's)."""
    base = {
        "target": target,
        "source": source,
        "partition": partition,
        "state": "discarded",
        "stage": "write",
        "category": "constraint",
        "sqlstate": "23505",
        "exception": "IntegrityError",
        "message": "no",
        "stack": "Traceback",
        "raw": b"{}",
        "format": '{"name":"json"}',
        "event_time": None,
        "key": None,
        "headers": None,
        "attempt": 3,
        "max_attempts": 10,
        "replays": 0,
        "errors": [{"attempt": 1, "replay": 0, "at": FAILED_AT.isoformat(), "error": "no"}],
        "run": "run-1",
        "attempted_by": None,
        "inserted_at": FAILED_AT,
        "scheduled_at": FAILED_AT,
        "attempted_at": FAILED_AT,
    }
    rows = []
    taken = []
    for offset, kind in enumerate(kinds):
        row = {**base, "offset": offset, **kind}
        if row["state"] == EXECUTING:
            row["state"] = "retryable"
            taken.append(offset)
        for state in ("completed", "cancelled", "discarded"):
            row.setdefault(f"{state}_at", FAILED_AT if row["state"] == state else None)
        origin = Origin(str(row["source"]), str(row["partition"]), int(row["offset"]))
        row["origin"] = origin_of(str(row["target"]), origin)
        rows.append(row)
    counted = Counter(_count_of(row["state"]) for row in rows)
    with transaction(config.database, "test") as connection:
        numbers = {**{name: counted.get(name, 0) for name in COUNTS}, "read": len(rows)}
        place = {"pipeline": target, "source": source, "partition": partition}
        span = {"start_offset": 0, "end_offset": len(rows), "final": True}
        ledger_row = {**place, **span, **numbers, "updated_at": FAILED_AT}
        connection.execute(sa.insert(progress), ledger_row)
        connection.execute(sa.insert(counts), {**place, **numbers, "target": target, "purged": 0})
        ids: list[int] = [
            connection.execute(sa.insert(jobs), row).inserted_primary_key[0]  # type: ignore[index]
            for row in rows
        ]
        waiting = [number for offset, number in enumerate(ids) if offset not in taken]
        enqueue(connection, jobs.c.id.in_(waiting))
        for offset in taken:
            connection.execute(
                sa.insert(claims),
                {
                    "id": uuid.uuid4().hex,
                    "pipeline": target,
                    "lease": LEASE,
                    "jobs": [ids[offset]],
                    "count": 1,
                    "attempted_at": TRIED_AT,
                },
            )
    return ids


def _count_of(state: str) -> str:
    if state in UNFINISHED_STATES:
        return "retrying"
    return "inserted" if state == "completed" else "dead"


def stored(config: SqlConfig, *names: str) -> list[Any]:
    """These columns of every job, in the order they were stored; one column comes bare."""
    columns = (CURRENT if name == "state" else jobs.c[name] for name in names)
    with transaction(config.database, "test", write=False) as connection:
        query = sa.select(*columns).order_by(jobs.c.id)
        rows = [tuple(row) for row in connection.execute(query)]
    return [row[0] for row in rows] if len(names) == 1 else rows


def trail(config: SqlConfig) -> list[tuple[str, int]]:
    """Action and count of every entry of the audit trail, the oldest first."""
    with transaction(config.database, "test", write=False) as connection:
        query = sa.select(audit.c.action, audit.c["count"]).order_by(audit.c.id)
        return [(action, count) for action, count in connection.execute(query)]


def counted(config: SqlConfig) -> tuple[int, int]:
    """What the ledger has as dead and as retrying; it must balance and agree with the jobs."""
    dead = retrying = 0
    for account in accounts(config.database):
        assert account.balanced
        assert account.added_up
        assert account.progress.counts.conserved
        dead += account.progress.counts.dead
        retrying += account.progress.counts.retrying
    return dead, retrying


def refuse_audit(database: Database, after: int = 0) -> None:
    """Let the database refuse entries of the audit trail once there are ``after``."""
    if database.kind == "duckdb":
        pytest.skip("DuckDB has no triggers, and adds no CHECK to a table")
    if database.kind == "postgres":
        database.run(
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
            f"IF (SELECT count(*) FROM ingest_audit) >= {after} THEN RAISE 'not today'; END IF; "
            "RETURN NEW; END $$",
            "CREATE TRIGGER refuse BEFORE INSERT ON ingest_audit "
            "FOR EACH ROW EXECUTE FUNCTION refuse()",
        )
    elif database.kind == "mariadb":
        database.run(
            "CREATE TRIGGER refuse BEFORE INSERT ON ingest_audit FOR EACH ROW "
            f"IF (SELECT count(*) FROM ingest_audit) >= {after} THEN "
            "SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'not today'; END IF"
        )
    else:
        database.run(
            "CREATE TRIGGER refuse BEFORE INSERT ON ingest_audit "
            f"WHEN (SELECT count(*) FROM ingest_audit) >= {after} "
            "BEGIN SELECT RAISE(ABORT, 'not today'); END"
        )
