"""Names of fields that no column can have. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

SHOWN = 60  # characters of a name in a message


@dataclass(slots=True)
class Names:
    """The names of a table's columns, and what a further one may be called.

    Attributes:
        longest: The length of the longest name that the database keeps whole.
        unit: What it is counted in.
        by_fold: Every name by its form without capitals.
    """

    longest: int
    unit: Literal["bytes", "characters"]
    by_fold: dict[str, str] = field(default_factory=dict)

    def take(self, names: Iterable[str]) -> None:
        """These are columns, or are to be."""
        for name in names:
            self.by_fold.setdefault(name.casefold(), name)

    def fault(self, name: str) -> str:
        """Why no column is added under the name; empty if one may be.

        >>> names = Names(63, "bytes", {"id": "id"})
        >>> names.fault("ID"), names.fault("size")
        ('its name differs from column id only by capitals', '')
        """
        impossible = self.impossible(name)
        other = self.by_fold.get(name.casefold())
        if impossible or other is None:
            return impossible
        return f"its name differs from column {shown(other)} only by capitals"

    def impossible(self, name: str) -> str:
        """Why nobody could add a column under the name, by hand either; empty if a person could."""
        if not name:
            return "its name is empty"
        if "\x00" in name:
            return "its name has a NUL character"
        try:
            length = len(name.encode()) if self.unit == "bytes" else len(name)
        except UnicodeEncodeError:
            return "its name is not valid Unicode"
        if length > self.longest:
            return f"its name has {length:,} {self.unit}, and the database takes {self.longest}"
        if self.by_fold.get(name.casefold()) == name:
            return f"column {shown(name)} is filled by the program itself"
        return ""


def shown(name: str) -> str:
    """A name as messages have it: one bounded line."""
    short = name if len(name) <= SHOWN else name[: SHOWN - 1] + "…"
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in short)
