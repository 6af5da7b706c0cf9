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


def text_of(raw: bytes, encoding: str = "") -> str:
    """``raw`` as text.

    Args:
        raw: The bytes.
        encoding: Their encoding; empty for UTF-8.

    Raises:
        Reject: ``invalid_utf8`` or, in another encoding, ``invalid_text``, naming the first byte
            that is not part of a character.
    """
    try:
        return raw.decode(encoding or "utf-8")
    except UnicodeDecodeError as error:
        name, category = (encoding, "invalid_text") if encoding else ("UTF-8", "invalid_utf8")
        place = f"byte {error.start} (0x{raw[error.start]:02X})"
        raise Reject(f"not {name} at {place}: {error.reason}", category) from error
