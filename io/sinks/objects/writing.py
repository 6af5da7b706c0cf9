"""Write the objects of a plan, several side by side, so that no stopped writer brings one back.

An object is created if nothing of its name is there. If there is, its writer asks whether the intent
is still its own *after* it has seen the object: then whoever takes the intent over later finds another
object, or has its own refused to be replaced.
"""

from __future__ import annotations

import io
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import accumulate, groupby
from typing import Any

from sinks.database.database import Database
from sinks.database.engine import transaction
from sinks.objects import intents
from sinks.objects.encoding.columns import Columns, columns_for
from sinks.objects.encoding.json_lines import JsonLinesObject
from sinks.objects.encoding.origins import Origins
from sinks.objects.encoding.parquet import ParquetObject
from sinks.objects.intents import Superseded
from sinks.objects.planned import Piece, Plan, Planned, Refusal, Written, WrittenObject
from sinks.objects.store import ObjectChanged, ObjectExists, ObjectStore
from sinks.objects.stores import store_of
from transforms.errors import Contention

SIDE_BY_SIDE = 4
"""How many objects a commit encodes and writes at a time; so many are in memory."""

TOGETHER_RECORDS = 32_768
"""How many records are encoded at a time; the last batch of them may go beyond it."""

TOGETHER_BYTES = 16 << 20
"""How many raw bytes they have."""

_TRIES = 5


def write(plan: Plan, database: Database) -> Written:
    """Write the objects of ``plan``.

    Args:
        plan: What to write; its intents are entered, and their transaction is committed.
        database: The state.

    Raises:
        Superseded: Another writer has taken over.
        SinkUnavailable: The state or a store cannot be reached.
        SinkFailed: A store refuses.
    """
    if len(plan.objects) < 2:
        results = [_write(planned, database) for planned in plan.objects]
    else:
        with ThreadPoolExecutor(SIDE_BY_SIDE, thread_name_prefix="objects") as threads:
            running = [threads.submit(_write, planned, database) for planned in plan.objects]
            try:
                results = [each.result() for each in running]
            except BaseException:
                for task in running:
                    task.cancel()
                raise
    refused = [refusal for _, refusals in results for refusal in refusals]
    return Written(plan.intents, tuple(each for each, _ in results), (*plan.refused, *refused))


def _write(planned: Planned, database: Database) -> tuple[WrittenObject, list[Refusal]]:
    data, rows, refused = encoded(planned)
    if not rows:
        return WrittenObject(planned, 0), refused
    store = store_of(planned.dataset.config)

    def is_current() -> bool:
        with transaction(database, "look at an intent", write=False) as connection:
            return intents.is_current(connection, planned.intent)

    first = planned.intent.fence == 1
    etag = put(store, planned.id.name, data, is_current, first=first)
    return WrittenObject(planned, rows, len(data), etag), refused


def put(
    store: ObjectStore, name: str, data: bytes, is_current: Callable[[], bool], *, first: bool
) -> str:
    """Write an object, in place of what earlier attempts at its intent have left.

    Args:
        store: Where.
        name: The object's name.
        data: Its content.
        is_current: Whether nobody else has taken over the intent.
        first: Whether this is the first attempt, so that there should be no object.

    Returns:
        Its etag.

    Raises:
        Superseded: Another writer has taken over.
        Contention: The object kept changing.
    """
    if first:
        with suppress(ObjectExists):
            return store.create(name, data)
    for _ in range(_TRIES):
        before = store.head(name)
        if not is_current():
            raise Superseded
        with suppress(ObjectExists, ObjectChanged):
            if before is None:
                return store.create(name, data)
            return store.replace(name, data, before.etag)
    raise Contention(f"object {name} kept changing; trying again")


def encoded(planned: Planned) -> tuple[bytes, int, list[Refusal]]:
    """The content of an object, how many records it has, and those that cannot be in it."""
    intent, dataset = planned.intent, planned.dataset
    # With the fence in it, no two attempts write the same bytes: their etags tell them apart.
    metadata = {
        "sluice.pipeline": intent.pipeline,
        "sluice.source": intent.source,
        "sluice.partition": intent.partition,
        "sluice.range": f"{intent.start}-{intent.end}",
        "sluice.fence": str(intent.fence),
    }
    file = io.BytesIO()
    kind = JsonLinesObject if dataset.config.format == "jsonl.gz" else ParquetObject
    target = kind(_columns(planned), file, metadata)
    refused: list[Refusal] = []
    for pieces in together(planned.pieces):
        parts = [_records(piece) for piece in pieces]
        values = [value for part, _ in parts for value in part]
        starts = list(accumulate((len(part) for part, _ in parts), initial=0))
        for index, error in target.add(values, Origins.joined([origins for _, origins in parts])):
            place = bisect_right(starts, index) - 1
            piece, own = pieces[place], index - starts[place]
            own = own if piece.indices is None else piece.indices[own]
            refused.append(Refusal(planned.id.target, piece.number, own, error))
    rows = target.close().rows
    data = file.getvalue()
    if dataset.config.format == "jsonl.gz" and rows:
        # The time in gzip's header (RFC 1952, 2.3.1), which readers ignore.
        data = data[:4] + intent.fence.to_bytes(4, "little") + data[8:]
    return data, rows, refused


def _columns(planned: Planned) -> Columns:
    """The columns of an object; jobs may be of several formats, and then no header is theirs."""
    columns = planned.dataset.columns
    formats = {(part.batch.format, part.batch.cells is not None) for part in planned.pieces}
    if len(formats) > 1:
        return columns
    [(format_, mapped)] = formats
    return columns_for(columns, format_, mapped=mapped)


def together(pieces: Iterable[Piece]) -> Iterator[list[Piece]]:
    """The pieces in lists of those that are encoded at a time: a partition each, and not too many.

    A step of the encoding lets other threads of Python go on, and then waits for its turn: with many
    small steps, most of its time.
    """
    for _, of_partition in groupby(pieces, key=_partition_of):
        waiting: list[Piece] = []
        records = raw_bytes = 0
        for piece in of_partition:
            waiting.append(piece)
            raws = piece.batch.raws
            records += len(raws if piece.indices is None else piece.indices)
            raw_bytes += sum(
                map(len, raws if piece.indices is None else map(raws.__getitem__, piece.indices))
            )
            if records >= TOGETHER_RECORDS or raw_bytes >= TOGETHER_BYTES:
                yield waiting
                waiting, records, raw_bytes = [], 0, 0
        if waiting:
            yield waiting


def _partition_of(piece: Piece) -> tuple[str, str]:
    return piece.batch.span.source, piece.batch.span.partition


def _records(piece: Piece) -> tuple[Sequence[Any], Origins]:
    values, origins = piece.batch.values or (), Origins.of(piece.batch)
    if piece.indices is None:
        return values, origins
    return [values[index] for index in piece.indices], origins.pick(piece.indices)
