"""What becomes of records: the outcomes, their sums, and the law that none is lost."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, fields
from operator import add, attrgetter, sub


@dataclass(frozen=True, slots=True)
class Counts:
    """How many records were read, and how many of them had each outcome.

    The fields are the columns of the ledger, keys of the summary and names of counters: a new
    outcome is a new field here. A difference of two counts may be negative.

    Attributes:
        read: Records read; a message of a topic counts once, however many records it holds.
        expanded: Records beyond the first of their message, or of those that a step made of one.
        inserted: Rows that were new.
        updated: Rows that were changed.
        deleted: Records that say that their row is gone, and were the newest of their key.
        duplicates: Records whose key was there already.
        filtered: Records that a user step dropped on purpose or made none of, and messages that
            hold none.
        dead: Records that became dead letters.
        retrying: Records that are scheduled for another attempt.
        rewound: Records whose jobs were removed when their offsets were forgotten, to be read again.
    """

    read: int = 0
    expanded: int = 0
    inserted: int = 0
    updated: int = 0
    deleted: int = 0
    duplicates: int = 0
    filtered: int = 0
    dead: int = 0
    retrying: int = 0
    rewound: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(*map(add, _numbers(self), _numbers(other)))

    def __sub__(self, other: Counts) -> Counts:
        return Counts(*map(sub, _numbers(self), _numbers(other)))

    def __iter__(self) -> Iterator[tuple[str, int]]:
        """The name and number of every count, in the order of ``COUNTS``."""
        return zip(COUNTS, _numbers(self), strict=True)

    @property
    def records(self) -> int:
        """How many records there were: those read, and those that were found within them."""
        return self.read + self.expanded

    @property
    def conserved(self) -> bool:
        """Whether every record has exactly one outcome."""
        return self.records == sum(number for name, number in self if name in OUTCOMES)


def by_table(
    whole: Counts, tables: Mapping[str, Counts], own: str, expected: Collection[str] = ()
) -> dict[str, Counts]:
    """What became of records, by table, in the order of their names.

    Args:
        whole: All of them.
        tables: Those that were counted for a table.
        own: The pipeline's own table, which has all others.
        expected: Tables that are not left out where there are no records of them.

    >>> by_table(Counts(read=3, inserted=3), {"orders": Counts(read=1, inserted=1)}, "events")["events"]
    Counts(read=2, expanded=0, inserted=2, updated=0, deleted=0, duplicates=0, filtered=0, dead=0, retrying=0, rewound=0)
    """
    rest = whole - sum(tables.values(), Counts())
    every = {**dict.fromkeys(expected, Counts()), **tables}
    every[own] = every.get(own, Counts()) + rest
    return {
        table: counts
        for table, counts in sorted(every.items())
        if table in expected or any(_numbers(counts))
    }


COUNTS = tuple(field.name for field in fields(Counts))
"""The names of all counts, ``read`` first."""

OUTCOMES = COUNTS[2:]
"""The names of the outcomes: ``read`` and ``expanded`` together are their sum."""

_numbers = attrgetter(*COUNTS)
