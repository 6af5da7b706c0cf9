"""Parquet objects copied into one, a few thousand rows at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from sinks.objects.compaction.schemas import fitted
from sinks.objects.encoding.parquet import GROUP_BYTES, GROUP_ROWS

BATCH_ROWS = 8_192
BATCH_BYTES = 8 * 1024 * 1024
"""What is decoded at a time, as far as a footer tells."""


def schema_of(file: BinaryIO) -> tuple[pa.Schema, int]:
    """The schema and the number of rows that the footer of an object says.

    Raises:
        pyarrow.ArrowException: It is no Parquet file.
    """
    opened = pq.ParquetFile(file)
    return opened.schema_arrow, opened.metadata.num_rows


def merge(
    files: Iterable[BinaryIO], schema: pa.Schema, path: Path, metadata: Mapping[str, str]
) -> int:
    """Write the rows of ``files`` one after another to ``path``; returns how many there are.

    Args:
        files: Parquet objects. Each is asked for once the one before it is done.
        schema: Takes the rows of all of them (``schemas.unified``).
        path: The file to write.
        metadata: Its key-value metadata.

    Raises:
        pyarrow.ArrowException: An object cannot be read on.
        OSError: The file cannot be written.
    """
    rows = 0
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        waiting: list[pa.RecordBatch] = []
        size = count = 0
        for batch in _batches(files, schema):
            waiting.append(batch)
            size += batch.nbytes
            count += batch.num_rows
            if size >= GROUP_BYTES or count >= GROUP_ROWS:
                rows += _write(writer, waiting)
                waiting, size, count = [], 0, 0
        rows += _write(writer, waiting)
        writer.add_key_value_metadata(dict(metadata))
    return rows


def _batches(files: Iterable[BinaryIO], schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    for file in files:
        opened = pq.ParquetFile(file, pre_buffer=False)
        for batch in opened.iter_batches(batch_size=_batch_rows(opened.metadata)):
            yield fitted(batch, schema)


def _batch_rows(metadata: pq.FileMetaData) -> int:
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    largest = max((group.total_byte_size / max(1, group.num_rows) for group in groups), default=0)
    return max(1, min(BATCH_ROWS, int(BATCH_BYTES / max(1, largest))))


def _write(writer: pq.ParquetWriter, batches: list[pa.RecordBatch]) -> int:
    if not batches:
        return 0
    table = pa.Table.from_batches(batches)
    writer.write_table(table, row_group_size=max(1, table.num_rows))
    return table.num_rows
