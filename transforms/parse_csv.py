"""Read CSV rows into dicts of strings, as RFC 4180 says."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence

from transforms.errors import Reject
from transforms.raw import check_size, text_of
from transforms.record import Format


def parse(raw: bytes, max_bytes: int, format: Format) -> dict[str, str]:  # noqa: A002
    """The row in ``raw``, by column.

    Args:
        raw: UTF-8 text of one row, without the newline at its end.
        max_bytes: The longest ``raw`` that is read.
        format: The columns and the delimiter.

    Raises:
        Reject: ``too_large``, ``invalid_utf8``, ``malformed``, ``column_count`` or
            ``duplicate_column``.
    """
    check_size(raw, max_bytes)
    columns = format.columns
    if len(set(columns)) < len(columns):
        twice = next(name for name in columns if columns.count(name) > 1)
        raise Reject(f"the header names column {twice!r} twice", "duplicate_column")
    try:
        rows = list(_rows([text_of(raw)], max_bytes, format.delimiter))
    except csv.Error as error:
        raise Reject(f"CSV is malformed: {error}", "malformed") from error
    row = rows[0] if rows else []
    if len(row) != len(columns):
        raise Reject(f"expected {len(columns)} columns, got {len(row)}", "column_count")
    return dict(zip(columns, row, strict=True))


def parse_all(
    raws: Sequence[bytes],
    max_bytes: int,
    format: Format,  # noqa: A002
) -> list[dict[str, str]] | None:
    """The rows in ``raws``, or None when ``parse`` would reject any of them."""
    columns = format.columns
    if max(map(len, raws)) > max_bytes or len(set(columns)) < len(columns):
        return None
    try:
        rows = list(_rows(map(bytes.decode, raws), max_bytes, format.delimiter))
    except (csv.Error, UnicodeDecodeError):
        return None
    # An open quote swallows the next record: there are then fewer rows than records.
    if len(rows) != len(raws) or set(map(len, rows)) != {len(columns)}:
        return None
    return [dict(zip(columns, row, strict=True)) for row in rows]


def _rows(texts: Iterable[str], max_bytes: int, delimiter: str) -> Iterator[list[str]]:
    # The module's limit (131,072 by default) is one for the process; it is only ever raised.
    if csv.field_size_limit() < max_bytes:
        csv.field_size_limit(max_bytes)
    return csv.reader(texts, delimiter=delimiter, strict=True)
