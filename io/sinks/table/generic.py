"""Any other database that SQLAlchemy knows: portable statements only, and slower."""

from __future__ import annotations

import datetime
import threading
import uuid
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import sqlalchemy as sa

from sinks.database.classify import classify
from sinks.database.tables import Operation
from sinks.table.dialect import Records, Written
from sinks.table.isolate import isolate
from sinks.table.rows import Block, Poison, Rows, picked, rows_of, runs_of
from sinks.table.schema import LogicalType, NewColumn
from sinks.table.target import Column, Description, Target
from sinks.table.turns import cuts_of, pieces, repeats_of
from sinks.text.copy_text import as_text
from sinks.text.date_text import Kind, check_text, refusal
from sinks.text.table_name import TableName
from transforms.errors import message_of

CHUNK = 200  # keys a query

_TYPES: dict[LogicalType, Any] = {
    "text": sa.Text,
    "uuid": sa.Uuid(as_uuid=True),
    "timestamp": sa.DateTime(timezone=True),
    "date": sa.Date,
    "time": sa.Time,
    "integer": sa.BigInteger,
    "numeric": sa.Numeric(38, 10),
    "boolean": sa.Boolean,
    "json": sa.JSON,
}


class Generic:
    """Select the keys that are there, insert the rest, update where asked."""

    def describe(self, connection: sa.Connection, table: TableName) -> Description | None:
        """Reflect by SQLAlchemy's inspector."""
        inspector = sa.inspect(connection)
        if not inspector.has_table(table.name, table.schema):
            return None
        columns = tuple(
            Column(
                found["name"],
                str(found["type"]).lower(),
                has_default=found.get("default") is not None or "identity" in found,
                generated="computed" in found or bool(found.get("identity", {}).get("always")),
            )
            for found in inspector.get_columns(table.name, table.schema)
        )
        unique: list[Sequence[str | None]] = [
            inspector.get_pk_constraint(table.name, table.schema)["constrained_columns"]
        ]
        unique += [
            found["column_names"]
            for found in inspector.get_unique_constraints(table.name, table.schema)
        ]
        unique += [
            found["column_names"]
            for found in inspector.get_indexes(table.name, table.schema)
            if found["unique"] and None not in found["column_names"] and not _partial(found)
        ]
        return Description(columns, tuple(frozenset(map(str, names)) for names in unique if names))

    def create(
        self,
        connection: sa.Connection,
        table: TableName,
        columns: Sequence[NewColumn],
        key: Sequence[str],
    ) -> None:
        """Create the table."""
        sa.Table(
            table.name,
            sa.MetaData(),
            *(
                sa.Column(
                    column.name,
                    # Not every database can index a text without a length.
                    sa.String(255)
                    if column.name in key and column.type == "text"
                    else _TYPES[column.type],
                    primary_key=column.name in key,
                    nullable=column.nullable and column.name not in key,
                    autoincrement=False,
                )
                for column in columns
            ),
            schema=table.schema,
        ).create(connection, checkfirst=True)

    def write(self, connection: sa.Connection, target: Target, records: Records) -> Written:
        """Write ``records``."""
        table = _reflected(connection, target)
        written = Written.nothing(len(records.starts))
        rows, written.poison = rows_of(target, records.values, records.origin)
        rows = _converted(table, rows, written.poison)
        keys = list(zip(*(rows.cells(name) for name in target.key), strict=True))
        # In order, since little is known of what rows depend on here.
        for start, end in pieces(0, len(keys), cuts_of(repeats_of(keys))):
            for block in runs_of(target, picked(rows, range(start, end))):
                _Writer(connection, table, target, records, written).write(block)
        return written

    def committed(self, target: Target, written: Written) -> None:
        """Nothing to learn: there is one way only."""


