"""Numbers as a page shows them."""

from __future__ import annotations

from typing import Protocol


class Counted(Protocol):
    """A count that may be an estimate."""

    @property
    def number(self) -> int:
        """How many, or about how many."""

    @property
    def exact(self) -> bool:
        """Whether that is certain."""


def count(value: Counted | float | None) -> str:
    """A number with its thousands; an estimate with ≈; a dash for None.

    >>> count(10_000), count(0.25), count(None)
    ('10,000', '0.25', '–')
    """
    if value is None:
        return "–"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 100 else f"{value:,.3g}"
    return f"{value.number:,}" if value.exact else f"≈ {value.number:,}"
