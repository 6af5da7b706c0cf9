"""Cut the elements of a JSON array, one after another, at any length of the array."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import islice

from sources.files.failures import EndsEarly
from sources.files.framing import FramedRecords, PartialRecord, RefusedRecord
from sources.files.json.blocks import BlockPosition
from sources.files.json.values import (
    CONTAINER,
    MOST_MATCHES,
    SPACES,
    STRING,
    WHITESPACE,
    Unbalanced,
    ValueScanner,
    skip_spaces,
)
from sources.files.json.wrapper import Descent
from transforms.errors import ObjectFailed

_elements = re.compile(
    rb'%b(%b|%b|[^"{}\[\],\x1e \t\r\n]++)%b,|.+' % (SPACES, CONTAINER, STRING, SPACES),
    re.DOTALL,
).finditer
"""Whole elements with their commas, and the rest as one match without a group."""

_commas = re.compile(rb",(?:%b,)*+" % SPACES).match


class ArrayFramer:
    """Cuts the elements of an array; arrays may follow one another.

    An element is what stands between two commas, without the white space around it, whether or
    not it is JSON. A comma before the end of the array is passed over; between two commas without
    an element, there is a failure. If brackets or quotes do not match, nobody can
    tell where the next element begins: the object fails from there on.

    ``next`` is a comma, or the bracket that closes the array, after the last element framed, or
    the start of a record. Reading can begin at each of them without a look at what stands before.

    Args:
        start: Offset in the stream of the first byte fed: 0, or one that was ``next``.
        path: The names that lead to the array through the objects around it.
        limit: The longest element, in bytes, that is kept whole.
        uri: Names the object in messages.
    """

    def __init__(self, start: int, path: tuple[str, ...], limit: int, uri: str) -> None:
        self.framed = FramedRecords()
        self.next = start
        self._path = path
        self._limit = limit
        self._uri = uri
        self._position = BlockPosition(start)
        self._scanner = ValueScanner()
        self._descent: Descent | None = None
        self._piece = PartialRecord(limit)
        self._piece_start = start
        self._delimiter = start
        self._arrays = 0
        self._step: Callable[[bytes, int], int] = self._resume if start else self._top

    @property
    def unfinished(self) -> bool:
        """Whether the array, or what is around it, has begun and has no end yet."""
        return self._step != self._top

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
            if self._step == self._element:
                self.next = self._piece_start
            raise ObjectFailed(
                f"{self._uri} cannot be read on: at {place}, {error.reason}", "object_corrupt"
            ) from None
        self._position.leave(block)

    def finish(self) -> None:
        """Frame what is left: the stream has ended.

        Raises:
            EndsEarly: The array, or what is around it, is not closed.
        """
        early = self._position.finish()
        if early:
            self.feed(early)
        end = self._position.offset
        if self._step == self._top:
            self.next = end
            return
        what = "array is" if self._step != self._tail else "object around the array is"
        if self._step == self._descend:
            what = "object is"
        if self._step == self._element:
            raw = self._piece.take() if not self._piece.too_long else b""
            if self._scanner.complete and raw.rstrip(WHITESPACE)[-1:] in (b"}", b"]"):
                self._frame(raw)
                self.next = end - 1
            else:
                self.next = self._piece_start
        raise EndsEarly(
            f"{self._uri} is cut off: it ends at {self._position.place(b'', 0)}, "
            f"and its {what} not closed",
            "object_corrupt",
        )

    def _top(self, block: bytes, at: int) -> int:
        """Before an array, or the object that holds it."""
        at = skip_spaces(block, at)
        if at == len(block):
            return at
        if self._path:
            self._descent = Descent(self._path)
            self._step = self._descend
            return at
        if block[at : at + 1] != b"[":
            shown = block[at : at + 1].decode("latin-1")
            where = "after the end of the array" if self._arrays else "instead of an array"
            raise Unbalanced(at, f"{shown!r} stands {where}")
        self._delimiter = self._position.offset + at
        self._step = self._between
        return at + 1

    def _descend(self, block: bytes, at: int) -> int:
        descent = self._descent
        assert descent is not None  # noqa: S101 - set with the step
        at = descent.scan(block, at)
        if descent.empty:
            self._close()
        elif descent.arrived:
            self._delimiter = self._position.offset + at - 1
            self._step = self._between
        return at

    def _resume(self, block: bytes, at: int) -> int:
        """At a position that was ``next``."""
        if block[at : at + 1] == b"]":
            return self._end_array(at)
        self._step = self._between
        return at + (block[at : at + 1] == b",")

    def _between(self, block: bytes, at: int) -> int:
        """After the bracket that opens the array, or after a comma."""
        at = self._whole_elements(block, at)
        at = skip_spaces(block, at)
        if at == len(block):
            return at
        byte = block[at : at + 1]
        offset = self._position.offset + at
        if byte == b"]":
            return self._end_array(at)
        if byte == b",":
            return self._refuse_commas(block, at)
        self._piece_start = offset
        self._scanner.begin_item()
        self._step = self._element
        return at

    def _refuse_commas(self, block: bytes, at: int) -> int:
        """Refuse commas with no elements before them, together as one failure.

        It has the offset of what stands before, so that it lies before ``next``.
        """
        end = _commas(block, at).end()  # type: ignore[union-attr]  # there is one
        commas = block.count(b",", at, end)
        what = "the comma" if commas == 1 else f"{commas:,} commas"
        reason = f"no element stands before {what} at {self._position.place(block, at)}"
        self.framed.refused.append(
            RefusedRecord(self._delimiter, b",", "malformed", "EmptyElement", reason)
        )
        self.next = self._delimiter = self._position.offset + end - 1
        return end

    def _whole_elements(self, block: bytes, at: int) -> int:
        """Frame the elements that have an end in this block; returns where they end."""
        matches = list(islice(_elements(block, at), MOST_MATCHES))
        if matches and matches[-1].lastindex is None:
            matches.pop()
        if not matches:
            return at
        base = self._position.offset
        offsets = [base + match.start(1) for match in matches]
        elements = [match[1] for match in matches]
        end = matches[-1].end()
        if end - at > self._limit:
            offsets, elements = self.framed.refuse_long(offsets, elements, self._limit)
        self.framed.offsets += offsets
        self.framed.raws += elements
        self.next = self._delimiter = base + end - 1
        return end

    def _element(self, block: bytes, at: int) -> int:
        """In an element that has no end in its first block, is deep, or is malformed."""
        end = self._scanner.scan(block, at)
        if end < 0:
            self._piece.add(block[at:])
            return len(block)
        self._piece.add(block[at:end])
        byte = block[end : end + 1]
        if byte not in (b",", b"]"):
            shown = byte.decode("latin-1")
            raise Unbalanced(end, f"{shown!r} closes what it did not open")
        if self._piece.too_long:
            self.framed.refused.append(self._piece.refuse(self._piece_start))
        else:
            self._frame(self._piece.take())
        if byte == b"]":
            return self._end_array(end)
        self.next = self._delimiter = self._position.offset + end
        self._step = self._between
        return end + 1

    def _frame(self, raw: bytes) -> None:
        self.framed.offsets.append(self._piece_start)
        self.framed.raws.append(raw.rstrip(WHITESPACE))

    def _end_array(self, at: int) -> int:
        """At the bracket that closes the array; it stays the next position until another begins."""
        self.next = self._position.offset + at
        self._close()
        return at + 1

    def _close(self) -> None:
        self._arrays += 1
        if self._path:
            self._scanner.begin_rest(b"}" * len(self._path))
            self._step = self._tail
        else:
            self._step = self._top

    def _tail(self, block: bytes, at: int) -> int:
        """After the array, in the objects around it."""
        end = self._scanner.scan(block, at)
        if end < 0:
            return len(block)
        if self._scanner.complete:
            self._step = self._top
            return end
        raise Unbalanced(end, "a control character stands here")
