"""How the values of a JSON object are laid out: what its start shows, and how partitions say it.

Offsets in two layouts are not comparable, so the layout is part of the partition's name: the
version of the object alone stands for lines, and ``VERSION;array:data.items`` for the elements of
an array within an object.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Protocol

import msgspec

from sources.files.framing import BOM, Framer, LineFramer
from sources.files.json.array import ArrayFramer
from sources.files.json.sequence import SequenceFramer
from sources.files.json.values import (
    RECORD_SEPARATOR,
    WHITESPACE,
    Unbalanced,
    ValueScanner,
)
from transforms.batch.record import RecordBatch

SAMPLE_BYTES = 64 << 10
"""How much of an object is looked at, if that decides."""

MOST_LOOKED = 16 << 20
"""How much is looked at if the first value is long; more where longer records are allowed."""

_NAMED = re.compile(r"(?P<version>.*);(?P<kind>array|sequence)(?::(?P<path>.*))?", re.DOTALL)
_ENDS_ITSELF = (b"}", b"]", b'"')
_VALUE_BEGINS = b'{["-0123456789tfn]'
_TRUNCATED = "truncated"  # msgspec's word for a text that ends too early
_MALFORMED = "malformed"

_pass_over = msgspec.json.Decoder(msgspec.Raw).decode


@dataclass(frozen=True, slots=True)
class Layout:
    """How values are laid out.

    Attributes:
        kind: ``lines``, ``array`` or ``sequence``.
        path: The names that lead to the array.
    """

    kind: str
    path: tuple[str, ...] = ()

    def __str__(self) -> str:
        return " at ".join(filter(None, (self.kind, ".".join(self.path))))

    def partition(self, version: str) -> str:
        """The name of the partition for one version of an object in this layout.

        >>> LINES.partition("abc"), Layout("array", ("Records",)).partition("abc")
        ('abc', 'abc;array:Records')
        """
        if self.kind == "lines":
            return version
        path = f":{'.'.join(self.path)}" if self.path else ""
        return f"{version};{self.kind}{path}"

    def framer(self, start: int, limit: int, uri: str) -> Framer:
        """What cuts records from ``start`` on, where one may begin.

        Args:
            start: An offset that was ``next`` of a framer of this layout, or 0.
            limit: The longest record, in bytes, that is kept whole.
            uri: Names the object in messages.
        """
        if self.kind == "array":
            return ArrayFramer(start, self.path, limit, uri)
        if self.kind == "sequence":
            return SequenceFramer(start, limit, uri)
        return LineFramer(start, partial=False, limit=limit)

    def read_on_at(self, last: RecordBatch, end: int) -> int:
        """Where to read on if an object grows that was read up to ``end``; 0 for its start.

        That is the last record of lines if it has no newline. An array that was closed is
        another one once it changes. An object that could not be read further is one failure
        without bytes, where it broke.

        Args:
            last: The last batch read of it.
            end: How far it was read.
        """
        records = [*zip(last.offsets[-1:], last.raws[-1:], strict=True)]
        records += [(failure.origin.offset, failure.raw) for failure in last.failures]
        offset, raw = max(records, default=(end, b"?"))
        if not raw:
            return offset
        if self.kind == "array":
            return 0
        ends_itself = self.kind == "sequence" and raw[-1:] in _ENDS_ITSELF
        return end if ends_itself or offset + len(raw) != end else offset

    @property
    def options(self) -> str:
        """The options that name the layout."""
        path = f" --json_path {'.'.join(self.path)}" if self.path else ""
        return f"--json_layout {self.kind}{path}"


LINES = Layout("lines")
ARRAY = Layout("array")
SEQUENCE = Layout("sequence")


def parsed_partition(partition: str) -> tuple[str, Layout]:
    """The version of the object, and the layout, that a partition's name stands for.

    >>> parsed_partition("abc;array:Records")
    ('abc', Layout(kind='array', path=('Records',)))
    """
    match = _NAMED.fullmatch(partition) if ";" in partition else None
    if match is None:
        return partition, LINES
    path = tuple(match["path"].split(".")) if match["path"] else ()
    return match["version"], Layout(match["kind"], path)


class Peeked(Protocol):
    """A stream of which a growing part can be looked at before it is read."""

    head: bytes
    """The part that has been looked at."""

    def peek_on(self) -> bool:
        """Add a block to the head; False at the end of the stream."""
        ...


def read_layout(stream: Peeked, limit: int, *, lines_by_name: bool, growing: bool) -> Layout | None:
    """The layout that the start of an object shows; None if that may still change.

    Args:
        stream: The text, in UTF-8 or a single-byte encoding.
        limit: How many bytes are looked at at most.
        lines_by_name: Whether the name says that it has lines.
        growing: Whether more may be written behind the end.
    """
    if lines_by_name and stream.head[:1] == b"{":
        return LINES
    size, whole = SAMPLE_BYTES, False
    while True:
        while not whole and len(stream.head) < size:
            whole = not stream.peek_on()
        head = stream.head if len(stream.head) <= size or size >= limit else stream.head[:size]
        ended = whole and len(head) == len(stream.head)
        layout = layout_of(head, whole=ended and not growing, lines_by_name=lines_by_name)
        if layout is not None:
            return layout
        if ended:
            return None
        if size >= limit:
            return LINES
        size *= 4


def layout_of(head: bytes, *, whole: bool, lines_by_name: bool = False) -> Layout | None:
    """The layout of an object that begins with ``head``; None if more is needed to tell.

    A first line that is one value, with more lines behind it, means lines. Whatever is not
    clearly an array or a sequence is read as lines, of which a bad one is one bad record.

    Args:
        head: The start of the object.
        whole: Whether that is all of it.
        lines_by_name: Whether the name says that it has lines; only an array overrules that.
    """
    text = head.removeprefix(BOM).lstrip(WHITESPACE)
    if text.startswith(RECORD_SEPARATOR):
        return SEQUENCE
    if text.startswith(b"["):
        return _layout_of_brackets(text, whole=whole)
    if not text.startswith(b"{") or lines_by_name:
        return LINES
    return _layout_of_objects(text, whole=whole)


def _layout_of_brackets(text: bytes, *, whole: bool) -> Layout | None:
    line, newline, rest = text.partition(b"\n")
    rest = rest.strip(WHITESPACE)
    complete = (newline or whole) and _is_json(line)
    if complete and rest:
        return LINES  # of arrays
    if complete:
        return ARRAY if whole else None
    inner = text[1:].lstrip(WHITESPACE)
    if not inner:
        return ARRAY if whole else None
    if inner[:1] in (b"{", b"[", b"]") and not inner.startswith(b"[["):
        return ARRAY
    if inner[0] in _VALUE_BEGINS and _state(text) in ("", _TRUNCATED):
        return ARRAY
    return LINES


def _layout_of_objects(text: bytes, *, whole: bool) -> Layout | None:
    line, newline, _ = text.partition(b"\n")
    if (newline or whole) and _is_json(line):
        return LINES
    end = _end_of_value(text)
    if end is None:
        return LINES
    if end < 0:
        if not newline:
            return LINES if whole else None  # one line, perhaps cut off
        cut_off = _state(text) == _TRUNCATED and not _has_line_of_its_own(text)
        return SEQUENCE if cut_off else LINES
    value = text[:end]
    if b"\n" in value:
        return SEQUENCE if _is_json(value) or not _has_line_of_its_own(value) else LINES
    after = text[end:].lstrip(b" \t\r,")
    if not after:
        return LINES if whole else None
    follows = after[:1] in (b"{", b"[", RECORD_SEPARATOR) or (
        b"," in text[end : len(text) - len(after)] and after.lstrip(WHITESPACE)[:1] in (b"{", b"")
    )
    return SEQUENCE if follows and _is_json(value) else LINES


def _end_of_value(text: bytes) -> int | None:
    """Index after the object that begins a text; -1 if it goes on; None if it is malformed."""
    scanner = ValueScanner()
    scanner.begin_value(text[0])
    try:
        return scanner.scan(text, 1)
    except Unbalanced:
        return None


def _has_line_of_its_own(text: bytes) -> bool:
    """Whether a line after the first is an object that begins at the left margin."""
    return any(line.startswith(b"{") and _is_json(line) for line in text.split(b"\n")[1:])


def _is_json(text: bytes) -> bool:
    return not _state(text)


def _state(text: bytes) -> str:
    """Why a text is not one JSON value; empty if it is one."""
    try:
        _pass_over(text)
    except msgspec.DecodeError as error:
        return _TRUNCATED if _TRUNCATED in str(error) else _MALFORMED
    except RecursionError:
        return _MALFORMED
    return ""
