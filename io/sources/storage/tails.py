"""The last bytes read of each file, to recognize a file that has grown."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

TAIL_BYTES = 1024
FILES = 4096


@dataclass(frozen=True, slots=True)
class Tail:
    """The bytes of a file that were read last.

    Attributes:
        end: Offset up to which the file was read.
        data: The bytes before it.
    """

    end: int
    data: bytes


class Tails:
    """The tails of the 4,096 most recently read files, at most 1 KiB each."""

    def __init__(self) -> None:
        self._tails: OrderedDict[str, Tail] = OrderedDict()

    def of(self, uri: str) -> Tail | None:
        """The tail of a file; None if it is not known (any more)."""
        return self._tails.get(uri)

    def note(self, uri: str, offset: int, block: bytes) -> None:
        """Remember ``block``, which was read at ``offset``."""
        before = self._tails.pop(uri, None)
        end = offset + len(block)
        if before is None:
            tail = Tail(end, block[-TAIL_BYTES:])
        elif end < before.end:
            tail = before  # read again, e.g. for the header
        else:
            overlap = before.end - offset
            earlier = before.data[: len(before.data) - overlap]
            joins = 0 <= overlap <= len(before.data)
            tail = Tail(end, ((earlier if joins else b"") + block)[-TAIL_BYTES:])
        self._tails[uri] = tail
        if len(self._tails) > FILES:
            self._tails.popitem(last=False)

    def forget(self, uri: str) -> None:
        """Forget the tail of a file, which is another file now."""
        self._tails.pop(uri, None)
