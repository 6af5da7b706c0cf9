"""The keys of rows as PostgreSQL compares them, as far as that can be told cheaply."""

from __future__ import annotations

import re
from collections.abc import Hashable, Sequence
from typing import Any

from sinks.table.rows import Rows
from sinks.table.target import Column, Target
from sinks.table.turns import Dependency, parents_after, repeats_of
from sinks.text.copy_text import Encoder, encoder_of
from transforms.parse.columns.columnar import Cells

_SPELLINGS = {
    "uuid": re.compile(r"(?:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\n)*"),
    **dict.fromkeys(("int2", "int4", "int8"), re.compile(r"(?:(?:0|-?[1-9][0-9]*)\n)*")),
}
"""The usual spelling of values of these types, one per line: there, equal values are equal texts."""


def keys_of(target: Target, rows: Rows) -> Sequence[Hashable]:
    """The key of each row: keys that are equal here are equal to the database.

    The opposite is known only where ``spelt_alike`` says so.
    """
    return _tuples(target, rows, target.key)


def spelt_alike(target: Target, keys: Sequence[Hashable]) -> bool:
    """Whether different ``keys`` are also different to the database."""
    columns = {column.name: column for column in target.columns}
    several = len(target.key) > 1
    return all(
        _spelt_alike(columns[name], [key[i] for key in keys] if several else keys)  # type: ignore[index]
        for i, name in enumerate(target.key)
    )


def are_distinct(target: Target, rows: Rows) -> bool:
    """Whether the keys of all rows are surely different to the database, as far as Arrow tells."""
    columns = {column.name: column for column in target.columns}
    for name in target.key:
        column = columns.get(name)
        if column is None or not column.one_spelling or name in rows.origin or rows.columns is None:
            continue
        cells = rows.columns.get(name)
        if isinstance(cells, Cells):
            from sinks.text import arrow_keys  # with pyarrow, which most runs do not need

            numbers = arrow_keys.numbers_of(column.type, cells)
            if numbers is not None and arrow_keys.are_distinct(numbers):
                return True
    return False


def dependencies_of(target: Target, rows: Rows, keys: Sequence[Hashable]) -> list[Dependency]:
    """Which rows must be written after others: those with the same key, and parents of others."""
    dependencies = list(repeats_of(keys))
    for own, other in target.interplay.self_references:
        dependencies += parents_after(_tuples(target, rows, other), _needed(target, rows, own))
    return dependencies


def _tuples(target: Target, rows: Rows, names: Sequence[str]) -> Sequence[Hashable]:
    kinds = {column.name: column.type for column in target.columns}
    columns = [_cells(kinds.get(name, "text"), rows.cells(name)) for name in names]
    if target.on_conflict.mode != "ignore":  # with ignore, the database finds all equal keys itself
        columns = [
            list(map(_lower, cells)) if kinds.get(name) == "uuid" else cells
            for name, cells in zip(names, columns, strict=True)
        ]
    return columns[0] if len(columns) == 1 else list(zip(*columns, strict=True))


def _needed(target: Target, rows: Rows, names: Sequence[str]) -> list[Hashable | None]:
    """What each row refers to; None if one of the cells is NULL."""
    null = [
        any(cell is None for cell in cells)
        for cells in zip(*(rows.cells(name) for name in names), strict=True)
    ]
    texts = _tuples(target, rows, names)
    return [None if none else text for none, text in zip(null, texts, strict=True)]


def _cells(kind: str, cells: Sequence[Any]) -> Sequence[Hashable]:
    encoder = encoder_of(kind)
    if isinstance(cells, Cells):
        cells = list(cells)  # as encoders take them
    try:
        return encoder(cells)
    except (ValueError, TypeError, ArithmeticError):
        # A value that cannot be encoded equals no other; its row is set aside later.
        return [_encoded_or_unique(encoder, cell) for cell in cells]


def _lower(text: Hashable) -> Hashable:
    return text.lower() if isinstance(text, str) else text


def _encoded_or_unique(encoder: Encoder, cell: Any) -> Hashable:
    try:
        return encoder([cell])[0]
    except (ValueError, TypeError, ArithmeticError):
        return object()


def _spelt_alike(column: Column, texts: Sequence[Any]) -> bool:
    if not column.one_spelling:
        return False
    usual = _SPELLINGS.get(column.type)
    if usual is None:
        return True
    lines = "".join(f"{text}\n" for text in texts if isinstance(text, str))
    return usual.fullmatch(lines) is not None
