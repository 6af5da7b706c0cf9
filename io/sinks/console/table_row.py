"""The row that the target table has now for the key of a failed record, where that can be told."""

from __future__ import annotations

import csv
import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import sqlalchemy as sa

from sinks.database.database import Database
from sinks.database.engine import transaction
from sinks.database.label import is_table
from sinks.database.tables import jobs
from sinks.jobs.store import failure_of, hidden_of
from sinks.ledger.hidden_fields import HiddenFields
from sinks.table.target import ELEMENT_COLUMNS
from sinks.text.binary_types import ByteText
from transforms.batch.record import Failure
from transforms.errors import ConfigError, SinkFailed
from transforms.parse.csv.columns import names_of
from transforms.parse.csv.rows import rows_of
from transforms.parse.hidden.masking import Masker, Number, Pairs, parsed
from transforms.parse.hidden.paths import EVERYTHING, folded, in_record
from transforms.parse.hidden.values import MASK, without_values
from transforms.parse.typed_rows import TYPED
from transforms.route.table_name import TableName

LARGEST = 1 << 20
"""Longer records are not read for their key."""

CELL = 1_000
"""How many characters of a cell are shown."""

COLUMNS = 200
"""How many columns are shown."""

_INTEGER = re.compile(r"-?[0-9]{1,19}")
_UNREADABLE = (ValueError, LookupError, RecursionError, ArithmeticError, csv.Error)


@dataclass(frozen=True, slots=True)
class Cell:
    """A column of the row.

    Attributes:
        name: Its name.
        text: Its value; None stands for NULL.
        is_key: Whether it belongs to the primary key.
    """

    name: str
    text: str | None
    is_key: bool


@dataclass(frozen=True, slots=True)
class TableRow:
    """What the table has.

    Attributes:
        cells: The row; empty if there is none, or if nobody can tell.
        reason: Why there are no cells.
        note: What makes the answer doubtful; empty if nothing does.
    """

    cells: tuple[Cell, ...] = ()
    reason: str = ""
    note: str = ""


class _Untold(Exception):
    """It cannot be told which row it is."""


def table_row(database: Database, number: int) -> TableRow:
    """The row with the key of the record of a job. Hidden values are masked.

    Raises:
        SinkUnavailable: The database cannot be reached.
    """
    try:
        with transaction(database, "read a row of the table", write=False) as connection:
            row = connection.execute(
                sa.select(jobs).where(jobs.c.id == number, sa.func.length(jobs.c.raw) <= LARGEST)
            ).one_or_none()
            if row is None:
                return TableRow(reason="the record is gone, or too long to be read for its key")
            return _found(connection, row)
    except _Untold as reason:
        return TableRow(reason=str(reason))
    except SinkFailed as error:
        return TableRow(reason=f"the table cannot be read: {error}")


def _found(connection: sa.Connection, job: Any) -> TableRow:
    if not is_table(job.target):
        raise _Untold("the record was not meant for a table")
    table = _reflected(connection, job.target)
    key = [column.name for column in table.primary_key.columns]
    if not key:
        raise _Untold("the table has no primary key")
    hidden = hidden_of(connection, [job])(job)
    if hidden.paths and (job.mapped or EVERYTHING in hidden.paths):
        raise _Untold("a mapping hides fields, and nobody can tell into which columns they went")
    of_origin = set(key) <= set(ELEMENT_COLUMNS)
    if job.mapped and not of_origin:
        raise _Untold("a mapping makes the row, so that the record does not tell its key")
    failure = failure_of(job)
    if of_origin:
        _as_text(table)
    values = _origin(job) if of_origin else _fields(failure)
    conditions = []
    for name in key:
        if name not in values:
            raise _Untold(f"the record has no field for column {name} of the key")
        conditions.append(table.c[name] == _compared(table.c[name], values[name]))
    row = connection.execute(sa.select(table).where(*conditions).limit(1)).mappings().one_or_none()
    note = (
        "the steps of the pipeline may have changed the key"
        if job.steps not in (None, "[]")
        else ""
    )
    if row is None:
        return TableRow(reason="the table has no row with this key", note=note)
    return TableRow(tuple(_cells(row, key, failure, hidden)), note=note)


