"""Where rows of CSV end whose quotes come in pairs as RFC 4180 has them, seen of many rows at once."""

from __future__ import annotations

from typing import Any

import numpy as np

MOST_QUOTES = 1_000_000
"""Of more quotes the places are not kept: eight bytes for each."""

_NEWLINE, _RETURN = 0x0A, 0x0D


def row_ends(
    data: bytes, delimiter: bytes, quote: bytes, start: int = 0
) -> np.ndarray[Any, Any] | None:
    r"""Where rows end: the offsets of newlines outside quotes, ascending.

    What is behind the last newline is not looked at.

    Args:
        data: Rows; one begins at ``start``.
        delimiter: Separates cells; one ASCII character.
        quote: Encloses a cell; one ASCII character.
        start: Where to begin.

    Returns:
        None unless each quote opens a cell at its beginning, closes one at its end, or is one of two that
        stand for one: then the rows need a closer look. The last quote may be left open.

    >>> row_ends(b"1,'it''s'\n2,'\n'\n3", b",", b"'")
    array([ 9, 15])
    """
    end = data.rfind(b"\n") + 1
    if start >= end:
        return np.empty(0, np.intp)
    read = np.frombuffer(data, np.uint8, end - start, start)
    mark, separator = ord(quote), ord(delimiter)
    is_quote = read == mark
    if np.count_nonzero(is_quote) > MOST_QUOTES:
        return None
    quotes = np.flatnonzero(is_quote)
    opening, closing = quotes[::2], quotes[1::2]
    before = read[opening[1:] - 1] if len(opening) and opening[0] == 0 else read[opening - 1]
    if not _are_among(before, (separator, _NEWLINE, mark)):
        return None
    if not _are_among(read[closing + 1], (separator, _NEWLINE, mark, _RETURN)):
        return None
    newlines: np.ndarray[Any, Any] = np.flatnonzero(read == _NEWLINE)
    # Behind an odd number of quotes, a newline is within them.
    outside = np.searchsorted(quotes, newlines) & 1 == 0
    return np.compress(outside, newlines) + start


def _are_among(read: Any, expected: tuple[int, ...]) -> bool:
    hits = np.zeros(len(read), bool)
    for byte in expected:
        hits |= read == byte
    return bool(hits.all())
