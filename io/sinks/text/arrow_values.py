"""Texts as the values that PostgreSQL reads from them, where that is sure.

Only spellings that both read alike are taken: any other text is left to the server.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sinks.text.arrow_text import data_of

_WHOLE = frozenset({"int2", "int4", "int8"})
READ = frozenset({*_WHOLE, "numeric", "bool", "date", "timestamp", "timestamptz"})
"""The types whose values are read from texts here."""

_DIGITS = b"0123456789.-"
_MOST_DIGITS = 38

_SECONDS = len("2026-01-31T10:15:00")
_DAY = len("2026-01-31")
_MARKS = {4: b"-", 7: b"-", 10: b"T ", 13: b":", 16: b":"}
"""What stands between the digits of a moment."""
_UTC = ("Z", "+00:00")


def values_of(kind: str, texts: Any) -> Any:
    """The values of a column's type as an array of Arrow; None if one text may stand for another value.

    Args:
        kind: The type of the column.
        texts: An array of strings, none of them null.
    """
    try:
        if kind in _WHOLE:
            return _numbers(texts)
        if kind == "numeric":
            return _decimals(texts)
        if kind == "timestamptz":
            return _moments(texts, pa.timestamp("us", "UTC")) if _are_utc(texts) else None
        if kind == "timestamp":
            return _moments(texts, pa.timestamp("us"))
        if kind == "date":
            return texts.cast(pa.date32()) if _have_length(texts, _DAY) else None
        if kind == "bool":
            return _truths(texts)
    except pa.ArrowInvalid:
        return None
    return None


def scales_of(texts: Any) -> np.ndarray[Any, Any]:
    """How many digits each number has behind its point."""
    points = pc.find_substring(texts, ".").to_numpy(zero_copy_only=False)
    lengths = pc.binary_length(texts).to_numpy(zero_copy_only=False)
    return np.where(points < 0, 0, lengths - points - 1)


def _numbers(texts: Any) -> Any:
    """Whole numbers, each in the one spelling without a zero in front."""
    numbers = texts.cast(pa.int64())
    return numbers if _all(pc.equal(numbers.cast(pa.string()), texts)) else None


def _decimals(texts: Any) -> Any:
    """Numbers of digits, all with as many behind the point as the longest has there."""
    if data_of(texts).translate(None, _DIGITS):
        return None
    scale = int(scales_of(texts).max(initial=0))
    return texts.cast(pa.decimal128(_MOST_DIGITS, scale)) if scale <= _MOST_DIGITS else None


def _moments(texts: Any, arrow_type: Any) -> Any:
    """Moments to the second or finer."""
    heads = data_of(pc.binary_slice(texts.view(pa.binary()), 0, _SECONDS))
    if len(heads) != _SECONDS * len(texts):
        return None  # no slice is longer, so one is shorter
    for place, marks in _MARKS.items():
        if heads[place::_SECONDS].translate(None, marks):
            return None
    return texts.cast(arrow_type)


def _are_utc(texts: Any) -> bool:
    """Whether each says that it is in UTC."""
    return _all(pc.or_(*(pc.ends_with(texts, ending) for ending in _UTC)))


def _truths(texts: Any) -> Any:
    truths = pc.equal(texts, pa.scalar("true"))
    return truths if _all(pc.or_(truths, pc.equal(texts, pa.scalar("false")))) else None


def _have_length(texts: Any, length: int) -> bool:
    return bool((pc.binary_length(texts).to_numpy(zero_copy_only=False) == length).all())


def _all(truths: Any) -> bool:
    return int(truths.true_count) == len(truths)
