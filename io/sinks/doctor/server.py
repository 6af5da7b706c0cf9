"""Whether the database goes on: its clock, its connections, and whether it cleans up in time."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

import sqlalchemy as sa

from sinks.database.catalogue.figures import Server
from sinks.database.dialects import dialect_of
from sinks.database.tables import workers
from sinks.doctor.item import Item, Level, length
from sinks.doctor.scope import Scope

SKEW = timedelta(seconds=5)
"""A clock that is further off is warned of: the freshness of records is measured with it."""

LARGE_SKEW = timedelta(seconds=60)
"""A clock that is further off makes live processes look dead, or dead ones alive."""

MANY = 0.8
"""The part of all connections from which on there are many."""

TOO_MANY = 0.95
"""The part from which on processes are about to be turned away."""


def clock(skew: timedelta, doubt: timedelta) -> Item:
    """The verdict on the clock of this machine beside the database's; ``doubt`` as in ``Scope``."""
    figures = {"skew_seconds": skew.total_seconds()}
    off = abs(skew) - doubt
    if off <= SKEW:
        what = f"this machine and the database agree within {SKEW.total_seconds():.0f} s"
        return Item("clock", "ok", what, figures=figures)
    way = "ahead of" if skew > timedelta(0) else "behind"
    what = f"the clock of this machine is {length(abs(skew))} {way} the database's"
    todo = "synchronize both with NTP (`timedatectl` on each)"
    level: Level = "error" if off > LARGE_SKEW else "warning"
    return Item("clock", level, what, "this machine", todo, figures)


def future(heard: datetime | None, now: datetime) -> Item | None:
    """The verdict on the newest heartbeat: one from the future was written by a wrong clock."""
    if heard is None or heard - now <= SKEW:
        return None
    what = f"a heartbeat is {length(heard - now)} ahead of the database's time"
    todo = "the database's clock was set back, or a machine's is wrong: synchronize them with NTP"
    figures = {"ahead_seconds": (heard - now).total_seconds()}
    return Item("clock", "warning", what, "ingest_workers", todo, figures)


def connections(of: Server) -> Item:
    """The verdict on how many connections are left."""
    if of.connections is None or not of.most_connections:
        return Item("connections", "skipped", f"{of.name} does not limit them, or does not say")
    part = of.connections / of.most_connections
    what = f"{of.connections:,} of {of.most_connections:,} connections are open"
    figures = {"connections": of.connections, "most": of.most_connections}
    if part < MANY:
        return Item("connections", "ok", what, figures=figures)
    todo = "end what is idle, run fewer processes, raise max_connections, or put a pooler before it"
    level: Level = "error" if part >= TOO_MANY else "warning"
    return Item("connections", level, what, "database", todo, figures)


def vacuum(of: Server) -> Item:
    """The verdict on whether the server cleans tables by itself."""
    if of.vacuums is None:
        return Item("autovacuum", "skipped", f"{of.name} has none, or does not say")
    if of.vacuums:
        return Item("autovacuum", "ok", "autovacuum is on")
    todo = (
        "set autovacuum = on and track_counts = on: otherwise tables grow, and in the end it stops"
    )
    return Item("autovacuum", "error", "autovacuum is off", "database", todo)


def wraparound(of: Server) -> Item:
    """The verdict on how near the server is to taking no more writes."""
    if of.transactions is None or not of.most_transactions:
        return Item("wraparound", "skipped", f"{of.name} has none, or does not say")
    part = of.transactions / of.most_transactions
    what = f"{part:.0%} of the transactions are used up before the server takes no more writes"
    figures = {"transactions": of.transactions, "most": of.most_transactions}
    if part < 0.5:
        return Item("wraparound", "ok", what, figures=figures)
    todo = (
        "end old transactions, prepared ones and unused replication slots, then VACUUM the tables with "
        "the oldest relfrozenxid"
    )
    level: Level = "error" if part >= 0.75 else "warning"
    return Item("wraparound", level, what, "database", todo, figures)


def check(connection: sa.Connection, scope: Scope) -> Iterator[Item]:
    """Look at the server."""
    dialect = dialect_of(connection)
    of = dialect.server(connection)
    if dialect.own_clock:
        yield Item("clock", "skipped", f"{of.name} has no clock of its own")
    else:
        yield clock(scope.skew, scope.doubt)
    ahead = future(connection.scalar(sa.select(sa.func.max(workers.c.heartbeat_at))), scope.now)
    if ahead is not None:
        yield ahead
    yield connections(of)
    yield vacuum(of)
    yield wraparound(of)
