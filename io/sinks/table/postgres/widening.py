"""Types of PostgreSQL that take more than others and lose nothing. Pure.

Numbers go from ``smallint`` and ``integer`` to ``bigint`` and on to ``numeric``, from ``real`` to
``double precision``, and from ``numeric(p, s)`` to more digits; bounded texts go to ``text``. No
other change keeps every value as it is.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import Any

from sinks.table.target import Column
from transforms.parse.convert import number_of

_BITS = {"int2": 15, "int4": 31, "int8": 63}
_FLOATS = ("float4", "float8")
_LARGEST_FLOAT4 = Decimal("3.4028234663852886e38")
_TEXTS = ("varchar", "bpchar")
_HEADER = 4  # bytes that a modifier of texts and numbers counts (postgres.h, VARHDRSZ)
_MOST_DIGITS = 1_000  # that a precision may declare
_MAY_BE_A_NUMBER = re.compile(r"\s*[+-]?(?:[0-9.]|nan|inf)", re.IGNORECASE)
"""How every text begins that PostgreSQL might read as a number, such as ``0xff`` and ``Infinity``."""

_EXACT = Context(prec=4 * _MOST_DIGITS, rounding=ROUND_HALF_UP)


def widened(column: Column, values: Sequence[Any]) -> str | None:
    """A type that takes ``values`` and all that ``column`` takes, exactly.

    Args:
        column: As PostgreSQL describes it.
        values: Of records, none of them None.

    Returns:
        None if there is none, or the type of the column takes them already.

    >>> widened(Column("n", "int4"), [2**31]), widened(Column("n", "int8"), [0.5])
    ('bigint', 'numeric')
    >>> widened(Column("n", "int4"), [1]), widened(Column("at", "date"), ["soon"])
    (None, None)
    """
    if column.fixed or column.generated or not values:
        return None
    if column.type in _TEXTS:
        short = all(_fits_text(column, value) for value in values)
        return None if short or not all(map(_is_text, values)) else "text"
    numbers = [number for number in map(_number, values) if number is not None]
    if len(numbers) < len(values) or all(_fits_number(column, number) for number in numbers):
        return None
    if column.type in _BITS:
        whole = all(_is_whole(number) and _within(number, "int8") for number in numbers)
        return "bigint" if whole else "numeric"
    if column.type == "float4":
        return "double precision"
    if column.type == "numeric":
        return _more_digits(column, numbers)
    return None


def misfits(column: Column, value: object) -> bool:
    """Whether the type of ``column`` certainly does not take ``value``; of dates and the like, no.

    Args:
        column: As PostgreSQL describes it.
        value: Not None.

    >>> misfits(Column("n", "int4"), "abc"), misfits(Column("n", "int4"), 7)
    (True, False)
    """
    if column.type in _TEXTS:
        return not _fits_text(column, value)
    if column.type not in (*_BITS, *_FLOATS, "numeric"):
        return False
    number = _number(value)
    if number is None:
        return not _MAY_BE_A_NUMBER.match(str(value)) or isinstance(value, bool)
    return not _fits_number(column, number)


def _number(value: object) -> int | Decimal | None:
    """A finite number; text counts as the number that it spells, as PostgreSQL reads it."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, str):
        return number_of(value.strip())
    if isinstance(value, float):
        value = Decimal(repr(value))
    return value if isinstance(value, Decimal) and value.is_finite() else None


def _fits_text(column: Column, value: object) -> bool:
    if not _is_text(value) or column.modifier < _HEADER:
        return not isinstance(value, (dict, list))
    # Blanks beyond the length are cut, as the standard wants it.
    return len(str(value).rstrip(" ")) <= column.modifier - _HEADER


def _is_text(value: object) -> bool:
    """Whether it is known which text a column gets: that of other numbers is the writer's choice."""
    return isinstance(value, (str, int)) and not isinstance(value, bool)


def _fits_number(column: Column, number: int | Decimal) -> bool:
    if column.type in _BITS:
        return isinstance(number, int) and _within(number, column.type)
    if column.type == "float4":
        return -_LARGEST_FLOAT4 <= number <= _LARGEST_FLOAT4
    if column.type == "numeric" and column.modifier >= _HEADER:
        precision, scale = _bounds(column)
        return _digits_before_point(number, scale) <= precision - scale
    return True


def _is_whole(number: int | Decimal) -> bool:
    return isinstance(number, int)


def _within(number: int | Decimal, kind: str) -> bool:
    most: int = 2 ** _BITS[kind]
    return -most <= number < most


def _bounds(column: Column) -> tuple[int, int]:
    """Precision and scale (numeric.c, make_numeric_typmod); the scale may be negative."""
    packed = column.modifier - _HEADER
    return packed >> 16 & 0xFFFF, ((packed & 0x7FF) ^ 1024) - 1024


def _digits_before_point(number: int | Decimal, scale: int) -> int:
    """How many digits stand before the point once the number is rounded to ``scale``."""
    exact = Decimal(number)
    if abs(exact.adjusted()) > _MOST_DIGITS:
        return max(0, exact.adjusted() + 1)
    shifted = exact.scaleb(scale, _EXACT).to_integral_value(context=_EXACT)
    return shifted.adjusted() + 1 - scale if shifted else 0


def _more_digits(column: Column, numbers: Sequence[int | Decimal]) -> str:
    _, scale = _bounds(column)
    digits = max(_digits_before_point(number, scale) for number in numbers) + scale
    return f"numeric({digits}, {scale})" if 0 < digits <= _MOST_DIGITS else "numeric"
