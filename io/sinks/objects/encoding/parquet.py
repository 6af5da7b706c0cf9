"""Records as a Parquet object: zstd, statistics, bounded row groups, the same bytes for the same input."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import IO, Any, Self

import pyarrow as pa
import pyarrow.parquet as pq

from sinks.objects.encoding.columns import Columns
from sinks.objects.encoding.dictionaries import repeating
from sinks.objects.encoding.encoded import Encoded
from sinks.objects.encoding.origins import Origins
from sinks.objects.encoding.rows import Refused, rows_of

GROUP_ROWS = 1 << 17
"""The most rows of a row group."""

GROUP_BYTES = 64 << 20
"""A row group is written as soon as its rows have so many bytes in memory."""

EXTENSION = ".parquet"


class ParquetObject:
    """A Parquet object that takes rows until it is closed; at most one row group is in memory.

    ``with`` gives it up if it cannot be finished; its file is then to be thrown away.

    Args:
        columns: Its columns.
        file: Where its bytes go; it stays open.
        metadata: Its key-value metadata, such as source and range.
    """

    def __init__(
        self, columns: Columns, file: IO[bytes], metadata: Mapping[str, str] | None = None
    ) -> None:
        self._columns = columns
        self._file = file
        self._metadata = dict(metadata or {})
        self._writer: Any = None
        self._waiting: list[Any] = []
        self._waiting_rows = self._waiting_bytes = 0
        self._rows = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None and self._writer is not None:
            self._writer.is_open = False  # or it tries to write its footer when it is collected

    def add(self, values: Sequence[Mapping[str, Any]], origins: Origins) -> Refused:
        """Add records; returns those that cannot be written."""
        if not values:
            return []
        rows = rows_of(self._columns, values, origins)
        self._waiting.append(rows.batch)
        self._waiting_rows += rows.batch.num_rows
        self._waiting_bytes += rows.batch.nbytes
        if self._waiting_rows >= GROUP_ROWS or self._waiting_bytes >= GROUP_BYTES:
            self._flush()
        return rows.refused

    def close(self) -> Encoded:
        """Write what is left, and the footer, unless there are no rows at all."""
        self._flush()
        if self._writer is None:
            return Encoded(0, 0)
        self._writer.add_key_value_metadata(self._metadata)
        self._writer.close()
        return Encoded(self._rows, self._file.tell())

    def _flush(self) -> None:
        """Write the rows that wait as a row group."""
        table = pa.Table.from_batches(self._waiting, self._columns.schema)
        self._waiting = []
        self._rows += table.num_rows
        self._waiting_rows = self._waiting_bytes = 0
        if not table.num_rows:
            return
        if self._writer is None:
            self._writer = pq.ParquetWriter(
                self._file,
                self._columns.schema,
                compression="zstd",
                use_dictionary=repeating(table),
                write_statistics=True,
            )
        self._writer.write_table(table, row_group_size=GROUP_ROWS)


def encode(
    columns: Columns,
    values: Sequence[Mapping[str, Any]],
    origins: Origins,
    file: IO[bytes],
    metadata: Mapping[str, str] | None = None,
) -> Encoded:
    """Write records as one Parquet object.

    Args:
        columns: The columns of the dataset.
        values: Parsed records.
        origins: Where each came from.
        file: Where the bytes go, from its beginning on.
        metadata: The object's key-value metadata.
    """
    with ParquetObject(columns, file, metadata) as target:
        refused = target.add(values, origins)
        encoded = target.close()
    return Encoded(encoded.rows, encoded.bytes, refused)
