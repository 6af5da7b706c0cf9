"""Numbers exactly as they are written, with bounded length.

An integer of up to 4,300 digits is an ``int``; a longer one is a ``Decimal`` without a fraction.
Python turns long integers into text and back in quadratic time, and refuses to by default.
"""

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
"""The most digits of a number, and the largest exponent, positive or negative.

``1e999999999`` has 11 bytes, but a gigabyte once a database or a message writes it out.
``numeric`` of PostgreSQL holds 131,072 digits before the point and 16,383 after it, so every
number that passes here fits.
"""

INT_DIGITS = 4_300
"""The most digits of an ``int``: what Python turns into text by default, and msgspec reads."""

TOO_LONG = f"a number has more than {MAX_DIGITS:,} digits, or an exponent beyond that"
"""What is said of a number that is not read."""

_exact = Context(
    prec=MAX_DIGITS,
    Emax=MAX_DIGITS,
    Emin=-MAX_DIGITS,
    rounding=ROUND_HALF_EVEN,
    clamp=0,
    # Whatever would not be exactly what was written raises; nothing is ever rounded.
    traps=[Clamped, Inexact, InvalidOperation, Overflow, Rounded, Subnormal],
)


# The C function itself, without a Python wrapper: it is called for every number with a point.
exact: Callable[[str], Decimal] = _exact.create_decimal
"""The number that a text spells.

Raises:
    ArithmeticError: It has too many digits, too large an exponent, or is not a number.
"""


def integer(digits: str) -> int | Decimal:
    """The integer that a text of digits spells, with a sign or without.

    Raises:
        ArithmeticError: It has more than ``MAX_DIGITS`` digits.
    """
    return int(digits) if len(digits) <= INT_DIGITS else exact(digits)
