"""How far a key has come, and whether a record is newer than that. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

OLDEST = -(1 << 63)
"""The position of a record without a value in the field that decides: older than all others."""

_BASE = 10_001
_DEEPEST = 1 << 62


class Place(NamedTuple):
    """Where a record is from.

    Attributes:
        source: Its source.
        partition: Its partition.
        offset: Its offset.
        element: Tells apart, in order, the records of one offset.
    """

    source: str
    partition: str
    offset: int
    element: int = 0


@dataclass(frozen=True, slots=True)
class Claim:
    """What a record says of its key.

    Attributes:
        position: Where it lies in the order of all changes; None if only its place tells.
        place: Where it is from.
        delete: Whether the row is gone.
        bare: Whether it is a delete that may have lost its position: a tombstone.
    """

    position: int | None
    place: Place
    delete: bool = False
    bare: bool = False


@dataclass(frozen=True, slots=True)
class State:
    """How far a key has come.

    Attributes:
        position: Of the last change that was applied; None if it had none.
        place: Where it was from; None if nobody knows, since it was not applied by a pipeline.
        deleted: Whether it was a delete.
    """

    position: int | None
    place: Place | None
    deleted: bool = False


Verdict = Literal["newer", "older", "unknown"]
"""How a record compares; ``unknown`` if nobody can tell."""


def compare(claim: Claim, state: State | None) -> Verdict:
    """Whether the record that makes ``claim`` is newer than what its key has come to.

    Positions decide. Of equal ones, and without them, the later offset of one partition does; records
    of different partitions cannot be compared then. Equal positions from two partitions are one
    change that was sent twice.

    Args:
        claim: What the record says.
        state: How far its key has come; None if nowhere.
    """
    if state is None:
        return "newer"
    both = claim.position is not None and state.position is not None
    if both and claim.position != state.position:
        return "newer" if claim.position > state.position else "older"  # type: ignore[operator]
    if state.place is None:  # a delete ends the version of the row that it was made for
        return "newer" if claim.delete else "older"
    if claim.place[:2] == state.place[:2]:
        return "newer" if claim.place[2:] > state.place[2:] else "older"
    return "older" if both or claim.bare else "unknown"


def after(claim: Claim, state: State | None) -> State:
    """How far a key has come once a newer record has been applied."""
    position = claim.position
    if position is None and state is not None:
        position = state.position  # older positions stay older
    return State(position, claim.place, claim.delete)


def passed(claim: Claim, state: State) -> State:
    """How far a key has come once a record has turned out to be older than ``state``.

    A delete that comes later than its tombstone tells the position that the tombstone lacks. Without
    it, nobody could ever compare the key with changes of other partitions.
    """
    if claim.delete and claim.position is not None and state.deleted and state.position is None:
        return replace(state, position=claim.position)
    return state


def element_of(element: int | None, branches: tuple[int, ...]) -> int:
    """One number for the element and the branches of an expansion, in their order."""
    number = element or 0
    for branch in branches:
        number = number * _BASE + branch
    return min(number, _DEEPEST)
