"""Cut a stream of blocks into CSV records, which may span lines inside quotes (RFC 4180).

Quoting follows Python's ``csv``: a quote opens a field only as its first character, two quotes
within a field are one, and text after the closing quote is ordinary.

``\\r`` ends a record as ``\\n`` does, and ``\\r\\n`` is one end. As the empty line between ``\\r`` and
``\\n`` is not a record, both may be cut at alike; that costs more, so it is done only to a block in
which a ``\\r`` stands alone.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from enum import Enum, auto
from functools import cache
from itertools import compress, repeat

from sources.files.framing import (
    BOM,
    FramedRecords,
    PartialRecord,
    RefusedRecord,
    line_offsets,
)
from transforms.parse.csv.pairs import row_ends


class _State(Enum):
    FIELD = auto()  # at the first character of a field
    PLAIN = auto()  # in a field without quotes, or after the closing one
    QUOTED = auto()  # within quotes
    CLOSING = auto()  # after a quote that closes, unless a second one follows
    ESCAPED = auto()  # after an escape outside quotes
    ESCAPED_WITHIN = auto()  # after an escape within quotes
    COMMENT = auto()  # in a line that is not a record


_WITHIN = (_State.QUOTED, _State.ESCAPED_WITHIN)


@cache
def _whole(delimiter: bytes, quote: bytes, escape: bytes) -> re.Pattern[bytes]:
    """The pattern of a line that is one whole record."""
    mark, q, e = re.escape(delimiter), re.escape(quote), re.escape(escape)
    if not quote:
        return re.compile(rb"(?:[^%b]++|%b.)*+" % (e, e) if escape else rb".*+", re.DOTALL)
    if escape:
        plain = rb"(?:[^%b%b]++|%b.)*+" % (mark, e, e)
        within = rb"(?:[^%b%b]++|%b%b|%b.)*+" % (q, e, q, q, e)
        behind = rb"(?:[^%b]%b)?+" % (mark, plain)  # there an escape is ordinary, as in csv
        field = rb"(?:%b%b%b%b|(?!%b)%b)" % (q, within, q, behind, q, plain)
    else:
        within = rb"[^%b]*+(?:%b%b[^%b]*+)*+" % (q, q, q, q)
        field = rb"(?:%b%b%b[^%b]*+|[^%b%b][^%b]*+)?+" % (q, within, q, mark, q, mark, mark)
    return re.compile(rb"%b(?:%b%b)*+" % (field, mark, field), re.DOTALL)


@cache
def _runs(delimiter: bytes, quote: bytes, escape: bytes) -> tuple[re.Pattern[bytes], ...]:
    """Patterns of the text within quotes and outside of them; possessive, hence linear in time."""
    q, e = re.escape(quote), re.escape(escape)
    if escape:
        return re.compile(rb"[^%b%b]*+" % (q, e)), re.compile(
            rb"[^%b%b]*+" % (re.escape(delimiter), e)
        )
    # Text within quotes, pairs of quotes included.
    return re.compile(rb"[^%b]*+(?:%b%b[^%b]*+)*+" % (q, q, q, q)), re.compile(rb"")


_ENDS = re.compile(rb"([\r\n])")
_ALONE = re.compile(rb"\r(?!\n)")


class CsvFramer:
    r"""Cuts records at ``\n``, ``\r\n`` and ``\r`` outside quotes.

    A line of nothing but white space, without a delimiter, is not a record.

    Args:
        start: Offset in the stream of the first byte fed, where a record begins.
        delimiter: Separates fields; one ASCII character.
        limit: The longest record, in bytes, that is kept whole.
        quote: Encloses a field; one ASCII character, or empty if nothing does.
        escape: Takes the meaning from the character after it; one ASCII character, or empty.
        comment: A line that begins with it is not a record; one ASCII character, or empty.
    """

    def __init__(
        self,
        start: int,
        delimiter: str,
        limit: int,
        *,
        quote: str = '"',
        escape: str = "",
        comment: str = "",
    ) -> None:
        self.framed = FramedRecords()
        self.next = start
        self._delimiter = delimiter.encode()
        self._quote = quote.encode()
        self._escape = escape.encode()
        self._comment = comment.encode()
        self._whole = _whole(self._delimiter, self._quote, self._escape).fullmatch
        if quote:
            self._within, self._outside = _runs(self._delimiter, self._quote, self._escape)
        self._partial = PartialRecord(limit)
        self._state = _State.FIELD
        self._early: bytes | None = b"" if start == 0 else None
        self._held = b""

    @property
    def unfinished(self) -> bool:
        r"""Whether the last record has begun and has no end yet; a ``\n`` may follow a ``\r``."""
        return bool(self._partial.length or self._held or (self._early and self._early != BOM))

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
        """Frame what is left, a record without its newline: the stream has ended."""
        early, self._early = self._early, None
        if early and early != BOM:
            self._cut(early)
        if self._held:
            self._held = b""
            self._cut_at(b"\r", alone=True)
        partial = self._partial
        if not partial.length:
            return
        if self._state in _WITHIN:
            length = partial.length
            self.framed.refused.append(self._unclosed())
            self.next += length
        else:
            self._end_record()
            self.next -= 1

    def _unclosed(self) -> RefusedRecord:
        """The record under way, in which a quote is never closed."""
        partial = self._partial
        reason = f"a quote is never closed in the last record, of {partial.length:,} bytes"
        if partial.too_long:
            cut = partial.refuse(self.next)
            return replace(cut, category="malformed", message=f"{reason}; {cut.message}")
        return RefusedRecord(self.next, partial.take(), "malformed", "UnclosedQuote", reason)

    def _cut(self, block: bytes) -> None:
        if self._held:
            block, self._held = self._held + block, b""
        if block.endswith(b"\r"):  # perhaps the next block begins with \n
            block, self._held = block[:-1], b"\r"
        self._cut_at(block, alone=b"\r" in block and _ALONE.search(block) is not None)

    def _cut_at(self, block: bytes, *, alone: bool) -> None:
        r"""Cut ``block`` at newlines, and at each ``\r`` too if one stands ``alone``."""
        ends: list[bytes] | None = None
        if alone:
            parts = _ENDS.split(block)
            lines, ends = parts[::2], parts[1::2]
        else:
            lines = block.split(b"\n")
        tail = lines.pop()
        taken = start = 0
        while taken < len(lines) and self._partial.length:
            self._extend(lines[taken], b"\n" if ends is None else ends[taken])
            start += len(lines[taken]) + 1
            taken += 1
        if taken:
            lines, ends = lines[taken:], None if ends is None else ends[taken:]
        if lines and self._is_marked(block):
            if ends is not None or not self._cut_paired(block, lines, start):
                self._cut_quoted(lines, ends)
        elif lines:
            self._add(lines)
        if tail:
            self._hold(tail)

    def _is_marked(self, block: bytes) -> bool:
        """Whether a line of ``block`` may not be a record by itself."""
        return bool(
            (self._quote and self._quote in block) or (self._escape and self._escape in block)
        )

    def _cut_paired(self, block: bytes, lines: list[bytes], start: int) -> bool:
        """Frame ``lines`` where the quotes say at once where records end; False, with nothing framed, if not.

        Args:
            block: The bytes.
            lines: Those of its lines that end in it, from ``start`` on, where a record begins.
            start: As above.
        """
        if self._escape or not self._quote:
            return False
        ends = row_ends(block, self._delimiter, self._quote, start)
        if ends is None or (self._comment and len(ends) < len(lines)):
            return False  # a comment ends with its line, whatever its quotes
        if len(ends) == len(lines):
            self._add(lines)
            return True
        records = []
        for end in ends.tolist():
            records.append(block[start:end])
            start = end + 1
        self._add(records)
        for line in block[start : block.rfind(b"\n") + 1].split(b"\n")[:-1]:
            self._extend(line, b"\n")
        return True

    def _cut_quoted(self, lines: list[bytes], ends: Sequence[bytes] | None) -> None:
        """Frame lines that may open, close or lie within quotes.

        Args:
            lines: The lines; a record begins with the first one.
            ends: What ends each of them; None if a newline does.
        """
        if all(map(self._whole, lines)):
            self._add(lines)
            return
        whole: list[bytes] = []
        for line, end in zip(lines, repeat(b"\n") if ends is None else ends):  # noqa: B905
            if self._partial.length:
                self._extend(line, end)
            elif self._whole(line) or self._is_comment(line):
                whole.append(line)
            else:
                self._add(whole)
                whole = []
                self._extend(line, end)
        self._add(whole)

    def _is_comment(self, line: bytes) -> bool:
        return bool(self._comment) and line.startswith(self._comment)

    def _hold(self, part: bytes) -> None:
        """Add ``part`` of a line to the record under way."""
        if self._partial.length:
            self._state = self._scan(part, self._state)
        elif self._comment and part.startswith(self._comment):
            self._state = _State.COMMENT
        else:
            self._state = self._scan(part, _State.FIELD)
        self._partial.add(part)

    def _extend(self, line: bytes, end: bytes) -> None:
        """Add the end of a line to the record under way, which ends here unless in quotes."""
        self._hold(line)
        state = self._state
        if state is _State.QUOTED:
            self._partial.add(end)
        elif state is _State.ESCAPED or state is _State.ESCAPED_WITHIN:
            self._partial.add(end)
            self._state = _State.PLAIN if state is _State.ESCAPED else _State.QUOTED
        else:
            self._end_record()

    def _scan(self, part: bytes, state: _State) -> _State:
        """The state after ``part``, which holds no newline."""
        if state is _State.COMMENT:
            return state
        if self._escape:
            return self._scan_escaped(part, state)
        if not self._quote:
            return _State.PLAIN
        at, size = 0, len(part)
        quote, within = self._quote, self._within.match
        opening = self._delimiter + quote
        while at < size:
            if state is _State.QUOTED:
                at = within(part, at).end()  # type: ignore[union-attr]  # it always does
                if at == size:
                    return state
                at, state = at + 1, _State.CLOSING
            elif part.startswith(quote, at) and state is not _State.PLAIN:
                # the first quote of a field, or the second of a pair within one
                at, state = at + 1, _State.QUOTED
            else:
                opened = part.find(opening, at)
                if opened < 0:
                    return _State.FIELD if part.endswith(self._delimiter) else _State.PLAIN
                at, state = opened + len(opening), _State.QUOTED
        return state

    def _scan_escaped(self, part: bytes, state: _State) -> _State:
        """The same as ``_scan``, where an escape may take the meaning from a quote."""
        at, size = 0, len(part)
        while at < size:
            byte = part[at : at + 1]
            if state is _State.ESCAPED_WITHIN:
                at, state = at + 1, _State.QUOTED
            elif state is _State.ESCAPED:
                at, state = at + 1, _State.PLAIN
            elif state is _State.QUOTED:
                at = self._within.match(part, at).end()  # type: ignore[union-attr]  # it always does
                if at == size:
                    return state
                escaped = part.startswith(self._escape, at)
                at, state = at + 1, _State.ESCAPED_WITHIN if escaped else _State.CLOSING
            elif byte == self._escape:
                at, state = at + 1, _State.PLAIN if state is _State.CLOSING else _State.ESCAPED
            elif byte == self._quote and state is not _State.PLAIN:
                at, state = at + 1, _State.QUOTED
            elif byte == self._delimiter:
                at, state = at + 1, _State.FIELD
            elif self._quote:
                at = self._outside.match(part, at).end()  # type: ignore[union-attr]  # it always does
                state = _State.PLAIN
            else:
                escape = part.find(self._escape, at)
                at, state = size if escape < 0 else escape, _State.PLAIN
        return state

    def _end_record(self) -> None:
        """Frame the record under way."""
        partial = self._partial
        if self._state is _State.COMMENT:
            self.next += partial.length + 1
            partial.take()
        elif partial.too_long:
            length = partial.length
            self.framed.refused.append(partial.refuse(self.next))
            self.next += length + 1
        else:
            self._add([partial.take()])

    def _add(self, lines: list[bytes]) -> None:
        """Frame whole records, each with its newline, that follow each other from ``next`` on."""
        if not lines:
            return
        start = self.next
        offsets, self.next = line_offsets(lines, start)
        if self._comment or not all(map(bytes.strip, lines)):
            filled = [
                (bool(line.strip()) or self._delimiter in line) and not self._is_comment(line)
                for line in lines
            ]
            offsets, lines = list(compress(offsets, filled)), list(compress(lines, filled))
        limit = self._partial.limit
        if self.next - start > limit:
            offsets, lines = self.framed.refuse_long(offsets, lines, limit)
        self.framed.offsets += offsets
        if self._escape:
            lines = [self._without_return(line) for line in lines]
        else:
            lines = [line.removesuffix(b"\r") for line in lines]
        self.framed.raws += lines

    def _without_return(self, line: bytes) -> bytes:
        r"""``line`` without the ``\r`` at its end, unless that is escaped."""
        if not line.endswith(b"\r"):
            return line
        before = line[:-1]
        escapes = len(before) - len(before.rstrip(self._escape))
        return line if escapes % 2 else before
