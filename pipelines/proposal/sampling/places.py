"""Where an example is, as people look for it: the line of a text file, or the number of the record."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from urllib.parse import unquote, urlsplit

HEAD = 64
"""So many bytes of a record are kept, by which its line is recognised."""

_BLOCK = 64 << 10


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


@lru_cache(maxsize=4_096)
def _line_of(place: Place) -> int | None:
    """The line at which a record begins; None if its offset is not one of the bytes of a local file."""
    parts = urlsplit(place.source)
    if parts.scheme != "file" or not place.head:
        return None
    path = unquote(parts.path)
    try:
        with open(path, "rb") as file:
            file.seek(place.offset)
            if file.read(len(place.head)) != place.head:
                return None  # compressed, or in another encoding
        return 1 + _index_of(path).ends_before(place.offset)
    except OSError:
        return None


@dataclass(slots=True)
class _LineIndex:
    """How many line feeds, and how many carriage returns, a file has before each of its blocks."""

    path: str
    counts: list[tuple[int, int]] = field(default_factory=lambda: [(0, 0)])

    def ends_before(self, offset: int) -> int:
        """How many lines end before ``offset``, which the file has."""
        number, rest = divmod(offset, _BLOCK)
        with open(self.path, "rb") as file:
            file.seek((len(self.counts) - 1) * _BLOCK)
            while len(self.counts) <= number:
                self.counts.append(_counted(self.counts[-1], file.read(_BLOCK)))
            file.seek(number * _BLOCK)
            feeds, returns = _counted(self.counts[number], file.read(rest))
        return feeds or returns


def _counted(before: tuple[int, int], block: bytes) -> tuple[int, int]:
    return before[0] + block.count(b"\n"), before[1] + block.count(b"\r")


@lru_cache(maxsize=64)
def _index_of(path: str) -> _LineIndex:
    return _LineIndex(path)
