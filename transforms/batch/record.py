"""A record, and the batch of records that flows through the pipeline.

A ``RecordBatch`` is columnar: parallel lists with one entry per record. Lists of plain values
cost a fraction of a microsecond per record between two steps; one object per record, each with
its own timestamp, costs four (docs/performance.md). A step that wants one record at a time sees
it as a ``Record`` through ``EachRecord``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import repeat
from operator import itemgetter
from typing import Any, NamedTuple

from transforms.batch.content import Content
from transforms.batch.expansion import Expansion, short
from transforms.batch.job_states import Attempt as Attempt  # noqa: PLC0414 - from here, too
from transforms.batch.job_states import Claim as Claim  # noqa: PLC0414
from transforms.batch.retry_policy import RetryPolicy
from transforms.error_texts import message_of, stack_of

Headers = tuple[tuple[str, bytes | None], ...]
"""Headers of a message: names may repeat, and their order matters."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a record came from; unique among all records ever read.

    Attributes:
        source: ``file:///abs/path``, ``s3://bucket/key`` or ``kafka://topic``.
        partition: The pinned version of the object (its ETag), or Kafka's partition.
        offset: Byte offset of the record in the (decompressed) object, row number
            in a Parquet file, or Kafka's offset.
        element: The number of the record in its message, from 0, where the message holds several;
            otherwise None.
        expansion: Which of the records that steps made of one it is; empty if none did.
    """

    source: str
    partition: str
    offset: int
    element: int | None = None
    expansion: Expansion = ()

    @property
    def place(self) -> str:
        """Where in the partition, for people: ``12``, ``12[3]`` for an element, ``12[3][2/5]``."""
        element = "" if self.element is None else f"[{self.element}]"
        expansion = f"[{short(self.expansion)}]" if self.expansion else ""
        return f"{self.offset}{element}{expansion}"


@dataclass(frozen=True, slots=True)
class Span:
    """The contiguous range ``[start, end)`` of one partition that a batch settles.

    Attributes:
        source: As in ``Origin``.
        partition: As in ``Origin``.
        start: First offset covered.
        end: First offset after the range.
        final: Whether the partition ends at ``end`` for good.
        content: The bytes of the range; None if they are not known.
    """

    source: str
    partition: str
    start: int
    end: int
    final: bool = False
    content: Content | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Format:
    """How to read the raw bytes of a record.

    Attributes:
        name: ``json``, ``csv``, ``text``, ``parquet`` or ``avro``. The raw bytes of a row of Parquet
            or Avro are those of ``transforms.parse.typed_rows``, or the JSON object that earlier
            versions kept.
        columns: The header of a CSV file.
        delimiter: The delimiter of a CSV file.
        quote: The character that encloses a field of a CSV file; empty for none.
        escape: The character of a CSV file that makes the next one literal; empty for none.
        nulls: The texts that stand for NULL in an unquoted CSV field.
        encoding: The encoding of the raw bytes; empty for UTF-8.
    """

    name: str
    columns: tuple[str, ...] = ()
    delimiter: str = ","
    quote: str = '"'
    escape: str = ""
    nulls: tuple[str, ...] = ()
    encoding: str = ""


JSON = Format("json")


@dataclass(frozen=True, slots=True)
class Failure:
    """A record that a step could not handle, with everything that a replay needs.

    Attributes:
        origin: Where it came from.
        raw: Its bytes as read, text or not.
        format: How to read them.
        stage: ``read``, ``parse``, ``map``, ``validate``, ``write`` or the label of a user step.
        category: A stable word to filter by, e.g. ``malformed``, ``schema``, ``constraint``.
        exception: Class name of the exception.
        message: Message of the exception.
        stack: Stack of the exception, bounded.
        sqlstate: The error code of the database, if it gave one.
        transient: Whether a later attempt may succeed.
        event_time: Seconds since the epoch, where the source gives one.
        key: The message's key, where the source has keys.
        headers: The message's headers.
        retry: The policy of the step that failed; None leaves it to the writer's.
        snooze: Seconds to wait without using an attempt, if the step asked for that.
        target: The table that its route has sent it to; None for the pipeline's own.
    """

    origin: Origin
    raw: bytes
    format: Format
    stage: str
    category: str
    exception: str
    message: str
    stack: str
    sqlstate: str | None = None
    transient: bool = False
    event_time: float | None = None
    key: bytes | None = None
    headers: Headers = ()
    retry: RetryPolicy | None = None
    snooze: float | None = None
    target: str | None = None

    @classmethod
    def of(
        cls,
        record: Record,
        stage: str,
        category: str,
        error: BaseException,
        *,
        sqlstate: str | None = None,
        transient: bool = False,
        snooze: float | None = None,
        quotes: bool = True,
        message: str | None = None,
    ) -> Failure:
        """The failure of ``record`` at ``stage`` with ``error``.

        ``quotes`` says whether its texts may quote the record, as in ``error_texts``; ``message`` is what
        is said instead of the error's own message.
        """
        return cls(
            *(record.origin, record.raw, record.format, stage, category, type(error).__name__),
            message=message_of(error, quotes=quotes) if message is None else message,
            stack=stack_of(error, quotes=quotes),
            sqlstate=sqlstate,
            transient=transient,
            event_time=record.event_time,
            key=record.key,
            headers=record.headers,
            snooze=snooze,
        )


class Change(NamedTuple):
    """What a change event says of the row of its key.

    Attributes:
        delete: Whether the row is gone.
        position: Where the change lies in the order of all changes; None if only the offset tells.
        partial: Whether columns are left out, which stay as they are.
    """

    delete: bool = False
    position: int | None = None
    partial: bool = False


@dataclass(frozen=True, slots=True)
class Record:
    """One record, as a per-record function sees it.

    Attributes:
        raw: Bytes as read.
        value: The parsed value; None before Parse.
        origin: Where it came from.
        format: How to read ``raw``.
        event_time: Seconds since the epoch, where the source gives one.
        key: The message's key, where the source has keys.
        headers: The message's headers.
        deleted: Whether it says that the row of its key is gone; ``value`` has what is known of that.
    """

    raw: bytes
    value: Any
    origin: Origin
    format: Format
    event_time: float | None = None
    key: bytes | None = None
    headers: Headers = ()
    deleted: bool = False

    def with_value(self, value: Any) -> Record:
        """The same record with another value; faster than ``replace``."""
        return Record(
            *(self.raw, value, self.origin, self.format, self.event_time, self.key, self.headers),
            self.deleted,
        )


@dataclass(frozen=True, slots=True)
class RecordBatch:
    """Consecutive records of one partition, and those of them that have failed so far.

    ``len(raws) + len(failures) + len(filtered)`` is the number of records read. It changes only where
    a step makes several records of one, so that one transaction can account for the whole batch. Where
    a message holds several records, or a step makes several of one, they are in one batch: the ledger
    settles offsets.

    Attributes:
        span: The range that this batch settles.
        format: How to read ``raws``.
        offsets: Offset of each record, ascending; those of one message are the same.
        raws: Bytes of each record; those that a step made of one share the same object.
        values: Parsed value of each record; None before Parse.
        times: Event time of each record in seconds since the epoch; None where there are none.
        keys: Key of each message; None where the source has no keys.
        headers: Headers of each message; None where no message has any.
        failures: Records that failed, in no order.
        filtered: Offsets of the records that a user step dropped on purpose.
        claim: The jobs that the records are, if they have failed before. ``span`` then settles
            nothing: it only encloses their offsets.
        elements: Number of each record in its message, None for a whole message; None if all are.
        expansions: Expansion of each record. None as long as no step has made several of one.
        ahead: How many branches of its expansion each record has yet to take: a job that was one of
            several goes through all steps again. None if none has any.
        cells: By field, the column whose cell it is, where a mapping may have given the cells of CSV
            other names. None: each column is the field of its name.
        targets: The table that its route has sent each record to. None where nothing is routed: all
            are for the pipeline's own table.
        routed_cells: ``cells`` by table, where routes have mappings of their own.
        changes: What each record says of the row of its key; None where none is a change event.
        key_values: What each key decodes to, or the key itself; None where keys are not decoded.
    """

    span: Span
    format: Format
    offsets: Sequence[int]
    raws: Sequence[bytes]
    values: Sequence[Any] | None = None
    times: Sequence[float] | None = None
    keys: Sequence[bytes | None] | None = None
    headers: Sequence[Headers] | None = None
    failures: tuple[Failure, ...] = ()
    filtered: tuple[int, ...] = ()
    claim: Claim | None = None
    elements: Sequence[int | None] | None = None
    expansions: Sequence[Expansion] | None = None
    ahead: Sequence[int] | None = None
    cells: Mapping[str, str] | None = None
    targets: Sequence[str] | None = None
    routed_cells: Mapping[str, Mapping[str, str] | None] | None = None
    changes: Sequence[Change] | None = None
    key_values: Sequence[Any] | None = None
    _raw_bytes: int | None = field(default=None, init=False, repr=False, compare=False)

    @property
    def read(self) -> int:
        """How many records were read into this batch, or made by steps."""
        return len(self.raws) + len(self.failures) + len(self.filtered)

    @property
    def expanded(self) -> int:
        """How many of them are beyond the first of their message, or of their job."""
        if self.claim is not None:
            return self.read - len(self.claim.attempts)
        if self.elements is None and self.expansions is None:
            return 0
        failed = (failure.origin.offset for failure in self.failures)
        return self.read - len({*self.offsets, *self.filtered, *failed})

    @property
    def raw_bytes(self) -> int:
        """How many bytes its good records have, as read; counted once, or estimated."""
        if self._raw_bytes is None:
            object.__setattr__(self, "_raw_bytes", self._count_raw_bytes())
        return self._raw_bytes or 0

    def _count_raw_bytes(self) -> int:
        if self.expansions is None:
            estimate: int | None = getattr(self.raws, "estimate", None)  # of those not made yet
            return sum(map(len, self.raws)) if estimate is None else estimate
        return sum({id(raw): len(raw) for raw in self.raws}.values())  # several share their bytes

    def record(self, index: int) -> Record:
        """The record at ``index`` of the parallel lists."""
        return Record(
            raw=self.raws[index],
            value=None if self.values is None else self.values[index],
            origin=Origin(
                self.span.source,
                self.span.partition,
                self.offsets[index],
                None if self.elements is None else self.elements[index],
                () if self.expansions is None else self.expansions[index],
            ),
            format=self.format,
            event_time=None if self.times is None else self.times[index],
            key=None if self.keys is None else self.keys[index],
            headers=() if self.headers is None else self.headers[index],
            deleted=self.changes is not None and self.changes[index].delete,
        )

    def records(self) -> Iterator[Record]:
        """Every good record, in order."""
        source, partition = self.span.source, self.span.partition
        columns = zip(
            self.raws,
            repeat(None) if self.values is None else self.values,
            self.offsets,
            repeat(None) if self.elements is None else self.elements,
            repeat(()) if self.expansions is None else self.expansions,
            repeat(None) if self.times is None else self.times,
            repeat(None) if self.keys is None else self.keys,
            repeat(()) if self.headers is None else self.headers,
            repeat(_PLAIN) if self.changes is None else self.changes,
            strict=False,  # what a batch lacks is repeated without end
        )
        for raw, value, offset, element, expansion, time, key, headers, change in columns:
            origin = Origin(source, partition, offset, element, expansion)
            yield Record(raw, value, origin, self.format, time, key, headers, change.delete)

    def of_target(self, failure: Failure, index: int) -> Failure:
        """``failure``, of the record at ``index``, with the table that it was sent to, if any."""
        return failure if self.targets is None else replace(failure, target=self.targets[index])

    def with_values(self, values: Sequence[Any]) -> RecordBatch:
        """The same records with other values; faster than ``replace``, for small batches."""
        batch = RecordBatch(
            *(self.span, self.format, self.offsets, self.raws, values, self.times, self.keys),
            *(self.headers, self.failures, self.filtered, self.claim, self.elements),
            *(self.expansions, self.ahead, self.cells, self.targets, self.routed_cells),
            *(self.changes, self.key_values),
        )
        object.__setattr__(batch, "_raw_bytes", self._raw_bytes)
        return batch

    def keep(
        self,
        indices: Sequence[int],
        values: Sequence[Any] | None,
        failures: Sequence[Failure] = (),
        filtered: Sequence[int] = (),
    ) -> RecordBatch:
        """This batch with only the records at ``indices``.

        Args:
            indices: Ascending indices of the records that stay good; one may be there several times.
            values: The values of these records, parallel to ``indices``.
            failures: Failures to add.
            filtered: Offsets of the records that were dropped on purpose.
        """
        columns = {name: getattr(self, name) for name in COLUMNS}
        take: Callable[[Any], Iterable[Any]] = lambda column: [column[i] for i in indices]
        if len(indices) > 1:
            take = itemgetter(*indices)  # in C
        taken: Any = {
            name: None if old is None else list(take(old)) for name, old in columns.items()
        }
        return replace(
            self,
            **taken,
            values=values,
            failures=(*self.failures, *failures),
            filtered=(*self.filtered, *filtered),
        )


_OF_MESSAGE = ("offsets", "raws", "times", "keys", "headers", "elements", "key_values")
COLUMNS = (*_OF_MESSAGE, "expansions", "ahead", "targets", "changes")
"""The lists of a batch with an entry for each record, beside their values."""

_PLAIN = Change()
