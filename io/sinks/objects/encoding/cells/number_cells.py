"""Numbers as Arrow's arrays: each is in its column exactly, or refused."""

from __future__ import annotations

import math
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from sinks.objects.encoding.cells.unfit import FAILURES, Explained, shown

_CERTAIN = 15  # digits that a double keeps, whichever they are
_NONE = type(None)
_NUMBERS = frozenset({int, Decimal, _NONE})
_INTEGERS = frozenset({int, _NONE})


def integers(cells: Sequence[Any], arrow: Any) -> Any:
    """Integers as an array of Arrow's type ``arrow``; 1.0 is one.

    Raises:
        ValueError, TypeError, ArithmeticError: A cell is none, or is out of range.
    """
    if not set(map(type, cells)) <= _INTEGERS:
        cells = list(map(_whole, cells))
    return pa.array(cells, arrow)


def _whole(cell: Any) -> int | None:
    """1.0 is an integer in JSON Schema."""
    if cell is None or type(cell) is int:
        return cell
    if not isinstance(cell, (float, Decimal)) or cell != cell.__trunc__():
        raise Explained(f"{shown(cell)} is not an integer")
    return cell.__trunc__()


def decimals(cells: Sequence[Any], arrow: Any) -> Any:
    """Numbers as an array of Arrow's decimal type ``arrow``.

    Raises:
        ValueError: A cell is no number, or has too many digits before or after the point.
    """
    if not set(map(type, cells)) <= _NUMBERS:
        cells = [cell if cell is None else _number(cell) for cell in cells]
    try:
        return pa.array(cells, arrow)
    except FAILURES as error:
        _number(cells[0] or 0)
        raise Explained(
            f"{shown(cells[0])} has more than {arrow.precision - arrow.scale} digits before the point, "
            f"or more than {arrow.scale} after it"
        ) from error


def _number(cell: Any) -> Decimal:
    if isinstance(cell, float) and math.isfinite(cell):
        return Decimal(repr(cell))
    if type(cell) is int or (isinstance(cell, Decimal) and cell.is_finite()):
        return Decimal(cell)
    raise Explained(f"{shown(cell)} is not a number")


def doubles(cells: Sequence[Any], arrow: Any) -> Any:
    """Numbers as an array of doubles that have them exactly.

    A double has a number if one of the texts that programs write for the double is that number: the
    shortest one, or the one with 17 digits.

    Raises:
        ValueError: A cell is no number, or no double has it.
    """
    kinds = set(map(type, cells))
    if kinds <= _NUMBERS:
        texts = pa.array(
            [c if c is None else str(c) for c in cells]
            if _NONE in kinds
            else list(map(str, cells)),
            pa.string(),
        )
        column = pc.cast(texts, arrow)
        longest = pc.max(pc.binary_length(texts)).as_py() or 0
        if longest > _CERTAIN or _has_letters(texts):
            for cell, double in zip(cells, column.to_pylist(), strict=True):
                if double is not None:
                    _check_double(cell, double)
        return column
    return pa.array([None if cell is None else double_of(cell) for cell in cells], arrow)


def _has_letters(texts: Any) -> bool:
    """Whether a number has an exponent, or is NaN or Infinity, as ``Decimal`` writes them."""
    buffer = texts.buffers()[2]
    together = b"" if buffer is None else buffer.to_pybytes()
    return any(letter in together for letter in (b"E", b"N", b"I"))


def double_of(cell: Any) -> float:
    """A number as a double that has it exactly.

    Raises:
        ValueError: It is no number, or no double has it.
    """
    if type(cell) is float:
        if not math.isfinite(cell):
            raise Explained(f"{shown(cell)} is not a number")
        return cell
    number = _number(cell)
    double = float(number)
    _check_double(number, double)
    return double


def _check_double(number: int | Decimal, double: float) -> None:
    if not math.isfinite(double) or (
        Decimal(repr(double)) != number and Decimal(f"{double:.17g}") != number
    ):
        raise Explained(
            f"{shown(number)} is not a number that a double has exactly; multipleOf in the schema "
            "makes the column a decimal"
        )
