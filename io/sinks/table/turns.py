"""Which rows must take turns: records of one key are applied in order, one after another.

The reference is one record at a time, each under its own savepoint. A statement over many rows
gives the same result if no row in it depends on another, so rows that do are written by different
statements. Pure: the writers of all databases share it.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Sequence

Dependency = tuple[int, int]
"""A position, and an earlier one that must be written before it by another statement."""


def rounds_of(keys: Sequence[Hashable]) -> list[list[int]]:
    """Positions by how often their key came before: all first ones, all second ones, and so on.

    Within a round no key repeats. Only for rows of different keys that do not depend on each
    other: rounds change the order between keys.

    >>> rounds_of(["a", "b", "a", "c", "a"])
    [[0, 1, 3], [2], [4]]
    """
    seen: dict[Hashable, int] = {}
    rounds: list[list[int]] = []
    for position, key in enumerate(keys):
        number = seen.get(key, 0)
        seen[key] = number + 1
        if number == len(rounds):
            rounds.append([])
        rounds[number].append(position)
    return rounds


def repeats_of(keys: Sequence[Hashable]) -> Iterator[Dependency]:
    """Each position whose key came before, with the previous position of the key."""
    last: dict[Hashable, int] = {}
    for position, key in enumerate(keys):
        if key in last:
            yield position, last[key]
        last[key] = position


def parents_after(
    provided: Sequence[Hashable], needed: Sequence[Hashable | None]
) -> Iterator[Dependency]:
    """Rows that an earlier row refers to: one statement would accept both, two statements do not.

    Args:
        provided: By position, the cells that other rows of the table may refer to.
        needed: By position, the cells of the row that it refers to; None where it does not.
    """
    last: dict[Hashable, int] = {}
    for position, (own, other) in enumerate(zip(provided, needed, strict=True)):
        if own in last:
            yield position, last[own]
        if other is not None:
            last[other] = position


def cuts_of(dependencies: Iterable[Dependency]) -> list[int]:
    """Where to cut so that no dependency lies within a piece: as few cuts as possible.

    >>> cuts_of([(2, 0), (4, 2), (5, 3)])
    [2, 4]
    """
    cuts: list[int] = []
    start = 0
    for position, before in sorted(dependencies):
        if before >= start:
            cuts.append(position)
            start = position
    return cuts


def pieces(start: int, end: int, cuts: Iterable[int]) -> Iterator[tuple[int, int]]:
    """The range ``[start, end)`` divided at those of ``cuts`` that lie inside it.

    >>> list(pieces(0, 5, [2, 9]))
    [(0, 2), (2, 5)]
    """
    for cut in sorted(cuts):
        if start < cut < end:
            yield start, cut
            start = cut
    if start < end:
        yield start, end
