"""Bytes as text, and as a dump in hexadecimal; both show the beginning of what is too long."""

from __future__ import annotations

import codecs
from dataclasses import dataclass

from pipelines.console.rendering.shown import shown

TEXT_LIMIT = 256 << 10
"""How many bytes are shown as text."""

HEX_LIMIT = 64 << 10
"""How many bytes are shown in hexadecimal."""

WIDTH = 16
"""How many bytes a line of a dump has."""


@dataclass(frozen=True, slots=True)
class TextView:
    """Bytes as text.

    Attributes:
        text: The text; bytes that are none are shown as ``\\xff``, and so is what cannot be seen.
        size: How many bytes there are.
        shown: How many of them ``text`` has.
        is_text: Whether those that are shown are text in their encoding.
    """

    text: str
    size: int
    shown: int
    is_text: bool


@dataclass(frozen=True, slots=True)
class HexLine:
    """A line of a dump."""

    offset: str
    numbers: str
    characters: str


@dataclass(frozen=True, slots=True)
class HexView:
    """Bytes in hexadecimal, ``shown`` of ``size``."""

    lines: tuple[HexLine, ...]
    size: int
    shown: int


def as_text(raw: bytes, encoding: str = "", limit: int = TEXT_LIMIT) -> TextView:
    """``raw`` as text in ``encoding``; empty or unknown stands for UTF-8."""
    part = raw[:limit]
    try:
        decoder = codecs.getincrementaldecoder(encoding or "utf-8")
    except LookupError:
        decoder = codecs.getincrementaldecoder("utf-8")
    whole = len(part) == len(raw)
    try:
        text = decoder("strict").decode(part, whole)  # a character that is cut in two is left out
        is_text = True
    except (UnicodeError, ValueError):
        text, is_text = _with_bytes(part), False
    return TextView(shown(text, lines=True), len(raw), len(part), is_text)


def as_hex(raw: bytes, limit: int = HEX_LIMIT) -> HexView:
    """The first bytes of ``raw``, sixteen a line."""
    part = raw[:limit]
    lines = []
    for start in range(0, len(part), WIDTH):
        line = part[start : start + WIDTH]
        characters = "".join(chr(byte) if 0x20 <= byte <= 0x7E else "." for byte in line)
        lines.append(HexLine(f"{start:08x}", line.hex(" ").ljust(WIDTH * 3 - 1), characters))
    return HexView(tuple(lines), len(raw), len(part))


def _with_bytes(part: bytes) -> str:
    return part.decode("utf-8", "backslashreplace")
