"""One chunk of a long order: jobs, ledger, audit trail and the order's position in one transaction.

Two processes that carry out the same order take turns: the row of the order is locked, and its
position is written only if it is still the one that was read. So each chunk is applied exactly once,
with or without the lease, wherever a process dies.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from sinks.bulk.long_orders import GIVEN_UP, HELD
from sinks.bulk.order_text import read
from sinks.database.database import Database
from sinks.database.dialects import dialect_of
from sinks.database.engine import retried, transaction
from sinks.database.tables import jobs
from sinks.database.tables import orders as table
from sinks.jobs import actions
from sinks.jobs.chunks import CHUNK, pick
from sinks.jobs.orders import Order
from transforms.errors import Contention, SinkFailed

LOOKED_AT = 100_000
"""How many numbers of jobs a transaction looks at, if few of them match."""

HELD_KEPT = 10_000
"""Of how many jobs that others hold the numbers are kept; of the rest only how many there are."""


@dataclass(frozen=True, slots=True)
class Step:
    """What one transaction did.

    Attributes:
        changed: How many jobs it changed.
        ended: Whether the order has ended.
        waits: Whether all that is left are jobs that others hold, so that it is wise to wait a little.
    """

    changed: int
    ended: bool = False
    waits: bool = False


def carry_on(database: Database, number: int, *, last_try: bool = False) -> Step:
    """Carry out the next chunk of the order ``number``.

    Args:
        database: The database.
        number: The order.
        last_try: Whether jobs that others hold even now are left alone for good.

    Raises:
        ConfigError: This version cannot read the order.
        SinkUnavailable: The database cannot be reached.
        Contention: It kept asking for another try.
        SinkFailed: It refuses the change.
    """

    def done() -> Step:
        with transaction(database, "carry out a long order") as connection:
            query = sa.select(table).where(table.c.id == number, table.c.state == "available")
            row = connection.execute(query.with_for_update()).one_or_none()
            if row is None:
                return Step(0, ended=True)
            return _Chunk(connection, row, read(row.action, row.which)).carry_out(last_try)

    return retried(done)


def end(database: Database, number: int, error: SinkFailed) -> None:
    """Give the order ``number`` up, because the database refuses it.

    Raises:
        SinkUnavailable: The database cannot be reached.
        Contention: It asks for another try.
        SinkFailed: It refuses this too.
    """
    with transaction(database, "end a long order") as connection:
        at = dialect_of(connection).now(connection)
        connection.execute(
            sa.update(table)
            .where(table.c.id == number, table.c.state == "available")
            .values(state="discarded", message=str(error)[:2_000], changed_at=at, ended_at=at)
        )


def note(database: Database, number: int, message: str) -> None:
    """Say what holds the order ``number`` up; the next chunk takes the message away.

    Raises:
        SinkUnavailable: The database cannot be reached.
        Contention: It asks for another try.
        SinkFailed: It refuses.
    """
    with transaction(database, "note what holds a long order up") as connection:
        connection.execute(
            sa.update(table)
            .where(table.c.id == number, table.c.state == "available")
            .values(message=message[:2_000])
        )


@dataclass(frozen=True, slots=True)
class _Chunk:
    """A chunk in its transaction, which holds the row of its order."""

    connection: sa.Connection
    row: Any
    order: Order

    def carry_out(self, last_try: bool) -> Step:
        row = self.row
        if self._room == 0 or row.position >= row.newest:
            return self._held_ones(last_try)
        upto = self._upto()
        if upto is None:  # no job is left in between
            self._write(position=row.newest, held=self._held)
            return Step(0)
        size = min(CHUNK, self._room)
        picked = pick(self.connection, self.order.where, after=row.position, upto=upto, size=size)
        position = picked[-1].id if len(picked) == size else upto
        within = sa.and_(jobs.c.id > row.position, jobs.c.id <= position)
        ids = {job.id for job in picked}
        held = [job for job in self._matching(within, len(ids)) if job not in ids]
        more = self._left_alone(within)
        self._change(picked)
        self._write(position=position, changed=len(picked), held=[*self._held, *held], more=more)
        return Step(len(picked))

    def _held_ones(self, last_try: bool) -> Step:
        """Look again at jobs that others held; those that are held even now come last."""
        chosen, rest = self._held[:CHUNK], self._held[CHUNK:]
        if not chosen or self._room == 0:
            self._write(position=self.row.position, ends=True)
            return Step(0, ended=True)
        among = dialect_of(self.connection).is_one_of(jobs.c.id, chosen)
        picked = pick(
            self.connection,
            lambda dialect: sa.and_(among, self.order.where(dialect)),
            after=0,
            upto=self.row.newest,
            size=min(len(chosen), self._room),
        )
        ids = {job.id for job in picked}
        held = [job for job in self._matching(among, len(ids)) if job not in ids]
        self._change(picked)
        if last_try:
            given_up, ends = len(held), not rest
            self._write(
                position=self.row.position,
                changed=len(picked),
                held=rest,
                given_up=given_up,
                ends=ends,
            )
            return Step(len(picked), ended=ends)
        self._write(position=self.row.position, changed=len(picked), held=[*rest, *held])
        return Step(len(picked), waits=not picked and bool(rest or held))

    @property
    def _room(self) -> int:
        """How many more jobs may be changed."""
        limit = self.order.limit
        return CHUNK if limit is None else max(0, limit - self.row.changed)

    @property
    def _held(self) -> Sequence[int]:
        numbers: Sequence[int] = self.row.left_alone.get(HELD, ())
        return numbers

    def _upto(self) -> int | None:
        """The last number to look at now; None if there are no jobs up to the newest."""
        row = self.row
        first = self.connection.scalar(
            sa.select(sa.func.min(jobs.c.id)).where(
                jobs.c.id > row.position, jobs.c.id <= row.newest
            )
        )
        return None if first is None else min(row.newest, first + LOOKED_AT - 1)

    def _matching(self, within: sa.ColumnElement[bool], picked: int) -> Sequence[int]:
        """The jobs that match, whoever holds them."""
        where = self.order.where(dialect_of(self.connection))
        query = sa.select(jobs.c.id).where(within, where).order_by(jobs.c.id)
        return list(self.connection.execute(query.limit(picked + HELD_KEPT + 1)).scalars())

    def _left_alone(self, within: sa.ColumnElement[bool]) -> dict[str, int]:
        """How many jobs match but are left alone, by reason."""
        conditions = self.order.left_alone(dialect_of(self.connection))
        if not conditions:
            return {}
        counts = [
            sa.func.sum(sa.case((condition, 1), else_=0)).label(reason)
            for reason, condition in conditions.items()
        ]
        row = self.connection.execute(sa.select(*counts).where(within)).one()
        return {reason: int(number or 0) for reason, number in zip(conditions, row, strict=True)}

    def _change(self, picked: Sequence[Any]) -> None:
        if not picked:
            return
        actions.change(
            self.connection,
            picked,
            self.order,
            actor=self.row.actor,
            reason=self.row.reason,
            which={**self.order.as_json(), "order": self.row.id},
        )

    def _write(
        self,
        *,
        position: int,
        changed: int = 0,
        held: Sequence[int] = (),
        more: Mapping[str, int] | None = None,
        given_up: int = 0,
        ends: bool = False,
    ) -> None:
        """Write how far the order has come, unless another process has done so meanwhile."""
        row = self.row
        counts = Counter(row.left_alone)
        counts.pop(HELD, None)
        counts.update(more or {})
        counts[GIVEN_UP] += given_up + max(0, len(held) - HELD_KEPT)
        left_alone: dict[str, Any] = {name: number for name, number in counts.items() if number}
        if held and not ends:
            left_alone[HELD] = list(held[:HELD_KEPT])
        at = dialect_of(self.connection).now(self.connection)
        values = {
            "position": position,
            "changed": row.changed + changed,
            "left_alone": left_alone,
            "message": None,
            "changed_at": at,
        }
        if ends:
            values |= {"state": "completed", "ended_at": at}
        unchanged = (table.c.position == row.position, table.c.changed == row.changed)
        where = sa.and_(table.c.id == row.id, table.c.state == "available", *unchanged)
        if self.connection.execute(sa.update(table).where(where).values(values)).rowcount != 1:
            raise Contention("another process carries out the same order; trying again")
