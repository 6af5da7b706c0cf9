"""The rows of decoded Avro records as columns, where all of them can surely be read and kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sources.files.avro.columns import converted, written_column
from sources.files.parquet.arrow_columns import ColumnValues
from sources.files.parquet.arrow_rows import rows_in
from transforms.parse.avro.shapes import Shape
from transforms.parse.columns.columnar import Columnar, Row
from transforms.parse.columns.kept_bytes import KeptBytes
from transforms.parse.json_text import encode_decimal_text
from transforms.parse.typed_rows import RowEncoder

FEWEST = 20
"""Of fewer records it does not pay."""

ESCAPED = 6
"""The most bytes of a byte of Avro in a kept row."""

_NUMBER = 60
"""The most bytes of a number, a date or a time in a kept row, with all that surrounds it."""

_NUMBERS = frozenset({"null", "boolean", "int", "long", "float", "double"})
_SIMPLE = frozenset({"float", "decimal", "timestamp", "date", "time", "duration", "bytes"})


def around(shapes: Mapping[str, Shape], encoder: RowEncoder) -> int | None:
    """The most bytes of a kept row beside ``ESCAPED`` for each byte of Avro; None if that has no bound."""
    sizes = [_around(shape.decoded) for shape in shapes.values()]
    if None in sizes:
        return None
    names = sum(ESCAPED * len(name) + 6 for name in shapes)
    return names + len(encoder.tail) + sum(size or 0 for size in sizes)


def _around(decoded: Any) -> int | None:
    if isinstance(decoded, list):
        return _total([_around(branch) for branch in decoded])
    if isinstance(decoded, str):
        return _NUMBER if decoded in _NUMBERS or decoded in ("string", "bytes") else None
    kind = decoded["type"]
    if kind == "enum":
        return ESCAPED * max(map(len, decoded["symbols"]), default=0) + _NUMBER
    if kind == "fixed" or not isinstance(kind, str):
        return _NUMBER if kind == "fixed" else _around(kind)
    if kind not in ("record", "error"):
        return _around(kind)
    fields = decoded["fields"]
    names = sum(ESCAPED * len(field["name"]) + 6 for field in fields)
    return _total([names, *(_around(field["type"]) for field in fields)])


def _total(sizes: Sequence[int | None]) -> int | None:
    return None if None in sizes else sum(size or 0 for size in sizes)


def columnar_of(
    records: Sequence[Mapping[str, Any]],
    shapes: Mapping[str, Shape],
    encoder: RowEncoder,
    size: int,
) -> tuple[Columnar, KeptBytes] | None:
    """The rows of decoded ``records``, and their bytes; None where they are looked at one by one.

    Args:
        records: As fastavro decodes them with the schema of the shapes.
        shapes: By the name of the column.
        encoder: That of the kinds of the shapes.
        size: About how many bytes they have.
    """
    if len(records) < FEWEST or not shapes:
        return None
    columns: dict[str, list[Any]] = {}
    for name, shape in shapes.items():
        values, unreadable = converted([record[name] for record in records], shape, None)
        if unreadable or not _can_be_kept(values, shape.kind):
            return None
        columns[name] = values
    names = tuple(columns)

    def rows() -> list[Row]:
        return [dict(zip(names, row, strict=True)) for row in zip(*columns.values(), strict=True)]

    def kept(low: int, high: int) -> list[bytes]:
        parts = [
            ColumnValues(values[low:high], written_column(values[low:high], shapes[name]))
            for name, values in columns.items()
        ]
        return rows_in(names, parts, high - low, encoder).raws

    row: Callable[[int], Row] = lambda index: {
        name: cells[index] for name, cells in columns.items()
    }
    return Columnar(columns, len(records), row, rows=rows), KeptBytes(len(records), size, kept)


def _can_be_kept(values: Sequence[Any], kind: Any) -> bool:
    """Whether a kept row can have each of ``values``: text may not be UTF-8."""
    if isinstance(kind, str) and kind in _SIMPLE:
        return True
    types = set(map(type, values))
    if types <= {int, bool, type(None)}:
        return True
    try:
        if types <= {str, type(None)}:
            "".join(value for value in values if value).encode()
        else:
            encode_decimal_text(values)
    except (TypeError, ValueError):
        return False
    return True
