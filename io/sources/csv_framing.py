"""Cut a stream of blocks into CSV records, which may span lines inside quotes (RFC 4180).

Quoting is what Python's ``csv`` makes of it: a quote opens a field only as its first
character, two quotes within are one, and text after the closing quote is ordinary.
"""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from enum import Enum, auto
from functools import cache
from itertools import accumulate, compress, repeat
from operator import add

from sources.framing import BOM, Framed, Held, Refused, too_large
from sources.stream import Stream
from transforms.errors import ObjectFailed

_QUOTE = b'"'
_WITHIN = re.compile(rb'[^"]*+(?:""[^"]*+)*+')  # text within quotes, possessive: linear time


class _State(Enum):
    FIELD = auto()  # at the first character of a field
    PLAIN = auto()  # in a field without quotes, or after the closing one
    QUOTED = auto()  # within quotes
    CLOSING = auto()  # after a quote that closes, unless a second one follows


@cache
def _whole(delimiter: bytes) -> re.Pattern[bytes]:
    """The pattern of a line that begins at a record and does not end within quotes."""
    mark = re.escape(delimiter)
    field = rb'(?:"[^"]*+(?:""[^"]*+)*+"[^%b]*+|[^"%b][^%b]*+)?+' % (mark, mark, mark)
    return re.compile(rb"%b(?:%b%b)*+" % (field, mark, field))


class CsvFramer:
    r"""Cuts records at newlines outside quotes; ``\r\n`` counts as one.

    A line of nothing but white space, without a delimiter, is no record.

    Args:
        start: Offset in the stream of the first byte fed, where a record begins.
        delimiter: Between two fields; one ASCII character.
        limit: Of longer records only so many bytes are kept.
    """

    def __init__(self, start: int, delimiter: str, limit: int) -> None:
        self.framed = Framed()
        self.next = start
        self._delimiter = delimiter.encode()
        self._whole = _whole(self._delimiter).fullmatch
        self._held = Held(limit)
        self._state = _State.FIELD
        self._early: bytes | None = b"" if start == 0 else None

    def feed(self, block: bytes) -> None:
        """Cut ``block``, the bytes that follow what was fed before."""
        if self._early is not None:
            block = self._early + block
            if BOM.startswith(block):
                self._early = block  # perhaps a byte order mark: wait for all of it
                return
            self._early = None
            if block.startswith(BOM):
                self.next = len(BOM)
                block = block[len(BOM) :]
        self._cut(block)

    def finish(self) -> None:
        """The stream has ended: what is left is a record without its newline."""
        early, self._early = self._early, None
        if early and early != BOM:
            self._cut(early)
        held = self._held
        if not held.length:
            return
        if self._state is _State.QUOTED:
            length, offset, raw = held.length, self.next, held.take()
            reason = f"a quote is never closed in the last record, of {length:,} bytes"
            self.framed.refused.append(Refused(offset, raw, "malformed", "UnclosedQuote", reason))
            self.next += length
        else:
            self._end_record()
            self.next -= 1

    def _cut(self, block: bytes) -> None:
        lines = block.split(b"\n")
        tail = lines.pop()
        if lines and self._held.length:
            self._extend(lines.pop(0))
        if lines:
            if self._held.length or _QUOTE in block:
                self._cut_quoted(lines)
            else:
                self._add(lines)
        if tail:
            self._hold(tail)

    def _cut_quoted(self, lines: list[bytes]) -> None:
        """Frame lines that may open, close or lie within quotes."""
        if not self._held.length and all(map(self._whole, lines)):
            self._add(lines)
            return
        whole: list[bytes] = []
        for line in lines:
            if self._held.length:
                self._extend(line)
            elif self._whole(line):
                whole.append(line)
            else:
                self._add(whole)
                whole = []
                self._extend(line)
        self._add(whole)

    def _hold(self, part: bytes) -> None:
        """Add ``part`` of a line to the record under way."""
        self._state = self._scan(part, self._state if self._held.length else _State.FIELD)
        self._held.add(part)

    def _extend(self, line: bytes) -> None:
        """Add the end of a line to the record under way, which ends here unless in quotes."""
        self._hold(line)
        if self._state is _State.QUOTED:
            self._held.add(b"\n")
        else:
            self._end_record()

    def _scan(self, part: bytes, state: _State) -> _State:
        """The state after ``part``, which holds no newline."""
        at, size = 0, len(part)
        opening = self._delimiter + _QUOTE
        while at < size:
            if state is _State.QUOTED:
                at = _WITHIN.match(part, at).end()  # type: ignore[union-attr]  # it always does
                if at == size:
                    return state
                at, state = at + 1, _State.CLOSING
            elif part.startswith(_QUOTE, at) and state is not _State.PLAIN:
                # the first quote of a field, or the second of a pair within one
                at, state = at + 1, _State.QUOTED
            else:
                found = part.find(opening, at)
                if found < 0:
                    return _State.FIELD if part.endswith(self._delimiter) else _State.PLAIN
                at, state = found + len(opening), _State.QUOTED
        return state

    def _end_record(self) -> None:
        """Frame the record under way."""
        held = self._held
        if held.too_long:
            length = held.length
            self.framed.refused.append(too_large(self.next, held.take(), length))
            self.next += length + 1
        else:
            self._add([held.take()])

    def _add(self, lines: list[bytes]) -> None:
        """Frame whole records, each with its newline, that follow each other from ``next`` on."""
        if not lines:
            return
        start = self.next
        offsets = list(accumulate(map(add, map(len, lines), repeat(1)), initial=start))
        self.next = offsets.pop()
        if not all(map(bytes.strip, lines)):
            filled = [bool(line.strip()) or self._delimiter in line for line in lines]
            offsets, lines = list(compress(offsets, filled)), list(compress(lines, filled))
        limit = self._held.limit
        if self.next - start > limit:
            self.framed.refused += [
                too_large(offset, line[:limit], len(line))
                for offset, line in zip(offsets, lines, strict=True)
                if len(line) > limit
            ]
            within = [len(line) <= limit for line in lines]
            offsets, lines = list(compress(offsets, within)), list(compress(lines, within))
        self.framed.offsets += offsets
        self.framed.raws += [line.removesuffix(b"\r") for line in lines]


