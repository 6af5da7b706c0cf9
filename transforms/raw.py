"""Checks of raw bytes that every format needs."""

from __future__ import annotations

from transforms.errors import Reject


def check_size(raw: bytes, max_bytes: int) -> None:
    """Refuse a record that is longer than allowed.

    Raises:
        Reject: ``too_large``, with the size and the limit.
    """
    if len(raw) > max_bytes:
        raise Reject(f"the record has {len(raw):,} bytes, limit {max_bytes:,}", "too_large")


def text_of(raw: bytes) -> str:
    """``raw`` as text.

    Raises:
        Reject: ``invalid_utf8``, naming the first byte that is not UTF-8.
    """
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        raise Reject(f"not UTF-8 at byte {error.start}: {error.reason}", "invalid_utf8") from error
