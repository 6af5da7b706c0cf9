"""The operation that lists groups of dead letters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta

from pipelines.console.api.dead_letters import Filter, Number, filter_asked
from pipelines.console.api.operation import Operation
from pipelines.console.pages.dead_letter_groups import listed_for
from pipelines.console.view import View
from sinks.console.groups import Group


@dataclass(frozen=True, slots=True)
class Listing(Filter):
    """A page of groups.

    Attributes:
        after: As the page before says it.
        limit: How many.
    """

    after: Number | None = None
    limit: Annotated[int, Meta(ge=1, le=100)] = 25


@dataclass(frozen=True, slots=True)
class Groups:
    """Groups of dead letters, the one with the newest first.

    Attributes:
        groups: The groups.
        after: Goes into ``after`` to go on.
        searched: How many dead letters were looked at, the newest, if not all were.
    """

    groups: tuple[Group, ...]
    after: int | None
    searched: int | None


def listing(view: View, asked_for: Listing) -> Groups:
    """A page of groups."""
    which = filter_asked(view, asked_for)
    listed = listed_for(view, which, after=asked_for.after, limit=asked_for.limit)
    return Groups(listed.groups, listed.after, listed.searched)


OPERATIONS: tuple[Operation, ...] = (
    Operation(
        *("GET", "/dead-letters/groups", "listDeadLetterGroups"),
        "Dead letters by what failed, the group with the newest first",
        listing,
        Groups,
        Listing,
    ),
)
