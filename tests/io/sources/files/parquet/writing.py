"""Parquet files of single tables, and the values read of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from sources.files.source import FilesSource
from tests.io.sources.reading import failures
from transforms.batch.record import RecordBatch
from transforms.batch.splits import BatchLimits
from transforms.parse.parse import ParseConfig, parse


def written(path: Path, table: pa.Table, **options: Any) -> FilesSource:
    pq.write_table(table, path, **options)
    return FilesSource(str(path), limits=BatchLimits(records=3))


def values(batches: list[RecordBatch]) -> list[Any]:
    return [value for batch in batches for value in batch.values or ()]


def spelled(value: Any) -> Any:
    """The value with the types of all its parts: NaN equals itself, -0.0 is not 0.0."""
    if isinstance(value, dict):
        return [(spelled(key), spelled(each)) for key, each in value.items()]
    if isinstance(value, list):
        return [spelled(each) for each in value]
    return type(value), repr(value)


def replayed(batches: list[RecordBatch]) -> list[Any]:
    """What a retry makes of the bytes that were kept of the rows."""
    parsed = [parse(replace(batch, values=None), ParseConfig()) for batch in batches]
    assert len(failures(parsed)) == len(failures(batches))
    return values(parsed)
