"""Batches that a bundle writes, a few small transactions side by side."""

from __future__ import annotations

from collections.abc import Sequence

from sinks.sql import SqlSink
from transforms.batch.backoff import Backoff
from transforms.batch.record import RecordBatch
from transforms.settle.commit import WriteConfig
from transforms.settle.sink import Settled
from transforms.settle.write import WriteFn


def written(
    sink: SqlSink, batches: Sequence[RecordBatch], side_by_side: int, commit_records: int = 6
) -> list[Settled]:
    """What a bundle of small transactions settles."""
    config = WriteConfig(
        commit_records=commit_records, in_flight=side_by_side, backoff=Backoff(0.01, 0.01)
    )
    write = WriteFn(sink, config)
    write.setup()
    write.start_bundle()
    settled = []
    for batch in batches:
        settled += [each.value for each in write.process(batch, 0, None)]
    settled += [each.value for each in write.finish_bundle()]
    write.teardown()
    return [each for each in settled if isinstance(each, Settled)]
