"""Rows of the same columns, once they are in the staging table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sinks.table.postgres.lines import Lines
from sinks.table.postgres.refused.refusal import Refusal
from sinks.table.rows import Poison


@dataclass(slots=True)
class StagedBlock:
    """Rows of the same columns in the staging table.

    Attributes:
        lines: The rows.
        start: The number of the first row.
        refused: The positions of the rows that COPY refused.
        poison: The rows that COPY refused and, later, those that the INSERT refuses.
    """

    lines: Lines
    start: int
    refused: set[int] = field(default_factory=set)
    poison: list[Poison] = field(default_factory=list)

    @property
    def end(self) -> int:
        """The number after that of the last row."""
        return self.start + len(self.lines.indices)

    def numbers(self) -> dict[int, int]:
        """The number of each row that COPY took, by its index."""
        start, refused = self.start, self.refused
        return {
            index: number
            for number, index in enumerate(self.lines.indices, start)
            if number - start not in refused
        }

    def blame(self, refusals: Mapping[int, Refusal]) -> set[int]:
        """Make poison of the rows that are to blame for ``refusals``, by number; their numbers."""
        blamed = set()
        for number, refusal in refusals.items():
            bad = refusal.poison(self.lines.indices[number - self.start])
            if bad is not None:
                self.poison.append(bad)
                blamed.add(number)
        return blamed
