"""Numbers as they are written: exact, and of bounded length."""

from __future__ import annotations

from collections.abc import Callable
from decimal import (
    ROUND_HALF_EVEN,
    Clamped,
    Context,
    Decimal,
    Inexact,
    InvalidOperation,
    Overflow,
    Rounded,
    Subnormal,
)

MAX_DIGITS = 10_000
"""A number has at most so many digits, and an exponent of at most so much either way.

``1e999999999`` is 11 bytes, and a gigabyte once a database or a message writes it out.
Postgres' ``numeric`` holds 131,072 digits before and 16,383 after the point, so what
passes here fits there.
"""

_exact = Context(
    prec=MAX_DIGITS,
    Emax=MAX_DIGITS,
    Emin=-MAX_DIGITS,
    rounding=ROUND_HALF_EVEN,
    clamp=0,
    # Anything that is not exactly what was written raises; nothing is ever rounded.
    traps=[Clamped, Inexact, InvalidOperation, Overflow, Rounded, Subnormal],
)


# A C function, not a Python one around it: it is called for every number with a point.
exact: Callable[[str], Decimal] = _exact.create_decimal
"""The number that a text writes.

Raises:
    ArithmeticError: It has too many digits, too large an exponent, or is no number.
"""
