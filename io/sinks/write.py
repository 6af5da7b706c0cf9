"""The last step of a pipeline: settle every batch in a SQL database."""

from __future__ import annotations

import apache_beam as beam

from sinks.sql import SqlSink
from sinks.table.config import SqlConfig
from transforms.settle.write import Write, WriteConfig


class WriteToSql(beam.PTransform):
    """Upsert every record by its key; failures and progress in the same transaction.

    Takes ``RecordBatch`` elements and returns, after their commit, the outputs ``settled``,
    ``dead`` and ``retry`` of ``transforms.settle.write.Write``, which also says what is raised.

    A write cannot see the steps before it. Give it a ``SqlSink`` with their labels (``pipeline``):
    records that fail are kept for that pipeline, otherwise for nobody until they are adopted.
    """

    def __init__(self, sink: SqlSink | SqlConfig, write: WriteConfig | None = None) -> None:
        super().__init__()
        self._sink = SqlSink(sink) if isinstance(sink, SqlConfig) else sink
        self._write = write

    def expand(self, batches: beam.PCollection) -> beam.pvalue.DoOutputsTuple:
        return batches | "Sql" >> Write(self._sink, self._write)