class _Writer:
    """Writes rows that have the same columns."""

    def __init__(
        self,
        connection: sa.Connection,
        table: sa.Table,
        target: Target,
        records: Records,
        written: Written,
    ) -> None:
        self._connection = connection
        self._table = table
        self._target = target
        self._records = records
        self._written = written

    def write(self, block: Block) -> None:
        """Write ``block``; rows that the database refuses become poison."""
        rows = [
            dict(zip(block.names, cells, strict=True)) for cells in zip(*block.cells, strict=True)
        ]

        def run(start: int, end: int) -> None:
            with self._connection.begin_nested():
                inserted, updated = self._run(rows[start:end])
            if self._records.effects:
                indices = block.indices[start:end]
                effects: dict[int, Operation] = {indices[p]: "insert" for p in inserted}
                effects.update((indices[p], "update") for p in updated)
                self._written.affect(self._records, effects)
                return
            for position in inserted:
                self._written.inserted[self._records.batch_of(block.indices[start + position])] += 1
            for position in updated:
                self._written.updated[self._records.batch_of(block.indices[start + position])] += 1

        def fail(position: int, error: BaseException) -> None:
            verdict = classify(error)
            self._written.poison.append(
                Poison(
                    block.indices[position],
                    verdict.category,
                    error,
                    verdict.message,
                    verdict.sqlstate,
                )
            )

        isolate(len(rows), run, fail, lambda error: classify(error).kind == "record")

    def _run(self, rows: list[dict[str, Any]]) -> tuple[list[int], list[int]]:
        there = self._existing(rows)
        keys = [tuple(row[name] for name in self._target.key) for row in rows]
        inserted = [p for p, key in enumerate(keys) if key not in there]
        updated = [
            p for p, key in enumerate(keys) if key in there and self._wins(rows[p], there[key])
        ]
        if inserted:
            self._connection.execute(sa.insert(self._table), [rows[p] for p in inserted])
        settable = [name for name in rows[0] if name not in self._target.key]
        if self._target.on_conflict.mode == "ignore" or not settable:
            return inserted, []
        if updated:
            key = [
                self._table.c[name] == sa.bindparam(f"of_{i}")
                for i, name in enumerate(self._target.key)
            ]
            change = (
                sa.update(self._table)
                .where(*key)
                .values({name: sa.bindparam(f"to_{i}") for i, name in enumerate(settable)})
            )
            parameters = [
                {f"of_{i}": rows[p][name] for i, name in enumerate(self._target.key)}
                | {f"to_{i}": rows[p][name] for i, name in enumerate(settable)}
                for p in updated
            ]
            self._connection.execute(change, parameters)
        return inserted, updated

    def _existing(self, rows: list[dict[str, Any]]) -> dict[tuple[Any, ...], Any]:
        """The keys of ``rows`` that are there, with the compared column's value."""
        columns = [self._table.c[name] for name in self._target.key]
        compared = (
            self._table.c[self._target.on_conflict.field]
            if self._target.on_conflict.mode == "newest"
            else sa.null()
        )
        found: dict[tuple[Any, ...], Any] = {}
        for start in range(0, len(rows), CHUNK):
            chunk = rows[start : start + CHUNK]
            conditions = [
                sa.and_(
                    *(c == row[name] for c, name in zip(columns, self._target.key, strict=True))
                )
                for row in chunk
            ]
            where = (
                columns[0].in_([row[self._target.key[0]] for row in chunk])
                if len(columns) == 1
                else sa.or_(*conditions)
            )
            for *key, value in self._connection.execute(sa.select(*columns, compared).where(where)):
                found[tuple(key)] = value
        return found

    def _wins(self, row: dict[str, Any], current: Any) -> bool:
        conflict = self._target.on_conflict
        if conflict.mode != "newest":
            return True
        value = row.get(conflict.field)
        return current is None or (value is not None and current < value)


def _partial(index: Any) -> bool:
    """Whether an index covers only some rows; dialects name the option ``*_where``."""
    options = index.get("dialect_options", {})
    return any(name.endswith("_where") and value is not None for name, value in options.items())


_lock = threading.Lock()
_tables: dict[Target, sa.Table] = {}


def _reflected(connection: sa.Connection, target: Target) -> sa.Table:
    """The table with SQLAlchemy's types; kept, since statements are cached by it."""
    with _lock:
        table = _tables.get(target)
    if table is None:
        table = sa.Table(
            target.table.name,
            sa.MetaData(),
            schema=target.table.schema,
            autoload_with=connection,
            resolve_fks=False,
        )
        for column in table.columns:
            if isinstance(column.type, sa.JSON):
                column.type.none_as_null = True  # not the JSON text null
        with _lock:
            _tables[target] = table
    return table


def _converted(table: sa.Table, rows: Rows, poison: list[Poison]) -> Rows:
    """Values as SQLAlchemy's types take them; it converts no text to dates by itself."""
    values = []
    indices = []
    for row, index in zip(rows.values, rows.indices, strict=True):
        converted: dict[str, Any] = {}
        try:
            for name, value in row.items():
                if name in table.c:
                    converted[name] = _convert(table.c[name].type, value)
        except (ValueError, TypeError, ArithmeticError, RecursionError) as error:
            poison.append(Poison(index, "data", error, f"column {name}: {message_of(error)}"))
        else:
            values.append(converted)
            indices.append(index)
    return Rows(values, indices, rows.origin)


_DATES: tuple[tuple[type[sa.types.TypeEngine[Any]], Kind], ...] = (
    (sa.DateTime, "timestamp"),
    (sa.Date, "date"),
    (sa.Time, "time"),
    (sa.Interval, "interval"),
)


def _convert(kind: sa.types.TypeEngine[Any], value: Any) -> Any:
    if value is None or isinstance(kind, sa.JSON):
        return value
    for types, what in _DATES:
        if isinstance(kind, types) and isinstance(value, (int, float, Decimal)):
            raise refusal(what, value)
        if isinstance(kind, types) and isinstance(value, str):
            check_text(what, value)
    if isinstance(value, str):
        if isinstance(kind, sa.DateTime):
            return datetime.datetime.fromisoformat(value)
        if isinstance(kind, sa.Date):
            return datetime.date.fromisoformat(value)
        if isinstance(kind, sa.Time):
            return datetime.time.fromisoformat(value)
        if isinstance(kind, sa.Uuid):
            return uuid.UUID(value)
        if isinstance(kind, sa.Integer):
            return int(value)
        return Decimal(value) if isinstance(kind, sa.Numeric) else value
    if isinstance(kind, sa.Integer) and isinstance(value, (Decimal, float)):
        if value != value.__trunc__():
            raise ValueError(f"{value} is not an integer")
        return value.__trunc__()
    if isinstance(kind, sa.String):
        return value if isinstance(value, str) else as_text(value)
    return value
