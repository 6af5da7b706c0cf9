"""Change events as a topic has them, and the batches and commits that they end in."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from sinks.jobs.queue import SqlJobQueue
from sinks.sql import SqlSink
from tests.io.sinks.tested_database import Database
from transforms.batch.backoff import Backoff
from transforms.batch.record import JSON, Failure, RecordBatch, Span
from transforms.batch.retry_policy import RetryPolicy
from transforms.batch.splits import BatchLimits
from transforms.envelope.config import UnwrapConfig
from transforms.envelope.unwrap import Unwrapper
from transforms.errors import Contention
from transforms.parse.parse import ParseConfig, parse
from transforms.settle.sink import Settled
from transforms.steps.pipeline_identity import PipelineIdentity

TABLE = "CREATE TABLE events (id integer PRIMARY KEY, n bigint, gone boolean)"
PIPELINE = PipelineIdentity("changes", ())
TOPIC = "kafka://changes"

Message = tuple[Mapping[str, Any] | None, Mapping[str, Any]]
"""A value, None for a tombstone, and a key."""


def event(op: str, id_: int, lsn: int | None = None, **more: Any) -> Message:
    """A change of the row ``id_``; ``n`` is its position."""
    row = {"id": id_, "n": lsn, **more}
    sides = {"before": {"id": id_}, "after": None} if op == "d" else {"before": None, "after": row}
    source = {"connector": "postgresql", "lsn": lsn}
    return {**sides, "op": op, "source": source}, {"id": id_}


def tombstone(id_: int) -> Message:
    """What follows a delete on a compacted topic."""
    return None, {"id": id_}


def read(messages: Sequence[Message], start: int = 0, partition: str = "0") -> RecordBatch:
    """Messages as they come from a partition, from the offset ``start`` on."""
    raws = [b"" if value is None else json.dumps(value).encode() for value, _ in messages]
    return RecordBatch(
        Span(TOPIC, partition, start, start + len(raws)),
        JSON,
        list(range(start, start + len(raws))),
        raws,
        keys=[json.dumps(key).encode() for _, key in messages],
    )


def unwrapped(batch: RecordBatch, on_delete: Any = "delete") -> RecordBatch:
    """``batch`` as it comes to the write."""
    config = UnwrapConfig("debezium", on_delete, key=("id",))
    return Unwrapper(config).unwrapped(parse(batch, ParseConfig(tombstones=True)))


def batch_of(*messages: Message, start: int = 0, partition: str = "0") -> RecordBatch:
    """What comes to the write of ``messages``."""
    return unwrapped(read(messages, start, partition))


def put_off(batch: RecordBatch, indices: Sequence[int]) -> RecordBatch:
    """``batch`` in which a service was not ready for the records at ``indices``."""
    error = OSError("not ready")
    failures = [
        Failure.of(batch.record(index), "step", "retry_later", error, transient=True)
        for index in indices
    ]
    good = [index for index in range(len(batch.raws)) if index not in indices]
    return batch.keep(good, [(batch.values or ())[index] for index in good], failures)


def sink_of(database: Database, **options: Any) -> SqlSink:
    """A sink whose failed records are due again at once."""
    wanted = {"key": ["id"], "on_conflict": "newest:@position", "on_delete": "delete", **options}
    sink = database.sink(**wanted)
    retry = RetryPolicy(Backoff(1e-6, 1e-6), 100)
    sink = replace(sink, pipeline=PIPELINE, retry=retry)
    sink.prepare()
    return sink


def committed(sink: SqlSink, *batches: RecordBatch) -> list[Settled]:
    """Commit as the write does, which begins again when the database asks for that."""
    while True:
        try:
            return sink.commit(batches)
        except Contention:
            continue


def queue_of(sink: SqlSink) -> SqlJobQueue:
    """The failed records of ``sink``."""
    return SqlJobQueue(sink.config, pipeline=PIPELINE)


def retried(sink: SqlSink, lease: str = "") -> int:
    """Try the failed records that are due, under ``lease``; returns how many there were."""
    queue = queue_of(sink)
    batches = queue.claim(lease or queue.lease(), BatchLimits(records=3))
    for batch in batches:
        committed(sink, unwrapped(batch))
    return sum(batch.read for batch in batches)
