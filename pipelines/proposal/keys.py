"""Which columns may be the key: those that differ in every record of the sample, and are always there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from pipelines.proposal.names import words_of
from pipelines.proposal.sampling.column import Column
from pipelines.proposal.sampling.kinds import Kind
from pipelines.proposal.types import ProposedType

_ENOUGH = 20
"""In fewer records, columns without the name of a key differ by chance."""

_MOST_IN_PAIRS = 12
_SHOWN = 4

_NAMES = frozenset({"id", "uuid", "guid", "key", "pk", "oid"})
_CODES = frozenset({"number", "no", "nr", "num", "code", "sku", "ref", "reference", "isbn", "hash"})
_DATES = (Kind.DATE, Kind.INSTANT, Kind.LOCAL, Kind.OTHER_DATE)


@dataclass(frozen=True, slots=True)
class Candidate:
    """Columns that tell the records of the sample apart.

    Attributes:
        columns: Their names, as the source has them.
        sure: Whether name and type suggest a key, so that it may be proposed.
        rank: By which candidates are ordered, the best one first.
    """

    columns: tuple[str, ...]
    sure: bool
    rank: tuple[int, int, int]


def candidates(
    columns: Sequence[Column], types: Mapping[str, ProposedType], records: int, table: str
) -> list[Candidate]:
    """The candidates, the best one first, at most four; pairs only where no single column is one.

    Args:
        columns: What the sample shows, in the order of the source.
        types: The type of each column.
        records: How many records the sample has.
        table: The name of the table: ``order_id`` is more likely the key of ``orders`` than
            ``customer_id``.
    """
    eligible = [
        (column, _rank(column, place, table))
        for place, column in enumerate(columns)
        if _may_be_part(column, types[column.name], records)
    ]
    singles = [
        Candidate((column.name,), _is_sure(rank, records), rank)
        for column, rank in eligible
        if column.is_unique(records)
    ]
    if not singles:
        singles = _pairs(eligible, records)
    if records < _ENOUGH:
        singles = [one for one in singles if one.sure]
    return sorted(singles, key=lambda one: (not one.sure, one.rank))[:_SHOWN]


def _may_be_part(column: Column, proposed: ProposedType, records: int) -> bool:
    if not column.has_all(records) or "," in column.name:
        return False  # a comma separates the fields of a key
    return proposed.kinds in (("integer",), ("string",)) and not proposed.as_text


def _rank(column: Column, place: int, table: str) -> tuple[int, int, int]:
    """How much a column looks like a key: by its name, by its values, by its place."""
    words = words_of(column.name)
    of_table = "".join(words[:-1]).rstrip("s") == table.replace("_", "").rstrip("s")
    if words[-1:] and words[-1] in _NAMES:
        by_name = 0 if len(words) == 1 or of_table else 1
    elif words and _CODES.intersection(words):
        by_name = 2
    else:
        by_name = 4 if column.count(*_DATES) else 3
    by_type = 0 if column.valued <= {Kind.UUID, Kind.INTEGER} else 1
    return by_name, by_type, place


def _is_sure(rank: tuple[int, int, int], records: int) -> bool:
    by_name, by_type, place = rank
    if by_name <= 1:
        return True
    return records >= _ENOUGH and (by_name == 2 or (by_name == 3 and by_type == 0 and place == 0))


def _pairs(
    eligible: Sequence[tuple[Column, tuple[int, int, int]]], records: int
) -> list[Candidate]:
    """The pairs of columns that tell records apart."""
    best = sorted(eligible, key=lambda item: item[1])[:_MOST_IN_PAIRS]
    pairs: list[Candidate] = []
    for (first, one), (second, other) in combinations(best, 2):
        values = zip(first.keys or (), second.keys or (), strict=True)
        if len(set(values)) == records:
            sure = records >= _ENOUGH and min(one[0], other[0]) <= 2 and one[0] + other[0] <= 5
            rank = (one[0] + other[0], one[1] + other[1], one[2] + other[2])
            pairs.append(Candidate((first.name, second.name), sure, rank))
    return pairs
