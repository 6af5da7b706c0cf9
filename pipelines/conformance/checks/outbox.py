"""The outbox: a change of a row leaves one entry, in the transaction that changes it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from pipelines.conformance.check import Check, Trial
from pipelines.conformance.ground import Ground, committed
from pipelines.conformance.records import batch_of
from sinks.database import leases
from sinks.outbox.queue import SqlOutboxQueue
from sinks.sql import SqlSink
from transforms.batch.record import RecordBatch
from transforms.batch.splits import BatchLimits
from transforms.route.table_name import TableName

SCHEMA = {
    "properties": {"id": {"type": "integer"}, "v": {"type": "string"}},
    "required": ["id", "v"],
}


def _prepared(ground: Ground, table: str) -> tuple[SqlSink, SqlOutboxQueue]:
    sink = ground.sink(table, key=["id"], schema=SCHEMA, on_conflict="update")
    return replace(sink, outbox=True), SqlOutboxQueue(ground.database, TableName.parse(table))


def _read(queue: SqlOutboxQueue) -> RecordBatch | None:
    return queue.read(0, 1, BatchLimits(), ())[0]


def _told(batch: RecordBatch | None) -> list[tuple[str, str]]:
    """Key and operation of each entry, in order."""
    if batch is None or batch.keys is None or batch.headers is None:
        return []
    keys = [(key or b"").decode() for key in batch.keys]
    operations = [(dict(headers)["operation"] or b"").decode() for headers in batch.headers]
    return list(zip(keys, operations, strict=True))


def _changes(ground: Ground, trial: Trial) -> None:
    sink, queue = _prepared(ground, "outbox_changes")
    committed(sink, [batch_of(sink, [{"id": 1, "v": "a"}, {"id": 2, "v": "b"}, {"id": 3}])])
    committed(sink, [batch_of(sink, [{"id": 2, "v": "c"}], partition="q")])
    batch = _read(queue)
    told = [('{"id":1}', "insert"), ('{"id":2}', "insert"), ('{"id":2}', "update")]
    trial.equal("entries, of which the refused record has none", _told(batch), told)
    trial.equal("entries that wait", queue.waiting(), 3)


def _published(ground: Ground, trial: Trial) -> None:
    sink, queue = _prepared(ground, "outbox_published")
    records = [{"id": number, "v": "x"} for number in range(50)]
    committed(sink, [batch_of(sink, records)])
    batch = _read(queue)
    trial.true("entries are read", batch)
    if batch is None:
        return
    offsets = list(batch.offsets)
    trial.equal("entries, in the order of their changes", offsets, sorted(offsets))
    queue.mark(offsets[:30])
    rest = _read(queue)
    trial.equal("entries that are not published", rest and list(rest.offsets), offsets[30:])
    trial.equal("entries that were kept long enough", queue.prune(timedelta(seconds=-60)), 30)
    trial.equal("entries that wait", queue.waiting(), 20)


def _parts(ground: Ground, trial: Trial) -> None:
    """Two publishers share the entries, and a part belongs to one of them."""
    sink, queue = _prepared(ground, "outbox_parts")
    committed(sink, [batch_of(sink, [{"id": number, "v": "x"} for number in range(50)])])
    parts = [queue.read(number, 2, BatchLimits(), ())[0] for number in range(2)]
    offsets = [list(part.offsets) for part in parts if part is not None]
    trial.equal("entries of both", sum(map(len, offsets)), 50)
    trial.equal("entries that both have", len({n for part in offsets for n in part}), 50)
    trial.true("the first part is held", queue.hold(0, 2))
    leases.held_leases.clear()  # from now on as another process
    trial.true("another process does not get it", not queue.hold(0, 2))
    trial.true("another process gets the second part", queue.hold(1, 2))


CHECKS = (
    Check("outbox.changes", "each change leaves an entry, a refused record none", _changes),
    Check("outbox.published", "entries are read in order, marked once, and pruned", _published),
    Check("outbox.parts", "publishers share the entries, each part has one publisher", _parts),
)
