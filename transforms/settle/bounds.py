"""Bounds: when what waits for a table is written."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Bounds:
    """When what waits for a table is written, within a bundle. Without any bound: at once.

    Attributes:
        records: As soon as so many records wait; None for no such bound.
        bytes: As soon as they have so many bytes, as read; None for no such bound.
        age: As soon as the first has waited for so many seconds; None for no such bound.
    """

    records: int | None = None
    bytes: int | None = None
    age: float | None = None

    @property
    def unset(self) -> bool:
        """Whether there is none of them, so that nothing waits."""
        return self.records is None and self.bytes is None and self.age is None


def tightest(bounds: Iterable[Bounds]) -> Bounds:
    """The bounds under which no table waits for longer than under any of ``bounds``."""
    every = list(bounds)
    if any(each.unset for each in every):
        return Bounds()
    return Bounds(
        min((each.records for each in every if each.records is not None), default=None),
        min((each.bytes for each in every if each.bytes is not None), default=None),
        min((each.age for each in every if each.age is not None), default=None),
    )


@dataclass(frozen=True, slots=True)
class TableBounds:
    """The bounds of every table, by its label. Picklable.

    Attributes:
        home: Those of the pipeline's own table, where no route names it.
        tables: Those of the tables that routes name, by label.
        others: Those of all further tables, whose names come from records: ``tightest`` of their
            routes. None for those of ``home``.
    """

    home: Bounds = Bounds()
    tables: Mapping[str, Bounds] = field(default_factory=dict, hash=False)
    others: Bounds | None = None

    def of(self, label: str) -> Bounds:
        """The bounds of the table ``label``."""
        return self.tables.get(label, self.home if self.others is None else self.others)

    @property
    def unset(self) -> bool:
        """Whether no table has any."""
        return all(bounds.unset for bounds in self._every)

    @property
    def most_records(self) -> int:
        """The largest number of records that a table may wait for; 0 if none has such a bound."""
        return max((bounds.records or 0 for bounds in self._every), default=0)

    @property
    def most_bytes(self) -> int:
        """The largest number of bytes that a table may wait for; 0 if none has such a bound."""
        return max((bounds.bytes or 0 for bounds in self._every), default=0)

    @property
    def _every(self) -> tuple[Bounds, ...]:
        others = () if self.others is None else (self.others,)
        return (self.home, *self.tables.values(), *others)


OF_OBJECTS = Bounds(records=100_000, bytes=64 << 20, age=10.0)
"""By default, where a transaction makes an object of each folder: fewer and larger ones."""