def _reflected(connection: sa.Connection, label: str) -> sa.Table:
    try:
        name = TableName.parse(label)
        return sa.Table(
            name.name,
            sa.MetaData(),
            schema=name.schema,
            autoload_with=connection,
            resolve_fks=False,
        )
    except (sa.exc.NoSuchTableError, ConfigError):
        raise _Untold("there is no such table") from None


def _as_text(table: sa.Table) -> None:
    """Have columns of origin be text, also where a database keeps them as bytes."""
    for name in ELEMENT_COLUMNS:
        if name in table.c and isinstance(table.c[name].type, sa.LargeBinary | sa.VARBINARY):
            table.c[name].type = ByteText(4 * CELL)


def _origin(job: Any) -> dict[str, Any]:
    if job.expansion:
        raise _Untold("steps made several records of one, which share its origin")
    values = (job.source, job.partition, Number(str(job.offset)), Number(str(job.element or 0)))
    return dict(zip(ELEMENT_COLUMNS, values, strict=True))


def _fields(failure: Failure) -> Mapping[str, Any]:
    raw, format_ = failure.raw, failure.format
    try:
        if format_.name == "csv":
            text = raw.decode(format_.encoding or "utf-8")
            (cells,) = rows_of([text], len(raw) + 1, format_)
            return dict(zip(names_of(format_.columns), cells, strict=False))
        if format_.name == "text":
            raise _Untold("a line of text has no fields")
        typed = format_.name in TYPED and not raw.startswith(b"{")
        value = parsed(raw.decode(format_.encoding or "utf-8-sig"))
        if typed:
            value = value[0]
    except _UNREADABLE:
        raise _Untold("the record cannot be read, so that its key is not known") from None
    if not isinstance(value, Pairs):
        raise _Untold("the record is not an object, so that it has no key")
    return dict(value.items)


def _compared(column: sa.Column[Any], value: Any) -> Any:
    """A value of the record as the database compares it with a column of the key."""
    untold = _Untold(f"the value for column {column.name} of the key does not fit its type")
    text = value.text if isinstance(value, Number) else value
    if not isinstance(text, str) or "\0" in text or len(text) > CELL:
        raise untold
    if isinstance(column.type, ByteText):
        return text
    try:
        kind = column.type.python_type
    except NotImplementedError:
        raise untold from None
    try:
        if kind is int:
            if not _INTEGER.fullmatch(text) or not -(2**63) <= int(text) < 2**63:
                raise untold
            return int(text)
        if kind is str and not isinstance(value, Number):
            text.encode()
            return text
        if kind is Decimal:
            return Decimal(text)
        if kind is uuid.UUID:
            return uuid.UUID(text)
        if kind in (datetime, date):
            return kind.fromisoformat(text)
    except (ValueError, ArithmeticError):
        raise untold from None
    raise untold


def _cells(
    row: Mapping[Any, Any], key: Sequence[str], failure: Failure, hidden: HiddenFields
) -> list[Cell]:
    """A column is masked if any part of a hidden path has its name, and so are the record's hidden values."""
    names = {folded(part) for path in hidden.paths for part in path}
    masker = Masker(in_record(hidden.paths))
    if hidden.paths:
        try:
            masker.masked(Pairs(list(_fields(failure).items())))
        except _Untold:
            return []
    cells = []
    for name, value in list(row.items())[:COLUMNS]:
        text = None if value is None else _text(value)
        if text is not None and hidden.paths:
            opaque = isinstance(value, dict | list) or text.startswith(("{", "["))
            text = MASK if opaque or folded(name) in names else without_values(text, masker.values)
        if text is not None and len(text) > CELL:
            text = f"{text[:CELL]}… ({len(text):,} characters)"
        cells.append(Cell(name, text, name in key))
    return cells


def _text(value: Any) -> str:
    if isinstance(value, bytes | memoryview):
        return "\\x" + bytes(value)[:CELL].hex()
    if isinstance(value, datetime | date):
        return value.isoformat()
    return str(value)
