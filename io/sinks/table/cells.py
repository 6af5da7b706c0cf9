"""CSV cells as the columns of the target table take them.

CSV has text only, so the column decides what a cell means. An empty cell without quotes is NULL
except in a text column, and JSON is read as JSON. PostgreSQL itself reads numbers, booleans and
dates from text and refuses any other text. Other databases may store any text, so numbers and
booleans are read here for them.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Literal

from sinks.table.target import Column, Target
from transforms.batch.record import Failure, RecordBatch
from transforms.errors import Reject
from transforms.parse.columns.columnar import Cells, Chunks, Columnar, Form, pieces
from transforms.parse.columns.json_columns import checked_texts
from transforms.parse.convert import column_types, number_of
from transforms.parse.csv.cells import quoted_fields
from transforms.parse.json_text import decode_json, decode_long

STAGE = "write"
_USUAL = 16  # digits
_SHOWN = 60  # characters of a cell in a message

Kind = Literal["text", "json", "number", "boolean", "typed", "any"]
"""What a column takes: the database judges ``any``, and ``typed`` except for empty text."""

_POSTGRES_TEXT = frozenset({"text", "varchar", "bpchar", "char", "name", "citext"})
_WORDS = {  # as PostgreSQL reads a boolean
    **dict.fromkeys(("true", "t", "yes", "y", "on", "1"), True),
    **dict.fromkeys(("false", "f", "no", "n", "off", "0"), False),
}


def with_typed_cells(
    target: Target,
    batch: RecordBatch,
    *,
    typed: bool,
    schema: str | None = None,
    written: Mapping[str, Form] | None = None,
) -> RecordBatch:
    """``batch`` with the text of its CSV cells as the table's columns take it.

    A record with a cell that its column cannot take becomes a failure. Values that are not text,
    and records that were not read from CSV, stay as they are.

    Args:
        target: The table.
        batch: Parsed records that are about to be written.
        typed: Whether the database reads text as a column's type and refuses what does not fit.
        schema: The JSON Schema that the records have been checked against, if any. Where it
            allows a string, a cell of a JSON column is a string.
        written: By type, how the database takes JSON as it is written.
    """
    if batch.format.name != "csv" or not batch.values:
        return batch
    columnar = batch.values if isinstance(batch.values, Columnar) else None
    as_written: dict[str, Sequence[Any]] = {}
    changes: dict[int, dict[str, Any]] = {}
    refused: dict[int, Reject] = {}
    strings = _strings(schema, tuple(column.name for column in target.columns))
    for column in _columns(target):
        kind = _kind(column.type, postgres=typed)
        if kind == "text" or (kind == "json" and column.name in strings):
            continue
        if columnar is not None and (written or {}).get(column.type) == "json":
            texts = _json_texts(columnar, column.name)
            if texts is not None:
                as_written[column.name] = texts
                continue
        for index in _candidates(batch.values, column.name, kind):
            try:
                cell = _typed(batch, index, column.name, kind)
            except Reject as reason:
                refused.setdefault(index, reason)
            else:
                changes.setdefault(index, {})[column.name] = cell
    if columnar is not None and (as_written or changes or refused):
        types = {column.name: column.type for column in target.columns}
        return _changed_columns(batch, columnar, changes, refused, as_written, types)
    return _changed(batch, changes, refused) if changes or refused else batch


def _json_texts(values: Columnar, name: str) -> Sequence[Any] | None:
    """The cells of a column as texts of JSON; None if they are to be looked at one by one."""
    cells = values.columns.get(name)
    if not cells:
        return None
    texts: list[Sequence[Any]] = []
    changed = False
    for (piece,) in pieces([cells], len(cells)):
        checked = checked_texts(piece)
        if checked is None:
            return None
        changed = changed or checked is not piece
        texts.append(checked)
    return Chunks(texts) if changed else cells


def _changed_columns(
    batch: RecordBatch,
    values: Columnar,
    changes: Mapping[int, Mapping[str, Any]],
    refused: Mapping[int, Reject],
    as_written: Mapping[str, Sequence[Any]],
    types: Mapping[str, str],
) -> RecordBatch:
    """``batch`` with other cells, as columns; without the records that are refused."""
    columns = {**values.columns, **as_written}
    changed: defaultdict[str, dict[int, Any]] = defaultdict(dict)
    for index, of_record in changes.items():
        for name, cell in of_record.items():
            changed[name][index] = cell
    for name, of_column in changed.items():
        columns[name] = _with(columns[name], of_column)

    def row(index: int) -> Mapping[str, Any]:
        decoded = {
            name: None if texts[index] is None else decode_json(texts[index])
            for name, texts in as_written.items()
        }
        return {**values[index], **changes.get(index, {}), **decoded}

    written = {name: types[name] for name in as_written}
    typed = Columnar(columns, len(values), row, written, frozenset(as_written))
    if not refused:
        return batch.with_values(typed)
    good = [index for index in range(len(values)) if index not in refused]
    failures = _failures(batch, refused)
    return batch.keep(good, typed.picked(good), failures)


def _with(cells: Sequence[Any], changed: Mapping[int, Any]) -> Sequence[Any]:
    """``cells``, of which some are others."""
    if isinstance(cells, Cells) and all(cell is None for cell in changed.values()):
        return cells.without(list(changed))
    own = list(cells)
    for index, cell in changed.items():
        own[index] = cell
    return own


def _columns(target: Target) -> Sequence[Column]:
    """The columns that take one field each."""
    if target.whole_payload:
        return [column for column in target.columns if column.name in _fields_of_key(target)]
    if target.origin_key:
        return [column for column in target.columns if column.name not in target.key]
    return target.columns


def _fields_of_key(target: Target) -> Sequence[str]:
    return () if target.origin_key else target.key


def _candidates(values: Sequence[Mapping[str, Any]], name: str, kind: Kind) -> Sequence[int]:
    """The records whose cell in a column needs a closer look."""
    if isinstance(values, Columnar):
        cells = values.columns.get(name, ())
    else:
        cells = [value.get(name) for value in values]
    if kind in ("typed", "any"):
        if isinstance(cells, Cells):
            return cells.positions_of("")
        return [i for i, cell in enumerate(cells) if cell == ""] if "" in cells else ()
    if kind == "number":
        return [i for i, cell in enumerate(cells) if isinstance(cell, str) and not _is_usual(cell)]
    return [i for i, cell in enumerate(cells) if isinstance(cell, str)]


def _is_usual(text: str) -> bool:
    """Whether every database reads ``text`` as the same number."""
    return len(text) < _USUAL and text.isdecimal() and text.isascii()


def _typed(batch: RecordBatch, index: int, name: str, kind: Kind) -> Any:
    """One cell as its column takes it.

    Raises:
        Reject: It cannot.
    """
    assert batch.values is not None  # noqa: S101 - the caller has them
    values = batch.values
    text = values.columns[name][index] if isinstance(values, Columnar) else values[index][name]
    if not text:
        if name not in quoted_fields(batch, index):
            return None
        if kind == "any":
            return text  # for the database to judge
        if kind == "typed":
            raise Reject(
                f"column {name}: empty text in quotes is not a value of its type; "
                "without quotes it is NULL",
                "data",
            )
    if kind == "json":
        return _json(name, text)
    read = text.strip()
    value = number_of(read) if kind == "number" else _WORDS.get(read.lower())
    if value is None:
        raise Reject(
            f"column {name}: {_shown(text)} is not a {kind}; "
            "text that stands for NULL is named by --csv_null",
            "data",
        )
    return value


def _json(name: str, text: str) -> Any:
    try:
        try:
            return decode_json(text)
        except ValueError:
            return decode_long(text)
    except (ValueError, ArithmeticError, RecursionError) as error:
        raise Reject(f"column {name}: {_shown(text)} is not JSON: {error}", "data") from error


def _shown(text: str) -> str:
    return repr(text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…")


def _changed(
    batch: RecordBatch,
    changes: Mapping[int, Mapping[str, Any]],
    refused: Mapping[int, Reject],
) -> RecordBatch:
    assert batch.values is not None  # noqa: S101 - the caller has them
    values = list(batch.values)
    for index, cells in changes.items():
        values[index] = {**values[index], **cells}
    failures = _failures(batch, refused)
    good = [index for index in range(len(values)) if index not in refused]
    return batch.keep(good, [values[index] for index in good], failures)


def _failures(batch: RecordBatch, refused: Mapping[int, Reject]) -> list[Failure]:
    return [
        Failure.of(batch.record(index), STAGE, reason.category, reason)
        for index, reason in sorted(refused.items())
    ]


@lru_cache(maxsize=64)
def _strings(schema: str | None, columns: tuple[str, ...]) -> frozenset[str]:
    """The columns in which ``schema`` allows a string."""
    if schema is None or not isinstance(json.loads(schema), dict):
        return frozenset()
    return frozenset(name for name, types in column_types(schema, columns) if "string" in types)


@lru_cache(maxsize=1_000)
def _kind(type_name: str, *, postgres: bool) -> Kind:
    """What a column takes, by the database's name of its type in lower case."""
    if type_name.startswith("json"):
        return "json"
    if postgres:
        return "text" if type_name in _POSTGRES_TEXT else "any"
    name = re.sub(r"[(\[].*", "", type_name).strip()
    if not name:
        return "any"
    for part, kind in _PARTS:
        if part in name:
            return kind
    return "typed"


# In the order of SQLite's own rules (sqlite.org/datatype3.html, 3.1), as far as they apply.
_PARTS: tuple[tuple[str, Kind], ...] = (
    ("bool", "boolean"),
    ("interval", "typed"),
    ("point", "typed"),
    ("blob", "any"),
    ("int", "number"),
    ("char", "text"),
    ("clob", "text"),
    ("text", "text"),
    ("string", "text"),
    ("real", "number"),
    ("floa", "number"),
    ("doub", "number"),
    ("dec", "number"),
    ("num", "number"),
)
