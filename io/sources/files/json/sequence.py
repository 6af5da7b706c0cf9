"""Cut JSON values that stand one after another, with or without something between them."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import islice

from sources.files.failures import EndsEarly
from sources.files.framing import FramedRecords, PartialRecord
from sources.files.json.blocks import BlockPosition
from sources.files.json.values import CONTAINER, MOST_MATCHES, Unbalanced, ValueScanner
from transforms.errors import ObjectFailed

_BETWEEN = rb"[ \t\r\n\x1e,]*+"
_values = re.compile(rb"%b(%b)|.+" % (_BETWEEN, CONTAINER), re.DOTALL).finditer
"""Whole objects and arrays, and the rest as one match without a group."""

_between = re.compile(_BETWEEN).match
_word = re.compile(rb'[^"{}\[\],:\x1e \t\r\n]*+').match


class SequenceFramer:
    """Cuts values that follow each other; white space, commas and separators lie between them.

    Indented values, values without a newline between them (Firehose) and texts with record
    separators (RFC 7464) are sequences. A separator ends a value that is cut off. Otherwise, if
    brackets or quotes do not match, nobody can tell where the next value begins: the object fails
    from there on.

    Args:
        start: Offset in the stream of the first byte fed, where no value is under way.
        limit: The longest value, in bytes, that is kept whole.
        uri: Names the object in messages.
    """

    def __init__(self, start: int, limit: int, uri: str) -> None:
        self.framed = FramedRecords()
        self.next = start
        self._limit = limit
        self._uri = uri
        self._position = BlockPosition(start)
        self._scanner = ValueScanner()
        self._piece = PartialRecord(limit)
        self._piece_start = start
        self._step: Callable[[bytes, int], int] = self._outside

    @property
    def unfinished(self) -> bool:
        """Whether the last value has begun and has no end yet."""
        return self._step != self._outside

    def feed(self, block: bytes) -> None:
        """Cut ``block``, the bytes that follow what was fed before.

        Raises:
            ObjectFailed: Brackets or quotes do not match; ``next`` is where the failure begins.
        """
        block = self._position.enter(block)
        at, size = 0, len(block)
        try:
            while at < size:
                at = self._step(block, at)
        except Unbalanced as error:
            place = self._position.place(block, error.at)
            self.next = self._piece_start
            raise ObjectFailed(
                f"{self._uri} cannot be read on: at {place}, {error.reason}", "object_corrupt"
            ) from None
        self._position.leave(block)

    def finish(self) -> None:
        """Frame what is left: the stream has ended.

        Raises:
            EndsEarly: The last value has no end.
        """
        early = self._position.finish()
        if early:
            self.feed(early)
        if self._step == self._inside:
            self.next = self._piece_start
            raise EndsEarly(
                f"{self._uri} is cut off: it ends at {self._position.place(b'', 0)}, in the middle "
                f"of the value that begins at byte {self._piece_start:,}",
                "object_corrupt",
            )
        if self._step == self._within_word:
            self._frame()
        self.next = self._position.offset

    def _outside(self, block: bytes, at: int) -> int:
        """Between two values."""
        at = self._whole_values(block, at)
        at = _between(block, at).end()  # type: ignore[union-attr]  # it may be empty
        if at == len(block):
            return at
        self._piece_start = self._position.offset + at
        if block[at : at + 1] in (b"}", b"]", b":"):
            raise Unbalanced(at, f"{block[at : at + 1].decode()!r} stands outside of a value")
        if block[at : at + 1] in (b"{", b"[", b'"'):
            self._scanner.begin_value(block[at])
            self._piece.add(block[at : at + 1])
            self._step = self._inside
            return at + 1
        self._step = self._within_word
        return at

    def _whole_values(self, block: bytes, at: int) -> int:
        """Frame the objects and arrays that have an end in this block; returns where they end."""
        matches = list(islice(_values(block, at), MOST_MATCHES))
        if matches and matches[-1].lastindex is None:
            matches.pop()
        if not matches:
            return at
        base = self._position.offset
        offsets = [base + match.start(1) for match in matches]
        values = [match[1] for match in matches]
        end = matches[-1].end()
        if end - at > self._limit:
            offsets, values = self.framed.refuse_long(offsets, values, self._limit)
        self.framed.offsets += offsets
        self.framed.raws += values
        self.next = base + end
        return end

    def _inside(self, block: bytes, at: int) -> int:
        """In a value that has no end in its first block, is deep, or is a string."""
        return self._take(block, at, self._scanner.scan(block, at))

    def _within_word(self, block: bytes, at: int) -> int:
        """In a number, a literal, or something else that is neither."""
        end = _word(block, at).end()  # type: ignore[union-attr]  # it may be empty
        return self._take(block, at, end if end < len(block) else -1)

    def _take(self, block: bytes, at: int, end: int) -> int:
        """Add to the value under way, which ends at ``end`` unless that is negative."""
        if end < 0:
            self._piece.add(block[at:])
            return len(block)
        self._piece.add(block[at:end])
        self._frame()
        self.next = self._position.offset + end
        self._step = self._outside
        return end

    def _frame(self) -> None:
        """Frame the value under way."""
        if self._piece.too_long:
            self.framed.refused.append(self._piece.refuse(self._piece_start))
        else:
            self.framed.offsets.append(self._piece_start)
            self.framed.raws.append(self._piece.take())
