"""The audit trail: who did what to which jobs and objects, when and why. Nothing deletes its rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from sinks.database.database import Database
from sinks.database.dialects import dialect_of
from sinks.database.engine import transaction
from sinks.database.tables import audit
from sinks.text.encoding import clean

REASON_LIMIT = 2_000
ACTOR_LIMIT = 255

LOOKED_AT = 20_000
"""How many entries are looked at for those that a page asks for."""


OVERLAP = timedelta(hours=1)
"""Entries further apart than this have their numbers in the order of their times."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One transaction of an action.

    Attributes:
        id: The number of the entry.
        at: When it was made.
        action: ``replay``, ``cancel``, ``purge``, ``adopt``, ``prune``, ``reveal``, ``compact``, ``sweep``,
            ``pause``, ``resume``, ``drain``, ``rate``, ``rewind``, ``forget``, ``edit``, ``evolve``, or, of long
            orders, ``order`` and ``cancel_order``, which change no jobs themselves.
        actor: Who acted.
        reason: Why.
        filter: Which jobs or objects were meant.
        count: How many of them this transaction changed, or showed.
    """

    id: int
    at: datetime
    action: str
    actor: str
    reason: str
    filter: Mapping[str, Any]
    count: int


def enter(
    connection: sa.Connection,
    action: str,
    *,
    actor: str,
    reason: str,
    which: Mapping[str, Any],
    count: int,
) -> None:
    """Add an entry in the transaction that makes the change, so that neither exists without the other.

    Args:
        connection: In that transaction.
        action: As in ``Entry``.
        actor: Who; cut at 255 characters.
        reason: Why; cut at 2,000 characters.
        which: Which jobs were meant, as JSON.
        count: How many jobs were changed, or shown.
    """
    connection.execute(
        sa.insert(audit).values(
            at=dialect_of(connection).now(connection),
            action=action,
            actor=clean(actor, ACTOR_LIMIT),
            reason=clean(reason, REASON_LIMIT),
            filter=dict(which),
            count=count,
        )
    )


@dataclass(frozen=True, slots=True)
class Reveal:
    """A look at what hidden fields hold, by somebody who says why.

    Attributes:
        actor: Who looks.
        reason: Why.
    """

    actor: str
    reason: str

    def enter(self, connection: sa.Connection, which: Mapping[str, Any], count: int) -> None:
        """Add the entry, in the transaction that reads ``count`` jobs that match ``which``."""
        enter(connection, "reveal", actor=self.actor, reason=self.reason, which=which, count=count)


def entries(database: Database, *, limit: int = 100) -> list[Entry]:
    """The newest entries first, at most ``limit``; none where the table does not exist.

    Raises:
        SinkUnavailable: The database cannot be reached.
    """
    with transaction(database, "read the audit trail", write=False) as connection:
        if not sa.inspect(connection).has_table(audit.name):
            return []
        query = sa.select(audit).order_by(audit.c.id.desc()).limit(limit)
        return [Entry(*row) for row in connection.execute(query)]


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which entries a page shows; None stands for all.

    Attributes:
        action: Of this action.
        actor: By this actor.
        since: Made at this time or later.
    """

    action: str | None = None
    actor: str | None = None
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """A page of the audit trail, the newest entry first.

    Attributes:
        entries: The entries.
        before: Goes into ``before`` for the next page, or to search on; None at the end.
        searched: How many entries were looked at where that ended the search; otherwise None.
    """

    entries: Sequence[Entry]
    before: int | None
    searched: int | None


def page(database: Database, wanted: Wanted, *, before: int | None = None, limit: int = 50) -> Page:
    """A page of entries older than the one with the number ``before``.

    Raises:
        SinkUnavailable: The database cannot be reached.
    """
    older = sa.true() if before is None else audit.c.id < before
    chosen = [
        audit.c[name] == value
        for name, value in (("action", wanted.action), ("actor", wanted.actor))
        if value is not None
    ]
    if wanted.since is not None:
        chosen.append(audit.c.at >= wanted.since)
    with transaction(database, "read the audit trail", write=False) as connection:
        if not sa.inspect(connection).has_table(audit.name):
            return Page((), None, None)
        end = None
        if chosen:
            numbers = sa.select(audit.c.id, audit.c.at).where(older).order_by(audit.c.id.desc())
            last = connection.execute(numbers.offset(LOOKED_AT - 1).limit(1)).one_or_none()
            # What began long before ``since`` is older in all entries behind it.
            if last is not None and (wanted.since is None or last.at > wanted.since - OVERLAP):
                end = last.id
        query = sa.select(audit).where(older, *chosen)
        if end is not None:
            query = query.where(audit.c.id >= end)
        rows = connection.execute(query.order_by(audit.c.id.desc()).limit(limit + 1)).all()
    shown = [Entry(*row) for row in rows[:limit]]
    if len(rows) > limit:
        return Page(shown, shown[-1].id, None)
    return Page(shown, end, None if end is None else LOOKED_AT)
