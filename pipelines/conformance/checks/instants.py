"""Instants: the program's own times are the ones they were, whatever zone a session or server has."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import sqlalchemy as sa

from pipelines.conformance.check import Check, Trial
from pipelines.conformance.ground import Ground, committed
from pipelines.conformance.records import batch_of, failure_of, source_of
from sinks.database import leases
from sinks.database.engine import transaction
from sinks.database.tables import leases as leases_table
from sinks.jobs.filter import JobFilter
from sinks.jobs.store import list_jobs
from sinks.ledger import ledger
from sinks.sql import SqlLedger

SCHEMA = {"properties": {"id": {"type": "integer"}}, "required": ["id"]}
CLOSE = timedelta(minutes=10)
"""How much the clocks of this machine and the server may differ."""

MOMENTS = (
    datetime(2026, 3, 29, 1, 30, 0, 1, UTC),
    datetime(2026, 10, 25, 0, 30, tzinfo=UTC),
    datetime(2026, 10, 25, 1, 30, 0, 999999, UTC),
    datetime(2026, 7, 1, 12, 0, 0, 123456, timezone(timedelta(hours=-9, minutes=-30))),
    datetime(1999, 12, 31, 23, 59, 59, 999999, UTC),
)


def _stored(ground: Ground, trial: Trial) -> None:
    """To the microsecond; those of hours that a clock shows twice stay apart."""
    ground.sink("instants_stored", key=["id"], schema=SCHEMA)
    rows = [
        {"name": f"instant {place}", "holder": "x", "expires_at": at}
        for place, at in enumerate(MOMENTS)
    ]
    ground.execute(sa.insert(leases_table), rows)
    query = (
        sa.select(leases_table.c.expires_at)
        .where(leases_table.c.name.like("instant %"))
        .order_by(leases_table.c.name)
    )
    with transaction(ground.database, "read leases", write=False) as connection:
        read = list(connection.execute(query).scalars())
        later = leases_table.c.expires_at > MOMENTS[1]
        names = sa.select(leases_table.c.name).where(leases_table.c.name.like("instant %"), later)
        after = set(connection.execute(names).scalars())
    trial.equal("instants read back", [at.isoformat() for at in read], [_utc(at) for at in MOMENTS])
    trial.equal("those after one of them", after, {"instant 2"})


def _utc(at: datetime) -> str:
    return at.astimezone(UTC).isoformat()


def _clock(ground: Ground, trial: Trial) -> None:
    """What the program stores as now is now, by this machine's clock and the server's."""
    sink = ground.sink("instants_clock", key=["id"], schema=SCHEMA)
    with transaction(ground.database, "ask for the time", write=False) as connection:
        now = ground.dialect.now(connection)
    trial.true(f"the database's clock, {now}, is within 10 min of this one's", _is_close(now))
    failure = failure_of(sink, 1)
    committed(sink, [batch_of(sink, [{"id": 1}], failures=[failure])])
    (job,) = list_jobs(ground.database, JobFilter(target="instants_clock"))
    trial.true(f"a dead letter's time, {job.inserted_at}, is now", _is_close(job.inserted_at))
    (progress,) = ledger.audit(ground.database, SqlLedger(sink.config))
    trial.true(f"the ledger's time, {progress.updated_at}, is now", _is_close(progress.updated_at))
    trial.equal("its source", progress.source, source_of(sink))


def _is_close(at: datetime) -> bool:
    return at.tzinfo is not None and abs(datetime.now(UTC) - at) < CLOSE


def _leases(ground: Ground, trial: Trial) -> None:
    """A lease is held for its seconds: another process gets it afterwards, not before."""
    ground.sink("instants_leases", key=["id"], schema=SCHEMA)
    trial.true("a new lease is got", leases.hold(ground.database, "instants", 60))
    leases.held_leases.clear()  # from now on as another process
    trial.true("one that is held is not got", not leases.hold(ground.database, "instants", 60))
    with transaction(ground.database, "let a lease run out") as connection:
        ended = ground.dialect.now(connection) - timedelta(microseconds=1)
        ran_out = sa.update(leases_table).where(leases_table.c.name == "instants")
        connection.execute(ran_out.values(expires_at=ended))
    trial.true("one that has run out is got", leases.hold(ground.database, "instants", 60))
    leases.release(ground.database, "instants")


CHECKS = (
    Check("instants.stored", "the program's own times are exact to the microsecond", _stored),
    Check("instants.clock", "now is now: server, session and program agree on the zone", _clock),
    Check("instants.leases", "a lease is held until it runs out, and not longer", _leases),
)
