"""The footer of a Parquet object: what it says, as far as that can be.

pyarrow reads it too, but it ends the process where the columns of a row group contradict themselves,
and does not say where a column's pages begin without that risk.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from sources.files.parquet.paged_file import Chunk
from sources.files.parquet.thrift import list_bytes, read_struct, struct_bytes, varint_bytes
from sources.storage.objects import PinnedObject, Storage, StoredObject
from transforms.errors import ObjectFailed, ObjectUnavailable

_log = logging.getLogger(__name__)

_TAIL_BYTES = 64 << 10
_MOST_BYTES = 64 << 20
_CODECS = dict(
    enumerate(["UNCOMPRESSED", "SNAPPY", "GZIP", "LZO", "BROTLI", "LZ4", "ZSTD", "LZ4_RAW"])
)
MOST_LOOKED_AT = 20
"""How many objects are looked at; the rows of others that differ are judged one by one."""

_UNREADABLE = (ObjectFailed, ObjectUnavailable, pa.ArrowException, OSError, ValueError)
_MOST_ROWS = 1 << 48
"""More rows than any object has; their numbers fit into the ledger."""


@dataclass(frozen=True, slots=True)
class RowGroup:
    """What the footer says of a row group.

    Attributes:
        rows: How many it has.
        size: Its bytes without compression.
        chunks: Its columns.
    """

    rows: int
    size: int
    chunks: tuple[Chunk, ...]


@dataclass(frozen=True, slots=True)
class Footer:
    """The footer of an object.

    Attributes:
        metadata: As pyarrow reads it. Never ask it for the columns of a row group: where these
            contradict themselves, pyarrow ends the process.
        groups: The row groups.
    """

    metadata: pq.FileMetaData
    groups: tuple[RowGroup, ...]


def read_footer(uri: str, pinned: PinnedObject, size: int) -> Footer:
    """The footer of an object of ``size`` bytes, checked.

    Raises:
        ObjectFailed: It contradicts itself, or there is none.
        SourceUnavailable: The storage cannot be reached.
        Exception: Whatever pyarrow raises for one that it cannot read.
    """
    tail = _bytes(pinned, max(0, size - _TAIL_BYTES), size)
    if len(tail) < 12 or tail[-4:] not in (b"PAR1", b"PARE"):
        raise ObjectFailed(f"{uri} has no footer of Parquet at its end", "object_corrupt")
    length = int.from_bytes(tail[-8:-4], "little") + 8
    if length > min(size, _MOST_BYTES):
        raise ObjectFailed(f"{uri} says that its footer has {length:,} bytes", "object_corrupt")
    if length > len(tail):
        tail = _bytes(pinned, size - length, size - len(tail)) + tail
    tail = tail[-length:]
    metadata = pq.read_metadata(pa.BufferReader(tail))
    try:
        fields, _ = read_struct(tail)
        if any(1 not in each and not each.get(5) for each in fields[2]):
            metadata = pq.read_metadata(pa.BufferReader(without_empty_groups(tail, fields[2])))
        groups = tuple(map(_group, fields.get(4, ())))
    except (LookupError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise ObjectFailed(f"{uri} has a damaged footer: {error}", "object_corrupt") from error
    check_counts(uri, metadata, groups)
    return Footer(metadata, groups)


def _bytes(pinned: PinnedObject, start: int, end: int) -> bytes:
    parts = []
    while start < end:
        part = pinned.read_at(start, min(end - start, pinned.block_bytes))
        if not part:
            break
        parts.append(part)
        start += len(part)
    return b"".join(parts)


def without_empty_groups(footer: bytes, elements: Sequence[dict[int, Any]]) -> bytes:
    """A footer whose schema has no groups without fields: pyarrow refuses them beside fields.

    Args:
        footer: With its length and the mark that follow it.
        elements: Its schema, each group before its fields.

    Raises:
        ValueError, IndexError: The schema is damaged.
    """
    at = 1  # the version stands first, a number
    while footer[at] & 0x80:
        at += 1
    start = at = at + 2  # of the list of elements
    if footer[at] >> 4 == 15:
        at += len(varint_bytes(len(elements)))
    at += 1
    spans = []
    for _ in elements:
        _, end = read_struct(footer, at)
        spans.append(footer[at:end])
        at = end
    _, kept = _with_fields(elements, spans, 0)
    changed = footer[:start] + list_bytes(kept) + footer[at:-8]
    return changed + len(changed).to_bytes(4, "little") + footer[-4:]


def _with_fields(
    elements: Sequence[dict[int, Any]], spans: Sequence[bytes], index: int
) -> tuple[int, list[bytes]]:
    """What follows an element and all within it, and those of these that have fields."""
    element, after = elements[index], index + 1
    if 1 in element:
        return after, [spans[index]]
    kept: list[bytes] = []
    fields = 0
    for _ in range(element.get(5, 0)):
        after, inner = _with_fields(elements, spans, after)
        kept += inner
        fields += bool(inner)
    if not fields and index:
        return after, []
    return after, [struct_bytes({**element, 5: fields}), *kept]


def _group(fields: dict[int, Any]) -> RowGroup:
    rows = fields[3]
    chunks = (_chunk(i, each[3], rows) for i, each in enumerate(fields[1]))
    return RowGroup(rows, max(0, fields.get(2, 0)), tuple(chunks))


def _chunk(column: int, fields: dict[int, Any], rows: int) -> Chunk:
    start, dictionary = fields[9], fields.get(11)
    if dictionary is not None and 0 < dictionary < start:
        start = dictionary
    values = fields[5]
    return Chunk(
        column,
        ".".join(part.decode("utf-8", "replace") for part in fields[3]),
        start,
        # Old writers left the dictionary's header out; pyarrow reads as far beyond the end.
        start + max(0, fields[7]) + 100,
        _CODECS.get(fields[4], "unknown"),
        values,
        values / max(1, rows),
    )


def check_counts(uri: str, metadata: pq.FileMetaData, groups: Sequence[RowGroup]) -> None:
    """Compare the footer's counts of rows: of the file, of row groups and of columns.

    Those of the row groups count. A different count of the file is a common defect of writers.

    Raises:
        ObjectFailed: A column of a row group cannot have as many rows as the row group, or
            the file has rows and no row group.
    """
    total = sum(group.rows for group in groups)
    if metadata.num_rows and not groups:
        message = f"{uri} has no row group, but its footer says {metadata.num_rows:,} rows"
        raise ObjectFailed(message, "object_corrupt")
    if total > _MOST_ROWS:
        raise ObjectFailed(f"{uri} says that it has {total:,} rows", "object_corrupt")
    columns = [metadata.schema.column(i) for i in range(metadata.num_columns)]
    repeated = [column.max_repetition_level > 0 for column in columns]
    for number, group in enumerate(groups):
        rows = group.rows
        if len(group.chunks) != len(columns):
            message = f"{uri}: row group {number} has {len(group.chunks)} of {len(columns)} columns"
            raise ObjectFailed(message, "object_corrupt")
        for chunk, repeats in zip(group.chunks, repeated, strict=True):
            count = chunk.values
            if count < rows or rows < 0 or (count > rows and not (repeats and rows)):
                raise ObjectFailed(
                    f"{uri}: row group {number} has {rows:,} rows, but its column {chunk.path!r} "
                    f"has {count:,} values",
                    "object_corrupt",
                )
    if metadata.num_rows != total:
        _log.warning(
            "%s: its footer says %d rows, its row groups have %d; those of the row groups are read",
            *(uri, metadata.num_rows, total),
            extra={"source": uri},
        )


def int96_columns(file: pq.ParquetFile) -> frozenset[str]:
    """The columns that hold INT96 timestamps, at any depth."""
    columns = (file.schema.column(i) for i in range(len(file.schema)))
    paths = [f"{column.path}." for column in columns if column.physical_type == "INT96"]
    return frozenset(
        name for name in file.schema_arrow.names if any(p.startswith(f"{name}.") for p in paths)
    )


def shared_schema(storage: Storage, objects: Iterable[StoredObject]) -> Any | None:
    """Arrow's schema (``pa.Schema``) of the first objects, or None if they do not share one.

    Objects that cannot be read are passed over: the run says what is wrong with them.

    Raises:
        SourceUnavailable: The storage cannot be reached.
    """
    shared: Any | None = None
    for stored in islice(objects, MOST_LOOKED_AT):
        try:
            schema = _schema(storage, stored)
        except _UNREADABLE:
            continue
        if shared is not None and not schema.equals(shared):
            return None
        shared = schema
    return shared


def _schema(storage: Storage, stored: StoredObject) -> Any:
    pinned = storage.open(stored.uri, stored.version)
    try:
        metadata = read_footer(stored.uri, pinned, stored.size).metadata
    finally:
        pinned.close()
    schema: Any = metadata.schema.to_arrow_schema().remove_metadata()
    names = schema.names
    if len(set(names)) < len(names):
        raise ObjectFailed(f"{stored.uri} has a column twice", "object_corrupt")
    return pa.schema([field.remove_metadata() for field in schema])
