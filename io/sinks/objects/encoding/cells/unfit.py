"""A value that does not fit its column, and what is said of it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pyarrow as pa

SHOWN = 60
"""The most characters of a value in a message."""

_LONG = 1_000  # bits of an integer; Python refuses to write much longer ones out

FAILURES = (ValueError, TypeError, ArithmeticError, LookupError, RecursionError, pa.ArrowException)
"""What a value raises that does not fit its column."""

DATA = "data"
"""Category of a record with a value that does not fit its column."""

UNKNOWN_FIELD = "unknown_field"
"""Category of a record with a field that has no column."""


class Unfit(Exception):
    """A value does not fit its column.

    Attributes:
        path: Where in the column's value it is: ``.city``, ``[3].city``; empty for all of it.
        reason: What is wrong with it.
        category: ``data`` or ``unknown_field``.
    """

    def __init__(self, path: str, reason: str, category: str = DATA) -> None:
        super().__init__(path, reason, category)
        self.path = path
        self.reason = reason
        self.category = category


class Explained(ValueError):
    """Its text is the whole reason."""


def shown(value: Any) -> str:
    """``value`` as a message shows it: one line, shortened."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int) and value.bit_length() > _LONG:
        return f"an integer of {value.bit_length():,} bits"
    if isinstance(value, (int, float, Decimal)):
        text = str(value)
    else:
        text = repr(value) if isinstance(value, str) else f"{type(value).__name__} {value}"
    text = " ".join(text[: 4 * SHOWN].split())
    return text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"
