"""Compares the rows that are read of a Parquet file with those of pyarrow."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pyarrow as pa
import pyarrow.parquet as pq

from sources.files.source import FilesSource
from tests.io.sources.reading import MemoryLedger, read_all
from transforms.batch.record import RecordBatch
from transforms.batch.splits import BatchLimits
from transforms.parse.typed_rows import map_of


def pyarrows_rows(path: Path) -> list[dict[str, Any]]:
    """What pyarrow reads of the row groups, in the types that a step sees."""
    file = pq.ParquetFile(path, coerce_int96_timestamp_unit="us")
    rows: list[dict[str, Any]] = []
    for group in range(file.metadata.num_row_groups):
        table = file.read_row_group(group, use_threads=False)
        columns = [as_a_step_sees_it(table.column(i)) for i in range(table.num_columns)]
        names = table.column_names
        if len(set(names)) < len(names):
            raise ValueError("a column is there twice, which no dict can hold")
        if not names:
            rows += [{} for _ in range(file.metadata.row_group(group).num_rows)]
        rows += [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]
    return rows


def as_a_step_sees_it(column: Any) -> list[Any]:
    """pyarrow's values of a column: UTC for zones, microseconds, text for UUIDs, dicts for maps."""
    return [shaped(plain(scalar), column.type) for scalar in column]


def plain(scalar: Any) -> Any:
    """pyarrow's value of a scalar, nanoseconds cut towards the earlier microsecond."""
    types: Any = pa.types
    kind = scalar.type
    if not scalar.is_valid:
        return None
    if types.is_map(kind):
        return [(plain(pair[0]), plain(pair[1])) for pair in scalar.values]
    if types.is_struct(kind):
        return {kind.field(i).name: plain(scalar[i]) for i in range(kind.num_fields)}
    if types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
        return [plain(each) for each in scalar.values]
    if types.is_temporal(kind) and getattr(kind, "unit", "") == "ns":
        cut: Any = pa.time64("us")
        if types.is_timestamp(kind):
            cut = pa.timestamp("us", kind.tz)
        elif types.is_duration(kind):
            cut = pa.duration("us")
        return pa.scalar(scalar.value // 1_000, pa.int64()).cast(cut).as_py()
    return scalar.as_py()


def shaped(value: Any, kind: Any) -> Any:
    """One value of pyarrow as a step sees it."""
    types = pa.types
    if value is None:
        return None
    if isinstance(kind, pa.UuidType):
        return str(value)
    if isinstance(kind, pa.BaseExtensionType):
        return shaped(value, kind.storage_type)
    if types.is_dictionary(kind):
        return shaped(value, kind.value_type)
    if types.is_map(kind):
        return map_of([(shaped(k, kind.key_type), shaped(v, kind.item_type)) for k, v in value])
    if types.is_struct(kind):
        fields = [kind.field(i) for i in range(kind.num_fields)]
        return {each.name: shaped(value[each.name], each.type) for each in fields}
    if isinstance(value, list):
        return [shaped(each, kind.value_type) for each in value]
    if isinstance(value, datetime) and value.tzinfo is not None:
        return value.astimezone(UTC)
    return value


def spelled(value: Any) -> Any:
    """The value in a form in which NaN equals itself, and 0.0, -0.0, 0 and False differ."""
    if isinstance(value, dict):
        return [(spelled(key), spelled(each)) for key, each in value.items()]
    if isinstance(value, list | tuple):
        return [spelled(each) for each in value]
    if isinstance(value, float) and math.isnan(value):
        return "NaN"
    spelt = (str, bytes, int, float, bool, Decimal, datetime, date, time, timedelta, UUID)
    if value is None or isinstance(value, spelt):
        return type(value).__name__, repr(value)
    return repr(value)


def rows_of(
    path: Path, records: int = 5_000, max_record_bytes: int = 64 << 20
) -> list[RecordBatch]:
    """The batches of all rows of a file."""
    limits = BatchLimits(records=records)
    source = FilesSource(
        str(path), format="parquet", limits=limits, max_record_bytes=max_record_bytes
    )
    return read_all(source, MemoryLedger())
