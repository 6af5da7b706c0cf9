"""Whether the quotes of whole rows of CSV come in pairs as RFC 4180 has them, seen of all rows at once."""

from __future__ import annotations

from typing import Any

import numpy as np

MOST_QUOTES = 1_000_000
"""Of more quotes the places are not kept: eight bytes for each."""

_NEWLINE, _RETURN = 0x0A, 0x0D


def are_paired(data: bytes, delimiter: bytes, quote: bytes, start: int = 0) -> bool:
    r"""Whether each line of ``data`` from ``start`` on is a row whose quotes are all where they belong.

    There, a quote opens a cell at its beginning, closes one at its end, or is one of two that stand for
    one. So no line ends within quotes. False says nothing of the rows, but that they need a closer look.

    Args:
        data: Rows. At ``start`` one begins, and what is behind the last newline is not looked at.
        delimiter: Separates cells; one ASCII character.
        quote: Encloses a cell; one ASCII character.
        start: Where to begin.

    >>> are_paired(b"1,'it''s'\n", b",", b"'"), are_paired(b"5',6'\n", b",", b"'")
    (True, False)
    """
    end = data.rfind(b"\n") + 1
    if start >= end:
        return True
    read = np.frombuffer(data, np.uint8, end - start, start)
    mark, separator = ord(quote), ord(delimiter)
    is_quote = read == mark
    if np.count_nonzero(is_quote) > MOST_QUOTES:
        return False
    quotes = np.flatnonzero(is_quote)
    opening, closing = quotes[::2], quotes[1::2]
    if len(opening) > len(closing):
        return False
    before = read[opening[1:] - 1] if len(opening) and opening[0] == 0 else read[opening - 1]
    if not _are_among(before, (separator, _NEWLINE, mark)):
        return False
    if not _are_among(read[closing + 1], (separator, _NEWLINE, mark, _RETURN)):
        return False
    # Behind an odd number of quotes, a newline is within them.
    newlines = np.flatnonzero(read == _NEWLINE)
    return not (np.searchsorted(quotes, newlines) & 1).any()


def _are_among(read: Any, expected: tuple[int, ...]) -> bool:
    hits = np.zeros(len(read), bool)
    for byte in expected:
        hits |= read == byte
    return bool(hits.all())
