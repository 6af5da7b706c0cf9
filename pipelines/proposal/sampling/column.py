"""What a sample shows of one field: how often which kind of value, where first, and whether all differ."""

from __future__ import annotations

from array import array
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from pipelines.proposal.sampling.kinds import Kind, kind_of, kind_of_text

_LOWEST, _HIGHEST = -(2**63), 2**63 - 1

_OF_A_KEY = frozenset(
    {Kind.INTEGER, Kind.LARGE, Kind.LONG, Kind.LEADING_ZERO, Kind.TEXT, Kind.UUID}
    | {Kind.DATE, Kind.INSTANT, Kind.LOCAL, Kind.WORD, Kind.OTHER_DATE, Kind.ABSENCE}
)
"""Kinds of values that may be a part of a key: they compare alike in every database."""

_LONGEST_KEY = 200
"""Longer text is a part of no key."""


@dataclass(slots=True)
class Column:
    """What the sample shows of one field.

    Attributes:
        name: Its name, as the source has it.
        kinds: How many values of each kind there are.
        first: Of each kind, the number of the first record that has it, from 0.
        lowest: The smallest whole number, or None.
        highest: The largest one.
        longest: The length of the longest text.
        decimals: How many digits stand behind the point, each number of them once.
        absences: The words for nothing.
        keys: What tells its values apart, one for each record so far; None once a value cannot be
            a part of a key, or is missing.
    """

    name: str
    kinds: Counter[Kind] = field(default_factory=Counter)
    first: dict[Kind, int] = field(default_factory=dict)
    lowest: int | None = None
    highest: int | None = None
    longest: int = 0
    decimals: set[int] = field(default_factory=set)
    absences: Counter[str] = field(default_factory=Counter)
    keys: array[int] | None = field(default_factory=lambda: array("q"))

    def add(self, value: Any, record: int, *, cell: bool, quoted: bool = False) -> bool:
        """Take note of the value that the record of this number has.

        Args:
            value: The value.
            record: The number of its record, from 0.
            cell: Whether it is a cell of CSV.
            quoted: Whether that is an empty pair of quotes.

        Returns:
            Whether it is the first of its kind.
        """
        kind = kind_of_text(value) if cell and isinstance(value, str) else kind_of(value)
        if quoted:
            kind = Kind.QUOTED_EMPTY
        before = self.kinds.get(kind, 0)
        self.kinds[kind] = before + 1
        if not before:
            self.first[kind] = record
        if kind is Kind.INTEGER:
            self._add_whole(int(value))
        elif kind is Kind.NUMBER:
            self.decimals.add(len(str(value).partition(".")[2]))
        elif kind is Kind.TEXT and isinstance(value, str):
            self.longest = max(self.longest, len(value))
        elif kind is Kind.ABSENCE:
            self.absences[value] += 1
        if self.keys is not None:
            self._add_key(value, kind, record)
        return not before

    def _add_whole(self, number: int) -> None:
        if self.lowest is None or number < self.lowest:
            self.lowest = number
        if self.highest is None or number > self.highest:
            self.highest = number

    def _add_key(self, value: Any, kind: Kind, record: int) -> None:
        keys = self.keys
        assert keys is not None  # noqa: S101 - the caller has looked
        long = isinstance(value, str) and len(value) > _LONGEST_KEY
        if kind not in _OF_A_KEY or long or len(keys) != record:
            self.keys = None
            return
        small = type(value) is int and _LOWEST <= value <= _HIGHEST
        keys.append(value if small else hash(value))

    def has_all(self, records: int) -> bool:
        """Whether it has a value that may be a part of a key in each of ``records``."""
        return self.keys is not None and len(self.keys) == records

    def is_unique(self, records: int) -> bool:
        """Whether it has a value in each of ``records``, and no value twice."""
        return self.has_all(records) and len(set(self.keys or ())) == records

    @property
    def digits(self) -> int:
        """The most digits of a whole number."""
        return max(len(str(abs(bound or 0))) for bound in (self.lowest, self.highest))

    @property
    def present(self) -> int:
        """In how many records the field is there, also as null."""
        return self.kinds.total()

    @property
    def valued(self) -> frozenset[Kind]:
        """The kinds of its values, apart from null and empty text."""
        return frozenset(self.kinds) - {Kind.NULL, Kind.EMPTY}

    @property
    def ranked(self) -> list[Kind]:
        """The same, the most frequent one first."""
        return sorted(self.valued, key=lambda kind: (-self.kinds[kind], self.first[kind]))

    def count(self, *kinds: Kind) -> int:
        """How many values are of one of ``kinds``."""
        return sum(self.kinds[kind] for kind in kinds)
