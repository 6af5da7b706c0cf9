"""Checks of raw bytes that every format needs."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256

from transforms.batch.record import Failure
from transforms.errors import Reject

HEAD_BYTES = 64 << 10
"""How much is kept of a record that is too large."""

CUT = "RecordTooLarge"
"""The exception of a failure whose raw bytes are only the head of the record."""


def check_size(raw: bytes, max_bytes: int) -> None:
    """Refuse a record that is longer than allowed.

    Raises:
        Reject: ``too_large``, with the size and the limit.
    """
    if len(raw) > max_bytes:
        raise Reject(f"the record has {len(raw):,} bytes, limit {max_bytes:,}", "too_large")


def with_head_only(failure: Failure, max_bytes: int) -> Failure:
    """``failure`` with no more than the head of its record if that is too large.

    A record of up to ``HEAD_BYTES`` is kept whole.
    """
    raw = failure.raw
    if failure.category != "too_large" or len(raw) <= max(max_bytes, HEAD_BYTES):
        return failure
    message = cut_message(len(raw), max_bytes, HEAD_BYTES, sha256(raw).hexdigest())
    return replace(failure, raw=raw[:HEAD_BYTES], exception=CUT, message=message)


def cut_message(length: int, max_bytes: int, kept: int, digest: str) -> str:
    """What is said of a record that is too large: its length, what is kept, and its SHA-256."""
    return (
        f"the record has {length:,} bytes, limit {max_bytes:,}; only its first {kept:,} bytes are "
        f"kept; sha256 of all {digest}"
    )


def text_of(raw: bytes, encoding: str = "", *, quotes: bool = True) -> str:
    """``raw`` as text.

    Args:
        raw: The bytes.
        encoding: Their encoding; empty for UTF-8.
        quotes: Whether a message may quote them.

    Raises:
        Reject: ``invalid_utf8`` or, in another encoding, ``invalid_text``, naming the first byte
            that is not part of a character.
    """
    try:
        return raw.decode(encoding or "utf-8")
    except UnicodeDecodeError as error:
        name, category = (encoding, "invalid_text") if encoding else ("UTF-8", "invalid_utf8")
        place = f"byte {error.start}"
        if quotes:
            place += f" (0x{raw[error.start]:02X})"
        raise Reject(f"not {name} at {place}: {error.reason}", category) from error
