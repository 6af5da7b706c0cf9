"""Turn messages of the client library into batches: the code that runs for every message."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from itertools import islice
from typing import Any, Literal

from confluent_kafka import TIMESTAMP_NOT_AVAILABLE, Message

from clients.kafka.log import LOGGER
from sources.kafka.cluster import Place
from sources.kafka.partition import Partition
from transforms.batch.coverage import Range, subtract
from transforms.batch.record import JSON, Failure, Origin, RecordBatch, Span

Messages = Sequence["Message[bytes, bytes]"]

Tombstones = Literal["dead", "ignore", "keep"]
"""What becomes of messages without a value: dead letters, filtered records, or records without bytes."""

CHUNK = 500
"""Messages that are looked at before the next ones: as many as fit into a processor's cache."""

_LAST_TIME = 253_402_300_799_000  # the end of year 9999, in milliseconds


def by_partition(messages: Messages, topics: int) -> dict[Place, list[Message[bytes, bytes]]]:
    """Group messages without errors by partition; ``topics`` is how many topics there may be."""
    grouped: defaultdict[Place, list[Message[bytes, bytes]]] = defaultdict(list)
    if topics == 1:
        # Saves asking for the name of the topic, a third of the cost of grouping.
        numbered: defaultdict[int, list[Message[bytes, bytes]]] = defaultdict(list)
        for number, message in zip(map(Message.partition, messages), messages, strict=True):
            numbered[number].append(message)  # type: ignore[index]  # None only for errors
        topic = str(messages[0].topic()) if messages else ""
        return {(topic, number): group for number, group in numbered.items()}
    for name, number, message in zip(
        map(Message.topic, messages), map(Message.partition, messages), messages, strict=True
    ):
        grouped[name, number].append(message)  # type: ignore[index]  # the same
    return dict(grouped)


def batch_of(
    partition: Partition, messages: Messages, end: int, tombstones: Tombstones = "dead"
) -> RecordBatch | None:
    """The batch that settles ``partition`` from its next offset to ``end``; moves it to ``end``.

    The range includes offsets without a message: messages removed by compaction, aborted
    transactions and transaction markers.

    Args:
        partition: Where the messages are from.
        messages: Messages without errors, in order of their offsets.
        end: First offset that is not settled.
        tombstones: What becomes of messages without a value.

    Returns:
        The batch, or None if there is nothing to settle.
    """
    start = partition.next
    if end <= start:
        return None
    partition.next = end
    partition.high = max(partition.high, end)
    span = Span(partition.source, partition.label, start, end)
    if not messages:
        return RecordBatch(span, JSON, [], [])
    first, last = int(messages[0].offset() or 0), int(messages[-1].offset() or 0)
    if first < start or last >= end:
        messages = [each for each in messages if start <= int(each.offset() or 0) < end]
    offsets: list[int] = []
    raws: list[bytes | None] = []
    keys: list[bytes | None] = []
    headers: list[Any] = []
    stamps: list[tuple[int, int]] = []
    for place in range(0, len(messages), CHUNK):
        chunk = messages[place : place + CHUNK]
        offsets += map(Message.offset, chunk)  # type: ignore[arg-type]  # never None
        raws += map(Message.value, chunk)
        keys += map(Message.key, chunk)
        headers += _headers(chunk)
        stamps += map(Message.timestamp, chunk)
    times = _times(stamps)
    if times:
        latest = max(times)
        if partition.event_time is None or latest > partition.event_time:
            partition.event_time = latest
    batch = RecordBatch(
        span=span,
        format=JSON,
        offsets=offsets,
        raws=raws,  # type: ignore[arg-type]  # tombstones are taken out below
        times=times,
        keys=keys if _any_is_there(keys) else None,
        headers=[tuple(each) if each else () for each in headers]
        if _any_is_there(headers)
        else None,
    )
    if not all(raws) and None in raws:
        return _without_tombstones(batch, tombstones)
    return batch


def pin_batches(partition: Partition, ranges: Sequence[Range]) -> list[RecordBatch]:
    """Batches without records that record ``ranges`` in the ledger."""
    spans = [Span(partition.source, partition.label, start, end) for start, end in ranges]
    return [RecordBatch(span, JSON, [], []) for span in spans]


