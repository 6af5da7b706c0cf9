"""Cut the records of messages that hold several: an array, lines, or CSV.

How text is laid out is defined where files are read (``sources.files``). A message differs in that
its records have no offsets of their own: each has the message's offset and a number, its element.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from operator import itemgetter
from typing import Any

from sources.files.csv.head import CsvRules
from sources.files.csv.options import CsvOptions
from sources.files.framing import BOM, Framer, RefusedRecord
from sources.files.json.layout import ARRAY, Layout
from sources.files.json.options import AUTO, JsonOptions
from sources.files.json.values import WHITESPACE
from transforms.batch.record import JSON, Failure, Format, RecordBatch
from transforms.batch.splits import BatchLimits
from transforms.errors import ConfigError, ObjectFailed
from transforms.parse.registry.wire import schema_named

MOST_ELEMENTS = 10_000
"""The most records of one message; one with more is a dead letter as a whole."""

_BLOCK = 64 << 10  # bytes that are cut before the elements are counted
_MOST_KEPT = 16  # as many times the largest record allowed is kept of one, or of a message
_HEAD = 64 << 10  # bytes that are kept of anything longer

_OBJECT = frozenset(b"{")
_first_byte = itemgetter(0)


class TooManyElements(Exception):
    """A message holds more than ``MOST_ELEMENTS`` records."""


@dataclass(frozen=True, slots=True)
class MessageCutter:
    """What messages hold, and how their records are cut.

    Attributes:
        format: How the records are read.
        layout: How JSON is laid out in a message; None where it holds none.
        csv: How CSV is written.
        max_kept_bytes: How many bytes of a longer record, or of a message that cannot be cut, are
            kept.
        limits: At which size a batch is emitted. A message lies in one batch.
        schemas: Whether a message may name a schema; one that does is a record as a whole.
    """

    format: Format
    layout: Layout | None = None
    csv: CsvOptions = CsvOptions()  # noqa: RUF009 - frozen
    max_kept_bytes: int = _MOST_KEPT << 20
    limits: BatchLimits = BatchLimits()  # noqa: RUF009 - frozen
    schemas: bool = False

    @property
    def several(self) -> bool:
        """Whether a message may hold several records."""
        return self.format.name != "text"

    @property
    def may_be_objects(self) -> bool:
        """Whether a message may be one JSON object, which is a record."""
        return self.layout == ARRAY

    def cut(self, batch: RecordBatch) -> Iterator[RecordBatch]:
        """The records that the messages of ``batch`` hold, in one batch after another.

        A message that cannot be cut is one failure, and so is one with more than
        ``MOST_ELEMENTS`` records. One without any record counts as filtered.
        """
        if not self.several:
            yield replace(batch, format=self.format)
            return
        if not batch.raws or (self.layout == ARRAY and _are_objects(batch.raws)):
            yield batch
            return
        start = batch.span.start
        part = _Part(batch, self.format)
        for index, raw in enumerate(batch.raws):
            offset = batch.offsets[index]
            if part.records >= self.limits.records or part.size >= self.limits.bytes:
                yield part.taken(start, offset)
                start, part = offset, _Part(batch, self.format)
            self._cut_message(part, index, raw)
        yield part.taken(start, batch.span.end, final=batch.span.final)

    def _cut_message(self, part: _Part, index: int, raw: bytes) -> None:
        if self.schemas and schema_named(raw, part.batch.headers, index) is not None:
            part.add_message(index)
            return
        if self.layout == ARRAY and not raw.removeprefix(BOM).lstrip(WHITESPACE).startswith(b"["):
            part.add_message(index)
            return
        try:
            part.add_elements(index, self._elements(raw))
        except ObjectFailed as error:
            part.fail(index, self._refused(raw, "malformed", type(error).__name__, str(error)))
        except TooManyElements as error:
            refused = self._refused(raw, "too_many_elements", type(error).__name__, str(error))
            part.fail(index, refused)

    def _elements(self, raw: bytes) -> Sequence[bytes | RefusedRecord]:
        """The records of one message, in order.

        Raises:
            ObjectFailed: Nobody can tell where they begin and end.
            TooManyElements: There are more than ``MOST_ELEMENTS``.
        """
        framer = self._framer()
        headers = int(self.layout is None and bool(self.csv.header))
        if self.layout is None and self.csv.skip:
            raw = b"".join(raw.split(b"\n", self.csv.skip)[self.csv.skip :])
        for start in range(0, len(raw), _BLOCK):
            framer.feed(raw[start : start + _BLOCK])
            _check_number(framer, headers)
        framer.finish()
        _check_number(framer, headers)
        framed = framer.framed
        elements: Sequence[bytes | RefusedRecord] = framed.raws
        if framed.refused:
            places: list[tuple[int, bytes | RefusedRecord]] = [
                *zip(framed.offsets, framed.raws, strict=True),
                *((refused.offset, refused) for refused in framed.refused),
            ]
            elements = [element for _, element in sorted(places, key=itemgetter(0))]
        return elements[headers:]

    def _framer(self) -> Framer:
        if self.layout is not None:
            return self.layout.framer(0, self.max_kept_bytes, "the message")
        delimiter = self.format.delimiter
        return CsvRules(self.csv, delimiter, self.max_kept_bytes).framer(0, delimiter)

    def _refused(self, raw: bytes, category: str, exception: str, message: str) -> RefusedRecord:
        """A message that stays whole, as far as it is not too long."""
        if len(raw) > self.max_kept_bytes:
            message += f"; of its {len(raw):,} bytes the first {_HEAD:,} are kept"
            raw = raw[:_HEAD]
        return RefusedRecord(0, raw, category, exception, message)


def cutter_of(
    format: str,  # noqa: A002 - the option's name
    *,
    json: JsonOptions,
    csv: CsvOptions,
    keyed: bool,
    max_record_bytes: int,
    limits: BatchLimits,
    schemas: bool = False,
) -> MessageCutter | None:
    """How messages are cut by these options; None if each is one JSON object.

    Args:
        format: ``auto`` or ``jsonl`` for JSON, ``csv`` or ``text``.
        json: How JSON is laid out. ``auto`` reads the elements of arrays if ``keyed``.
        csv: How CSV is written; nothing of it is detected.
        keyed: Whether fields of the records are their key.
        max_record_bytes: The largest record allowed.
        limits: Bounds of a batch.
        schemas: Whether messages may name schemas of a registry.

    Raises:
        ConfigError: Messages cannot have the format, or the columns of CSV are not named.
    """
    kept = _MOST_KEPT * max_record_bytes
    if format == "text":
        return MessageCutter(Format("text"), limits=limits)
    if format == "csv":
        if not csv.columns:
            raise ConfigError(
                "--format csv needs --csv_columns for a topic: messages have no header"
            )
        fields = (csv.columns, csv.delimiter or ",", csv.quote, csv.escape, csv.nulls)
        return MessageCutter(Format("csv", *fields), None, csv, kept, limits)
    if format not in ("auto", "jsonl"):
        raise ConfigError(f"--format {format} is for files; a topic has jsonl, csv or text")
    if json.layout == AUTO and not (json.path or keyed):
        return None
    layout = Layout("array" if json.layout == AUTO else json.layout, json.path)
    return MessageCutter(JSON, layout, max_kept_bytes=kept, limits=limits, schemas=schemas)


@dataclass(slots=True)
class _Part:
    """Records cut of consecutive messages of one batch, as parallel lists.

    Attributes:
        batch: The messages.
        format: How the records are read.
        size: Bytes of the records and failures.
    """

    batch: RecordBatch
    format: Format
    size: int = 0
    indices: list[int] = field(default_factory=list)
    raws: list[bytes] = field(default_factory=list)
    elements: list[int | None] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    empty: list[int] = field(default_factory=list)

    @property
    def records(self) -> int:
        """How many there are."""
        return len(self.raws) + len(self.failures) + len(self.empty)

    def add_message(self, index: int) -> None:
        """Add a message that is one record."""
        raw = self.batch.raws[index]
        self.indices.append(index)
        self.raws.append(raw)
        self.elements.append(None)
        self.size += len(raw)

    def add_elements(self, index: int, elements: Sequence[bytes | RefusedRecord]) -> None:
        """Add the records of a message."""
        if not elements:
            self.empty.append(self.batch.offsets[index])
        for number, element in enumerate(elements):
            if isinstance(element, RefusedRecord):
                self.fail(index, element, number)
                continue
            self.indices.append(index)
            self.raws.append(element)
            self.elements.append(number)
            self.size += len(element)

    def fail(self, index: int, refused: RefusedRecord, number: int | None = None) -> None:
        """Add the failure of an element, or of a whole message."""
        message = self.batch.record(index)
        origin = replace(message.origin, element=number)
        failure = refused.failure(origin, self.format)
        self.failures.append(
            replace(
                failure, event_time=message.event_time, key=message.key, headers=message.headers
            )
        )
        self.size += len(refused.raw)

    def taken(self, start: int, end: int, *, final: bool = False) -> RecordBatch:
        """The batch that settles ``[start, end)``, with what the messages before had failed of it."""
        batch, indices = self.batch, self.indices
        inside = [each for each in batch.failures if start <= each.origin.offset < end]
        filtered = [offset for offset in batch.filtered if start <= offset < end]
        return RecordBatch(
            span=replace(batch.span, start=start, end=end, final=final),
            format=self.format,
            offsets=[batch.offsets[i] for i in indices],
            raws=self.raws,
            times=_picked(batch.times, indices),
            keys=_picked(batch.keys, indices),
            headers=_picked(batch.headers, indices),
            failures=(*inside, *self.failures),
            filtered=(*filtered, *self.empty),
            elements=self.elements,
        )


def _are_objects(raws: Sequence[bytes]) -> bool:
    """Whether every message begins like an object, as most do; it costs 23 ns a message."""
    try:
        return _OBJECT.issuperset(map(_first_byte, raws))
    except IndexError:  # one is empty
        return False


def _picked(column: Sequence[Any] | None, indices: Sequence[int]) -> list[Any] | None:
    return None if column is None else [column[i] for i in indices]


def _check_number(framer: Framer, headers: int) -> None:
    number = len(framer.framed.offsets) + len(framer.framed.refused) - headers
    if number > MOST_ELEMENTS:
        raise TooManyElements(f"the message holds more than {MOST_ELEMENTS:,} records")
