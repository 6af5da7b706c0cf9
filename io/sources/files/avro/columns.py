"""The columns of decoded Avro records, as the values and the written forms of rows."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sources.files.parquet.arrow_columns import ColumnValues
from sources.files.parquet.arrow_rows import Rows, rows_in
from transforms.parse.avro.shapes import Shape
from transforms.parse.typed_rows import RowEncoder, Unreadable, written

DEEPEST = 100
"""A value of a type that contains itself may be nested this deep."""

_REASONS = (ValueError, TypeError, ArithmeticError, LookupError, RecursionError)


def rows_of(
    records: Sequence[Mapping[str, Any]],
    shapes: Mapping[str, Shape],
    encoder: RowEncoder,
    *,
    recursive: bool,
) -> Rows:
    """The rows of decoded ``records``, whose columns have ``shapes``.

    Args:
        records: As fastavro decodes them with the schema of the shapes.
        shapes: By the name of the column.
        encoder: That of the kinds of the shapes.
        recursive: Whether a type contains itself.
    """
    names = list(shapes)
    stored = [[record[name] for record in records] for name in names]
    if not recursive:
        columns = [_values(*pair, None) for pair in zip(stored, shapes.values(), strict=True)]
        rows = rows_in(names, columns, len(records), encoder)
        if not rows.faults:
            return rows
    # Something cannot be read, or may be nested too deep: look at every value.
    columns = [_values(*pair, _check) for pair in zip(stored, shapes.values(), strict=True)]
    return rows_in(names, columns, len(records), encoder)


def written_of(stored: Any, shape: Shape) -> Any:
    """A decoded value as JSON takes it, or an ``Unreadable``."""
    column = _values([stored], shape, _check)
    return column.unreadable.get(0, column.written[0])


def _values(stored: list[Any], shape: Shape, check: Callable[[Any], None] | None) -> ColumnValues:
    values, unreadable = converted(stored, shape, check)
    return ColumnValues(values, written_column(values, shape), unreadable)


def converted(
    stored: list[Any], shape: Shape, check: Callable[[Any], None] | None
) -> tuple[list[Any], dict[int, Unreadable]]:
    """The values of a column, and those that cannot be read; ``check`` raises for one of them."""
    values: list[Any] = stored
    unreadable: dict[int, Unreadable] = {}
    convert = shape.convert
    if check is not None:
        values, unreadable = _one_by_one(stored, shape, check)
    elif convert is not None:
        try:
            values = [None if value is None else convert(value) for value in stored]
        except _REASONS:
            values, unreadable = _one_by_one(stored, shape, _check)
    return values, unreadable


def written_column(values: list[Any], shape: Shape) -> list[Any]:
    """``values`` as JSON takes them; the same list where it takes all of them."""
    kind = shape.kind
    if kind is None or (isinstance(kind, str) and kind not in ("float", "any")):
        return values
    if kind == "float" and math.isfinite(sum(filter(None, _bounded(values)))):
        return values
    return [written(kind, value) for value in values]


def _bounded(values: list[Any]) -> list[Any]:
    """``values`` so that their sum is finite exactly if each of them is."""
    return [value and value * 1e-300 for value in values]


def _one_by_one(
    stored: list[Any], shape: Shape, check: Callable[[Any], None]
) -> tuple[list[Any], dict[int, Unreadable]]:
    values: list[Any] = []
    unreadable: dict[int, Unreadable] = {}
    for index, value in enumerate(stored):
        try:
            check(value)
            values.append(value if value is None or shape.convert is None else shape.convert(value))
        except _REASONS as error:
            values.append(None)
            name = str(shape.kind or "string")
            unreadable[index] = Unreadable(name, str(error), evidence(value))
    return values, unreadable


def _check(value: Any, depth: int = 1) -> None:
    """Refuse text that is not UTF-8, and values that are nested too deep.

    Raises:
        ValueError: It says what is wrong.
    """
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError:
            raise ValueError("the text is not UTF-8") from None
    elif isinstance(value, dict | list):
        if depth > DEEPEST:
            raise ValueError(f"nested deeper than {DEEPEST} levels")
        for part in value if isinstance(value, list) else (*value, *value.values()):
            _check(part, depth + 1)


def evidence(value: Any, depth: int = 1) -> Any:
    """A value as it is stored, as JSON: numbers, text, and ``{"hex": …}`` for bytes."""
    if isinstance(value, str):
        stored = value.encode("utf-8", "surrogateescape")
        return {"hex": stored.hex()} if "\ufffd" in stored.decode("utf-8", "replace") else value
    if isinstance(value, bytes):
        return {"hex": value.hex()}
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if depth > DEEPEST:
        return "…"
    if isinstance(value, list):
        return [evidence(part, depth + 1) for part in value]
    if isinstance(value, dict):
        return [[evidence(name), evidence(part, depth + 1)] for name, part in value.items()]
    return value
