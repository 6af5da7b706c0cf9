"""Long orders: actions on many jobs, given now and carried out in chunks, whoever is there to do it.

``give`` stores one in ``ingest_orders``, ``cancel`` ends it between two chunks. ``chunk`` carries it
out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from sinks.bulk.order_text import read, written
from sinks.database.database import Database
from sinks.database.dialects import dialect_of
from sinks.database.engine import retried, transaction
from sinks.database.tables import jobs, leases
from sinks.database.tables import orders as table
from sinks.jobs import audit_trail
from sinks.jobs.audit_trail import ACTOR_LIMIT, REASON_LIMIT
from sinks.jobs.orders import Order
from sinks.jobs.store import exists
from sinks.text.encoding import clean
from transforms.batch.job_states import EXECUTING
from transforms.errors import ConfigError

GIVEN = "order"
"""What the audit trail calls the giving of an order."""
CANCELLED = "cancel_order"
"""What the audit trail calls its end by hand."""
HELD = "held"
"""Reason to leave a job alone: another transaction held it whenever it was looked at.

While an order is carried out, its row has the numbers of these jobs.
"""
GIVEN_UP = "given_up"
"""In the row of an order, how many jobs others held to the end."""

LOOKED_AT = 1_000
"""How many orders are looked at in search of one that waits."""


@dataclass(frozen=True, slots=True)
class LongOrder:
    """An action on many jobs.

    Attributes:
        id: Its number.
        action: As in ``ACTIONS``.
        which: Which jobs are meant, as ``order_text`` writes it.
        actor: Who gave it.
        reason: Why.
        state: ``available``, ``executing`` while a process has its lease, ``completed``,
            ``cancelled`` or ``discarded`` (the database refuses it).
        expected: How many jobs it was about when it was given.
        newest: The newest job that it is about.
        position: The last job that was looked at.
        changed: How many jobs it has changed so far.
        left_alone: How many jobs it has met and left alone, by reason.
        message: Of the error that held it up last, or ended it; who cancelled it, and why.
        created_at: When it was given.
        changed_at: When it last came further.
        ended_at: When it ended.
        worker: The process that carries it out, if one does.
    """

    id: int
    action: str
    which: Mapping[str, Any]
    actor: str
    reason: str
    state: str
    expected: int
    newest: int
    position: int
    changed: int
    left_alone: Mapping[str, int]
    message: str | None
    created_at: datetime
    changed_at: datetime
    ended_at: datetime | None
    worker: str | None = None

    @property
    def order(self) -> Order:
        """The action and its jobs.

        Raises:
            ConfigError: Another version of the program has written it.
        """
        return read(self.action, self.which)

    @property
    def has_ended(self) -> bool:
        """Whether nothing is left to do."""
        return self.ended_at is not None

    @property
    def rate(self) -> float | None:
        """How many jobs a second were changed since it was given; None while there are none."""
        seconds = (self.changed_at - self.created_at).total_seconds()
        return self.changed / seconds if self.changed and seconds > 0 else None


def lease_of(number: int) -> str:
    """The lease of the process that carries the order ``number`` out."""
    return f"order:{number}"


def give(
    database: Database, order: Order, *, actor: str, reason: str, expected: int | None = None
) -> int:
    """Store ``order``, for whoever carries out long orders; returns its number.

    Jobs that are stored later are not touched.

    Args:
        database: The database.
        order: The action and its jobs.
        actor: Who acts.
        reason: Why.
        expected: How many jobs it is about; None lets the database count them.

    Raises:
        ConfigError: There is no reason.
        SinkUnavailable: The database cannot be reached.
        Contention: It kept asking for another try.
        SinkFailed: It refuses.
    """
    if not reason.strip():
        raise ConfigError("an order needs a reason, for the audit trail")
    newest, number = _extent(database, order)
    about = number if expected is None else expected

    def given() -> int:
        with transaction(database, "give a long order") as connection:
            at = dialect_of(connection).now(connection)
            row = {
                "action": order.action.name,
                "which": written(order),
                "actor": clean(actor, ACTOR_LIMIT),
                "reason": clean(reason, REASON_LIMIT),
                "state": "available",
                "expected": about,
                "newest": newest,
                "position": 0,
                "changed": 0,
                "left_alone": {},
                "created_at": at,
                "changed_at": at,
            }
            key = connection.execute(sa.insert(table), row).inserted_primary_key
            assert key is not None, "an insert of one row has a key"  # noqa: S101
            given_as: int = key[0]
            stated = {"order": given_as, "action": order.action.name, **order.as_json()}
            audit_trail.enter(connection, GIVEN, actor=actor, reason=reason, which=stated, count=0)
            return given_as

    return retried(given)


def cancel(database: Database, number: int, *, actor: str, reason: str) -> LongOrder:
    """End the order ``number`` before its next chunk; what is done stays done.

    Raises:
        ConfigError: There is no such order, it has ended, or there is no reason.
        SinkUnavailable: The database cannot be reached.
        Contention: It kept asking for another try.
        SinkFailed: It refuses.
    """
    if not reason.strip():
        raise ConfigError("to cancel an order needs a reason, for the audit trail")

    def cancelled() -> None:
        with transaction(database, "cancel a long order") as connection:
            if not exists(connection):
                raise ConfigError(f"there is no order {number} in this database")
            at = dialect_of(connection).now(connection)
            said = f"cancelled by {clean(actor, ACTOR_LIMIT)}: {clean(reason, REASON_LIMIT)}"
            done = connection.execute(
                sa.update(table)
                .where(table.c.id == number, table.c.state == "available")
                .values(state="cancelled", message=said, changed_at=at, ended_at=at)
            )
            if done.rowcount != 1:
                query = sa.select(table.c.state).where(table.c.id == number)
                state = connection.scalar(query)
                raise ConfigError(
                    f"there is no order {number} in this database"
                    if state is None
                    else f"order {number} has ended already: {state}"
                )
            which = {"order": number}
            audit_trail.enter(
                connection, CANCELLED, actor=actor, reason=reason, which=which, count=0
            )

    retried(cancelled)
    ended = get_order(database, number)
    assert ended is not None, "nothing deletes orders"  # noqa: S101
    return ended


def list_orders(
    database: Database, *, limit: int = 100, after: int | None = None
) -> list[LongOrder]:
    """The newest orders first, at most ``limit``; with ``after``, those that are older than it.

    Raises:
        SinkUnavailable: The database cannot be reached.
    """
    older = sa.true() if after is None else table.c.id < after
    return _read(database, sa.select(table).where(older).order_by(table.c.id.desc()).limit(limit))


def get_order(database: Database, number: int) -> LongOrder | None:
    """The order ``number``; None if there is none.

    Raises:
        SinkUnavailable: The database cannot be reached.
    """
    orders = _read(database, sa.select(table).where(table.c.id == number))
    return orders[0] if orders else None


def waiting(database: Database) -> list[int]:
    """Of the oldest orders that have not ended, those that no process has.

    Raises:
        SinkUnavailable: The database cannot be reached.
    """
    with transaction(database, "look for long orders", write=False) as connection:
        if not exists(connection):
            return []
        at = dialect_of(connection).now(connection)
        available = sa.select(table.c.id).where(table.c.state == "available")
        first = available.order_by(table.c.id).limit(LOOKED_AT)
        numbers = list(connection.execute(first).scalars())
        taken = _holders(connection, numbers, at)
        return [number for number in numbers if number not in taken]


def _extent(database: Database, order: Order) -> tuple[int, int]:
    """The newest job, and how many ``order`` would change now."""
    with transaction(database, "count failed records", write=False) as connection:
        if not exists(connection):
            raise ConfigError("this database has no dead letters")
        newest = connection.execute(sa.select(sa.func.max(jobs.c.id))).scalar() or 0
        where = order.where(dialect_of(connection))
        chosen = sa.select(jobs.c.id).where(where, jobs.c.id <= newest)
        if order.limit is not None:
            chosen = chosen.limit(order.limit)
        count = sa.select(sa.func.count()).select_from(chosen.subquery())
        return newest, connection.execute(count).scalar_one()


def _read(database: Database, query: sa.Select[Any]) -> list[LongOrder]:
    with transaction(database, "read long orders", write=False) as connection:
        if not exists(connection):
            return []
        rows = connection.execute(query).all()
        at = dialect_of(connection).now(connection)
        holders = _holders(connection, [row.id for row in rows if row.state == "available"], at)
        return [_order(row, holders.get(row.id)) for row in rows]


def _holders(connection: sa.Connection, numbers: Sequence[int], at: datetime) -> dict[int, str]:
    """The process that has each of these orders, for those that a process has."""
    if not numbers:
        return {}
    by_lease = {lease_of(number): number for number in numbers}
    query = sa.select(leases.c.name, leases.c.holder).where(
        leases.c.name.in_(list(by_lease)), leases.c.expires_at > at
    )
    return {by_lease[name]: holder for name, holder in connection.execute(query)}


def _order(row: Any, holder: str | None) -> LongOrder:
    return LongOrder(
        id=row.id,
        action=row.action,
        which=row.which,
        actor=row.actor,
        reason=row.reason,
        state=row.state if holder is None else EXECUTING,
        expected=row.expected,
        newest=row.newest,
        position=row.position,
        changed=row.changed,
        left_alone=counted(row.left_alone),
        message=row.message,
        created_at=row.created_at,
        changed_at=row.changed_at,
        ended_at=row.ended_at,
        worker=holder,
    )


def counted(left_alone: Mapping[str, Any]) -> dict[str, int]:
    """How many jobs were left alone, by reason.

    As stored, the jobs that are looked at again are a list, apart from those that were given up.
    """
    numbers = {reason: number for reason, number in left_alone.items() if reason != HELD}
    held = len(left_alone.get(HELD, ())) + numbers.pop(GIVEN_UP, 0)
    return numbers | ({HELD: held} if held else {})
