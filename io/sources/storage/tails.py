"""The last bytes that were read of files, to know one again that has grown."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

TAIL_BYTES = 1024
FILES = 4096


@dataclass(frozen=True, slots=True)
class Tail:
    """What was read last of a file.

    Attributes:
        end: Offset up to which it was read.
        data: The bytes before it.
    """

    end: int
    data: bytes


class Tails:
    """The tails of the files that were read last, at most 4,096 of at most 1 KiB."""

    def __init__(self) -> None:
        self._tails: OrderedDict[str, Tail] = OrderedDict()

    def of(self, uri: str) -> Tail | None:
        """The tail of a file; None when it is not known (any more)."""
        return self._tails.get(uri)

    def note(self, uri: str, offset: int, block: bytes) -> None:
        """Take note of what was read at ``offset``."""
        before = self._tails.pop(uri, None)
        end = offset + len(block)
        if before is None:
            tail = Tail(end, block[-TAIL_BYTES:])
        elif end < before.end:
            tail = before  # read again, e.g. for the header
        else:
            overlap = before.end - offset
            kept = before.data[: len(before.data) - overlap]
            joins = 0 <= overlap <= len(before.data)
            tail = Tail(end, ((kept if joins else b"") + block)[-TAIL_BYTES:])
        self._tails[uri] = tail
        if len(self._tails) > FILES:
            self._tails.popitem(last=False)

    def forget(self, uri: str) -> None:
        """The file is another one now."""
        self._tails.pop(uri, None)
