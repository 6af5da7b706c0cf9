"""The footer of a Parquet object: what it says, as far as that can be."""

from __future__ import annotations

import logging
from typing import Any

import pyarrow.parquet as pq

from transforms.errors import ObjectFailed

_log = logging.getLogger(__name__)

_MOST_ROWS = 1 << 48
"""More rows than any object has; their numbers fit into the ledger."""


def read_footer(uri: str, source: Any) -> pq.FileMetaData:
    """The footer of the object in the file ``source``, checked.

    Raises:
        ObjectFailed: It contradicts itself.
        Exception: Whatever pyarrow raises for one that it cannot read.
    """
    metadata = pq.read_metadata(source)
    check_counts(uri, metadata)
    return metadata


def check_counts(uri: str, metadata: pq.FileMetaData) -> None:
    """Compare the footer's counts of rows: of the file, of row groups and of columns.

    Those of the row groups count. A different count of the file is a common defect of writers.

    Raises:
        ObjectFailed: A column of a row group cannot have as many rows as the row group, or
            the file has rows and no row group.
    """
    groups = [metadata.row_group(i) for i in range(metadata.num_row_groups)]
    total = sum(group.num_rows for group in groups)
    if metadata.num_rows and not groups:
        message = f"{uri} has no row group, but its footer says {metadata.num_rows:,} rows"
        raise ObjectFailed(message, "object_corrupt")
    if total > _MOST_ROWS:
        raise ObjectFailed(f"{uri} says that it has {total:,} rows", "object_corrupt")
    repeated = [
        metadata.schema.column(i).max_repetition_level > 0 for i in range(metadata.num_columns)
    ]
    for number, group in enumerate(groups):
        rows = group.num_rows
        for index, repeats in enumerate(repeated):
            count = group.column(index).num_values
            if count < rows or rows < 0 or (count > rows and not (repeats and rows)):
                path = metadata.schema.column(index).path
                raise ObjectFailed(
                    f"{uri}: row group {number} has {rows:,} rows, but its column {path!r} "
                    f"has {count:,} values",
                    "object_corrupt",
                )
    if metadata.num_rows != total:
        _log.warning(
            "%s: its footer says %d rows, its row groups have %d; those of the row groups are read",
            uri,
            metadata.num_rows,
            total,
        )


def int96_columns(file: pq.ParquetFile) -> frozenset[str]:
    """The columns that hold INT96 timestamps, at any depth."""
    columns = (file.schema.column(i) for i in range(len(file.schema)))
    paths = [f"{column.path}." for column in columns if column.physical_type == "INT96"]
    return frozenset(
        name for name in file.schema_arrow.names if any(p.startswith(f"{name}.") for p in paths)
    )
