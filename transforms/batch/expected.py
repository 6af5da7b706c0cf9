"""What the target expects of the fields of records, for sources that take names from a header."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ExpectedFields:
    """The fields of which every record needs at least one.

    Attributes:
        names: Columns of the table, or the key; empty if a record without them may be welcome.
        complete: Whether a field that is not among them rejects its record.
        renamed: Whether a step may give fields other names before they are written.
        quotes: Whether messages about a header may quote it, or the rows below it.
    """

    names: frozenset[str] = frozenset()
    complete: bool = False
    renamed: bool = False
    quotes: bool = True