@dataclass(frozen=True, slots=True)
class Header:
    """The first record of a CSV object.

    Attributes:
        columns: The names in it; none where the object has no record at all.
        end: Offset of what follows it.
    """

    columns: tuple[str, ...]
    end: int


def read_header(stream: Stream, delimiter: str, limit: int, uri: str) -> Header:
    """Read the header from ``stream``, which stands at the start of the object.

    Raises:
        ObjectFailed: It is too long or not UTF-8, or a name is empty or there twice.
    """
    framer = CsvFramer(0, delimiter, limit)
    framed = framer.framed
    while not framed.offsets and not framed.refused:
        block = stream.read()
        if block:
            framer.feed(block)
        else:
            framer.finish()
            break
    if framed.refused and (not framed.offsets or framed.refused[0].offset < framed.offsets[0]):
        raise _unusable(uri, framed.refused[0].message)
    if not framed.offsets:
        return Header((), framer.next)
    following = [*framed.offsets[1:2], *(each.offset for each in framed.refused[:1])]
    return Header(_columns(framed.raws[0], delimiter, uri), min(following, default=framer.next))


def _columns(raw: bytes, delimiter: str, uri: str) -> tuple[str, ...]:
    try:
        columns = tuple(next(csv.reader([raw.decode()], delimiter=delimiter)))
    except (UnicodeDecodeError, csv.Error) as error:
        raise _unusable(uri, str(error)) from error
    if not all(columns):
        raise _unusable(uri, f"column {columns.index('') + 1} of {len(columns)} has no name")
    doubled = next((name for name in columns if columns.count(name) > 1), None)
    if doubled is not None:
        raise _unusable(uri, f"column {doubled[:100]!r} is there twice")
    return columns


def _unusable(uri: str, reason: str) -> ObjectFailed:
    return ObjectFailed(f"{uri} has an unusable header: {reason}", "object_corrupt")