def expired_batches(
    partition: Partition, low: int, settled: Sequence[Range] = ()
) -> list[RecordBatch]:
    """Batches that fail the offsets below ``low``, which are gone; moves ``partition`` to ``low``.

    Args:
        partition: Where offsets are gone.
        low: The first offset that still exists.
        settled: What the ledger has of the partition.

    Returns:
        One batch for each range that is not settled.
    """
    gaps = subtract(partition.next, low, settled)
    partition.next = max(partition.next, low)
    partition.high = max(partition.high, low)
    return [
        _expired_batch(partition, start, end, "were deleted before they were read")
        for start, end in gaps
    ]


def final_batches(
    partition: Partition, end: int, settled: Sequence[Range] = ()
) -> list[RecordBatch]:
    """Batches that end a partition for good whose topic was deleted and created again.

    Args:
        partition: A partition of the old topic; moved to ``end``.
        end: Its last end that was seen.
        settled: What the ledger has of it.

    Returns:
        One batch for each range that was not read, and a last one that is final.
    """
    end = max(end, partition.next)
    gaps = subtract(partition.next, end, settled)
    partition.next = end
    why = "were deleted before they were read: the topic was created again"
    batches = [_expired_batch(partition, start, stop, why) for start, stop in gaps]
    last = Span(partition.source, partition.label, end, end, final=True)
    return [*batches, RecordBatch(last, JSON, [], [])]


def _expired_batch(partition: Partition, start: int, end: int, why: str) -> RecordBatch:
    failure = Failure(
        origin=Origin(partition.source, partition.label, start),
        raw=b"",
        format=JSON,
        stage="read",
        category="offsets_expired",
        exception="OffsetsExpired",
        message=f"offsets {start}–{end - 1} of {partition.topic}/{partition.number} {why}",
        stack="",
    )
    span = Span(partition.source, partition.label, start, end)
    return RecordBatch(span, JSON, [], [], failures=(failure,))


def _any_is_there(column: Sequence[Any]) -> bool:
    """Whether a value is not None; to compare each with None would cost as much as to ask for it."""
    return any(column) or column.count(None) < len(column)


def _times(stamps: Sequence[tuple[int, int]]) -> list[float] | None:
    """Event times in seconds; None if a message has none (a broker before 0.10)."""
    milliseconds = [stamp[1] for stamp in stamps]
    if not milliseconds:
        return None
    if min(milliseconds) < 0 or max(milliseconds) > _LAST_TIME:
        if any(kind == TIMESTAMP_NOT_AVAILABLE for kind, _ in stamps):
            return None
        # A time in the wrong unit must not overflow the clocks of runner and database.
        milliseconds = [min(max(stamp, 0), _LAST_TIME) for stamp in milliseconds]
    return [stamp / 1000 for stamp in milliseconds]


def _headers(messages: Messages) -> list[Any]:
    """Headers of each message, as the client has them; None for one that has none."""
    headers: list[Any] = []
    while len(headers) < len(messages):
        try:
            headers.extend(map(Message.headers, islice(messages, len(headers), None)))
        except SystemError:
            # The client decodes names as UTF-8 and fails like this if one is not UTF-8. The message
            # itself is sound; its headers must not be touched again (they hold null pointers).
            unreadable = messages[len(headers)]
            LOGGER.warning(
                "HEADERS of %s/%s at offset %s are left out: a name is not UTF-8",
                *(unreadable.topic(), unreadable.partition(), unreadable.offset()),
                extra={
                    "source": f"kafka://{unreadable.topic()}",
                    "partition": str(unreadable.partition()),
                    "offset": unreadable.offset(),
                },
            )
            headers.append(None)
    return headers


def _without_tombstones(batch: RecordBatch, tombstones: Tombstones) -> RecordBatch:
    """Take out messages without a value: they are not records, and a replay cannot help.

    Unless they are kept, as records without bytes.
    """
    if tombstones == "keep":
        return replace(batch, raws=[raw or b"" for raw in batch.raws])
    records = [i for i, raw in enumerate(batch.raws) if raw is not None]
    others = [i for i, raw in enumerate(batch.raws) if raw is None]
    if tombstones == "ignore":
        return batch.keep(records, None, filtered=[batch.offsets[i] for i in others])
    return batch.keep(records, None, [_tombstone(batch, i) for i in others])


def _tombstone(batch: RecordBatch, index: int) -> Failure:
    record = batch.record(index)
    return Failure(
        origin=record.origin,
        raw=b"",
        format=record.format,
        stage="read",
        category="tombstone",
        exception="Tombstone",
        message="the message has no value: its key was deleted",
        stack="",
        event_time=record.event_time,
        key=record.key,
        headers=record.headers,
    )
