"""Read a text as a record of one field."""

from __future__ import annotations

from transforms.parse.raw import check_size, text_of

FIELD = "payload"
"""The field that has the text."""


def parse_text(raw: bytes, max_bytes: int, *, quotes: bool = True) -> dict[str, str]:
    """The record that holds the text ``raw`` as it is.

    Args:
        raw: UTF-8 text.
        max_bytes: The longest ``raw`` that is read.
        quotes: Whether a message may quote it.

    Raises:
        Reject: ``too_large`` or ``invalid_utf8``.

    >>> parse_text(b"hello", 100)
    {'payload': 'hello'}
    """
    check_size(raw, max_bytes)
    return {FIELD: text_of(raw, quotes=quotes)}
