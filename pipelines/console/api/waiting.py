"""Operations on what waits: retries by when they are due, and the outbox."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from msgspec import Meta

from pipelines.console.api.operation import Operation
from pipelines.console.pages.running import due, outbox
from pipelines.console.pages.running.asking import check_text, cursor
from pipelines.console.view import View
from sinks.console.due import ClaimRow, DueJob, Waiting
from sinks.console.outbox import Outbox

Number = Annotated[int, Meta(ge=0, le=2**63 - 1)]
Limit = Annotated[int, Meta(ge=1, le=500)]
Text = Annotated[str, Meta(min_length=1, max_length=1_000)]


@dataclass(frozen=True, slots=True)
class DueAsked:
    """Which jobs.

    Attributes:
        after: Where the page before has ended: its ``after``.
    """

    target: Text | None = None
    after: Text | None = None
    limit: Limit = 50


@dataclass(frozen=True, slots=True)
class RetriesDue:
    """A page of jobs that wait, the one that is due first first.

    Attributes:
        at: The database's time.
        jobs: The jobs.
        after: Goes into the next page; null at the end.
        waiting: How many wait, by table.
        counted: Whether ``waiting`` has all of them; otherwise the first 100,000.
        claims: What is being tried now.
    """

    at: datetime
    jobs: Sequence[DueJob]
    after: str | None
    waiting: Sequence[Waiting]
    counted: bool
    claims: Sequence[ClaimRow]


@dataclass(frozen=True, slots=True)
class OutboxAsked:
    """Which changes.

    Attributes:
        after: Newer than the change with this number.
    """

    target: Text | None = None
    after: Number | None = None
    limit: Limit = 50


def list_due(view: View, asked: DueAsked) -> RetriesDue:
    """Retries by when they are due."""
    check_text("target", asked.target or "")
    listed = due.listing(view, asked.target, asked.after, asked.limit)
    return RetriesDue(
        listed.at,
        listed.rows,
        cursor(listed.after),
        listed.waiting,
        listed.counted,
        listed.claims,
    )


def list_outbox(view: View, asked: OutboxAsked) -> Outbox:
    """Changes in the outbox."""
    check_text("target", asked.target or "")
    return outbox.listing(view, asked.target, asked.after, asked.limit)


OPERATIONS: tuple[Operation, ...] = (
    Operation(
        *("GET", "/due", "listDue", "Retries by when they are due, and claims"),
        list_due,
        RetriesDue,
        DueAsked,
    ),
    Operation(
        *("GET", "/outbox", "listOutbox", "Changes that wait, oldest first, and those published"),
        list_outbox,
        Outbox,
        OutboxAsked,
    ),
)
