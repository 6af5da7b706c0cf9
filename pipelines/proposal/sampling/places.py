"""Where an example is, as people look for it: the line of a text file, or the number of the record."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import unquote, urlsplit

HEAD = 64
"""So many bytes of a record are kept, by which its line is recognised."""

_BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class Place:
    """Where a record of a sample is.

    Attributes:
        source: The file, object or topic: the ``source`` of its origin.
        offset: Its offset there.
        number: Which record of its source it is, from 1.
        head: Its first bytes.
    """

    source: str
    offset: int
    number: int
    head: bytes

    @property
    def text(self) -> str:
        """``line 17`` where the file has lines as they were read; otherwise ``record 16``."""
        line = _line_of(self)
        return f"record {self.number:,}" if line is None else f"line {line:,}"

    @property
    def has_line(self) -> bool:
        """Whether it is in a file of which the line can be told."""
        return _line_of(self) is not None

    @property
    def text_with_source(self) -> str:
        """The same, with the name of the file, object or topic."""
        return f"{self.text} of {unquote(self.source.rsplit('/', 1)[-1])}"


@lru_cache(maxsize=1_024)
def _line_of(place: Place) -> int | None:
    """The line at which a record begins; None if its offset is not one of the bytes of a local file."""
    parts = urlsplit(place.source)
    if parts.scheme != "file" or not place.head:
        return None
    lines = returns = 0
    left = place.offset
    try:
        with open(unquote(parts.path), "rb") as file:
            while left > 0:
                block = file.read(min(left, _BLOCK))
                if not block:
                    return None
                lines += block.count(b"\n")
                returns += block.count(b"\r")
                left -= len(block)
            if file.read(len(place.head)) != place.head:
                return None  # compressed, or in another encoding
    except OSError:
        return None
    return 1 + (lines or returns)
