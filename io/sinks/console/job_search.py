"""The jobs that match a filter, found by an index as far as there is one, in chunks.

What tells groups of dead letters apart (table, stage, category, exception and SQLSTATE) becomes a set of
fingerprints, and the index over them finds the jobs. Any other condition is asked of candidates, the
newest first; how many of them is up to the caller.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa

from sinks.console.counting import Count, counted
from sinks.database.dialects import dialect_of
from sinks.database.tables import dead, fingerprints, jobs, queue
from sinks.jobs import state as job_state
from sinks.jobs.filter import JobFilter
from transforms.batch.job_states import WAITING_STATES

LOOKED_AT = 20_000
"""How many candidates are looked at for one answer, where no index finds the jobs."""

FINGERPRINTS = 200
"""Of how many groups a filter may be made up and still be found by their index."""

SECONDS = 0.1
"""How long is looked, after which the search says how far it has come."""

_MERGED = 100_000
"""How many entries of the index may be merged; otherwise the database chooses how to read them."""

CHUNKS = (50, 10, 2_000)
"""How many candidates are looked at in the first statement, and at least and at most in those behind it."""

_PACE = 0.02
"""How many seconds a chunk should take: large records make chunks smaller."""

_GROWTH = 8

_GROUPED = ("target", "stage", "category", "exception", "sqlstate")


@dataclass(frozen=True, slots=True)
class Direction:
    """From which number on, and which way."""

    before: int | None = None
    after: int | None = None

    @property
    def backwards(self) -> bool:
        """Whether newer records are looked for."""
        return self.after is not None and self.before is None

    def within(self, column: sa.ColumnElement[int], last: int | None) -> sa.ColumnElement[bool]:
        """Whether a number is beyond ``last``, or beyond where the search begins."""
        if self.backwards:
            return column > (self.after if last is None else last)
        start = self.before if last is None else last
        return sa.true() if start is None else column < start

    def order(self, column: sa.ColumnElement[int]) -> sa.ColumnElement[int]:
        return column.asc() if self.backwards else column.desc()


Candidates = Callable[[Direction, int | None, int], sa.Select[Any]]
"""Selects the numbers of so many candidates beyond the last one, in the order of the search."""


@dataclass(frozen=True, slots=True)
class Search:
    """How the records that match a filter are found.

    Attributes:
        connection: In a transaction.
        candidates: Those that an index gives.
        which: What is left to ask of each; None if nothing is.
        states: The states of which it is asked to be one; none for any.
        indexed: The numbers of all of them in no order, if an index finds them.
    """

    connection: sa.Connection
    candidates: Candidates
    which: JobFilter | None
    states: tuple[str, ...] = ()
    indexed: sa.Select[Any] | None = None

    @classmethod
    def of(
        cls, connection: sa.Connection, which: JobFilter, states: tuple[str, ...] = ()
    ) -> Search:
        """The search for the jobs that match ``which`` and are in one of ``states``.

        Without states, that of the filter is meant; without any, dead letters; ``all`` is for every state.
        """
        state = "discarded" if which.state is None else which.state
        states = states or (() if state == "all" else (state,))
        asked = replace(which, state=None)
        if which.ids:
            return cls(connection, _numbered(connection, which.ids), asked, states)
        if states == ("discarded",):
            return cls._of_dead(connection, asked)
        if asked == JobFilter() and not states:
            return cls(connection, _in(jobs.c.id), None, indexed=sa.select(jobs.c.id))
        in_queue = bool(states) and set(states) <= set(WAITING_STATES)
        return cls(connection, _in(queue.c.job if in_queue else jobs.c.id), asked, states)

    @classmethod
    def _of_dead(cls, connection: sa.Connection, which: JobFilter) -> Search:
        if which == JobFilter():
            return cls(connection, _in(dead.c.job), None, indexed=sa.select(dead.c.job))
        groups = groups_of(connection, which)
        if groups is None:
            return cls(connection, _in(dead.c.job), which)
        left = replace(
            which,
            target=None,
            stage=None,
            category=None,
            exception=None,
            sqlstate=None,
            fingerprint=None,
        )
        if left != JobFilter():
            return cls(connection, _merged(groups), left)
        indexed = sa.select(dead.c.job).where(dead.c.fingerprint.in_(groups))
        return cls(connection, _merged(groups), None, indexed=indexed)

    @property
    def looks(self) -> bool:
        """Whether candidates are looked at one by one."""
        return self.which is not None and not self.which.ids

    def counted(self) -> Count | None:
        """How many there are; None if no index finds them."""
        if self.which is not None and self.which.ids:
            ids = sa.select(jobs.c.id).where(self.among(self.which.ids))
            return counted(self.connection, ids)
        return None if self.indexed is None else counted(self.connection, self.indexed)

    def numbers(self, direction: Direction, limit: int) -> Iterator[Sequence[int]]:
        """The numbers of the candidates, in chunks."""
        last: int | None = None
        size = limit if self.which is None else CHUNKS[0]
        while True:
            began = time.monotonic()
            query = self.candidates(direction, last, size)
            numbers = list(self.connection.execute(query).scalars())
            if numbers:
                yield numbers
                last = numbers[-1]
            if len(numbers) < size:
                return
            if self.which is not None:
                size = following(size, time.monotonic() - began)

    def among(self, numbers: Sequence[int]) -> sa.ColumnElement[bool]:
        """Whether a job is one of the candidates ``numbers``, and matches."""
        dialect = dialect_of(self.connection)
        conditions = [dialect.is_one_of(jobs.c.id, numbers)]
        if self.which is not None:
            conditions.append(self.which.where(dialect))
        if self.states:
            conditions.append(job_state.is_in(*self.states))
        return sa.and_(*conditions)


def following(size: int, took: float) -> int:
    """How many candidates the next chunk has, when one of ``size`` took so many seconds."""
    _, least, most = CHUNKS
    return max(least, min(most, size * _GROWTH, int(size * _PACE / max(took, 1e-6))))


def groups_of(connection: sa.Connection, which: JobFilter) -> list[uuid.UUID] | None:
    """The fingerprints that a filter means; None if it does not tell groups apart, or means many."""
    if which.fingerprint is not None:
        named = {name: getattr(which, name) for name in _GROUPED}
        if not any(value is not None for value in named.values()):
            return [which.fingerprint]
    conditions = [
        fingerprints.c[name] == value
        for name in _GROUPED
        if (value := getattr(which, name)) is not None
    ]
    if which.fingerprint is not None:
        conditions.append(fingerprints.c.id == which.fingerprint)
    if not conditions:
        return None
    query = sa.select(fingerprints.c.id).where(*conditions).limit(FINGERPRINTS + 1)
    groups = list(connection.execute(query).scalars())
    return groups if len(groups) <= FINGERPRINTS else None


def _in(column: sa.Column[int]) -> Candidates:
    def candidates(direction: Direction, last: int | None, size: int) -> sa.Select[Any]:
        query = sa.select(column).where(direction.within(column, last))
        return query.order_by(direction.order(column)).limit(size)

    return candidates


def _numbered(connection: sa.Connection, ids: Sequence[int]) -> Candidates:
    def candidates(direction: Direction, last: int | None, size: int) -> sa.Select[Any]:
        query = _in(jobs.c.id)(direction, last, size)
        return query.where(dialect_of(connection).is_one_of(jobs.c.id, ids))

    return candidates


def _merged(groups: Sequence[uuid.UUID]) -> Candidates:
    """Of several groups, each by its part of the index."""

    def candidates(direction: Direction, last: int | None, size: int) -> sa.Select[Any]:
        if not groups:
            return sa.select(dead.c.job).where(sa.false())
        if len(groups) * size > _MERGED:
            query = _in(dead.c.job)(direction, last, size)
            return query.where(dead.c.fingerprint.in_(groups))
        parts = []
        for group in groups:
            part = _in(dead.c.job)(direction, last, size)
            parts.append(sa.select(part.where(dead.c.fingerprint == group).subquery().c.job))
        job = sa.union_all(*parts).subquery().c.job
        return sa.select(job).order_by(direction.order(job)).limit(size)

    return candidates
