"""Any other database that SQLAlchemy supports: portable statements only, and slower."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from sinks.database.depths import depths_of
from sinks.database.tables import Operation
from sinks.table.evidence import Evidence
from sinks.table.isolate import blame_of, isolate, poison_of
from sinks.table.records import Records, Written
from sinks.table.rows import Block, Poison, Rows, picked, rows_of, runs_of
from sinks.table.schema import LogicalType, NewColumn
from sinks.table.target import Column, Description, Target
from sinks.table.turns import cuts_of, pieces, repeats_of
from sinks.table.writer import Wider
from sinks.text.sqlalchemy_values import convert
from transforms.error_texts import message_of
from transforms.per_process import PerProcess
from transforms.route.table_name import TableName

CHUNK = 200  # keys in one query

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
    "bytes": sa.LargeBinary,
}


class GenericWriter:
    """Select the keys that are there, insert the rest, and update where requested."""

    def describe(self, connection: sa.Connection, table: TableName) -> Description | None:
        """Reflect by SQLAlchemy's inspector."""
        inspector = sa.inspect(connection)
        if not inspector.has_table(table.name, table.schema):
            return None
        place = (table.name, table.schema)
        columns = tuple(
            Column(
                column["name"],
                str(column["type"]).lower(),
                # Of text, nothing says how it is compared.
                one_spelling=isinstance(column["type"], sa.Integer),
                has_default=column.get("default") is not None or "identity" in column,
                generated="computed" in column or bool(column.get("identity", {}).get("always")),
            )
            for column in inspector.get_columns(*place)
        )
        unique: list[Sequence[str | None]] = [
            inspector.get_pk_constraint(*place)["constrained_columns"],
            *(rule["column_names"] for rule in inspector.get_unique_constraints(*place)),
            *(
                index["column_names"]
                for index in inspector.get_indexes(*place)
                if index["unique"] and None not in index["column_names"] and not _is_partial(index)
            ),
        ]
        sets = tuple(frozenset(map(str, names)) for names in unique if names)
        view = not sets and table.name in inspector.get_view_names(table.schema)
        return Description(columns, sets, view=view)

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
                    comment=column.comment or None,
                )
                for column in columns
            ),
            schema=table.schema,
        ).create(connection, checkfirst=True)

    def add_column(self, connection: sa.Connection, table: TableName, column: NewColumn) -> str:
        """Add it, with the type as SQLAlchemy writes it."""
        preparer = connection.dialect.identifier_preparer
        place = preparer.quote(table.name)
        if table.schema is not None:
            place = f"{preparer.quote_schema(table.schema)}.{place}"
        kind = sa.types.to_instance(_TYPES[column.type]).compile(connection.dialect)
        statement = f"ALTER TABLE {place} ADD COLUMN {preparer.quote(column.name)} {kind}"
        connection.exec_driver_sql(statement, execution_options={"no_parameters": True})
        return statement

    def widened(self, column: Column, values: Sequence[Any]) -> Wider | None:
        """None: how a type is changed differs from database to database."""
        return None

    def misfits(self, column: Column, value: object) -> bool:
        """No: what a type takes, only the database knows."""
        return False

    def depths(self, connection: sa.Connection, tables: Sequence[TableName]) -> list[int]:
        """Reflect by SQLAlchemy's inspector, in the default schema and those of ``tables``."""
        inspector = sa.inspect(connection)
        default = connection.dialect.default_schema_name
        references = []
        for schema in {None, *(table.schema for table in tables if table.schema != default)}:
            for (_, name), keys in inspector.get_multi_foreign_keys(schema=schema).items():
                for key in keys:
                    other = key["referred_schema"] or schema or default
                    references.append(((schema or default, name), (other, key["referred_table"])))
        depths = depths_of(references)
        return [depths.get((table.schema or default, table.name), 0) for table in tables]

    def write(self, connection: sa.Connection, target: Target, records: Records) -> Written:
        """Write ``records``."""
        table = _reflected(connection, target)
        written = Written.nothing(len(records.starts))
        rows, written.poison = rows_of(target, records.values, records.origin)
        decimals = connection.dialect.supports_native_decimal
        rows = _converted(table, rows, written.poison, decimals)
        keys = list(zip(*(rows.cells(name) for name in target.key), strict=True))
        written.evidence = Evidence.of(connection, target)
        writer = _PortableWriter(connection, table, target, records, written)
        # In order, since little is known here of what rows depend on.
        for start, end in pieces(0, len(keys), cuts_of(repeats_of(keys))):
            for block in runs_of(target, picked(rows, range(start, end))):
                writer.write(block, written.evidence)
        written.evidence.check()
        return written

    def committed(self, target: Target, written: Written) -> None:
        """Remember which rows took effect."""
        if written.evidence is not None:
            written.evidence.note()


class _PortableWriter:
    """Writes blocks of rows within one commit."""

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

    def write(self, block: Block, evidence: Evidence) -> None:
        """Write ``block``; rows that the database refuses become poison."""
        rows = [
            dict(zip(block.names, cells, strict=True)) for cells in zip(*block.cells, strict=True)
        ]

        def run(start: int, end: int) -> int:
            with self._connection.begin_nested():
                inserted, updated = self._write(rows[start:end])
            self._count(block.indices[start:end], inserted, updated)
            return len(inserted) + len(updated)

        def fail(position: int, error: BaseException) -> None:
            self._written.poison.append(poison_of(block.indices[position], error))

        isolate(len(rows), run, fail, blame_of, evidence)

    def _count(
        self, indices: Sequence[int], inserted: Sequence[int], updated: Sequence[int]
    ) -> None:
        """Count the rows at the positions ``inserted`` and ``updated``."""
        if self._records.effects:
            effects: dict[int, Operation] = {indices[p]: "insert" for p in inserted}
            effects.update((indices[p], "update") for p in updated)
            self._written.affect(self._records, effects)
            return
        for position in inserted:
            self._written.inserted[self._records.batch_of(indices[position])] += 1
        for position in updated:
            self._written.updated[self._records.batch_of(indices[position])] += 1

    def _write(self, rows: list[dict[str, Any]]) -> tuple[list[int], list[int]]:
        """Write rows of different keys. Returns the positions that were inserted and updated."""
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
            self._update([rows[p] for p in updated], settable)
        return inserted, updated

    def _update(self, rows: Sequence[dict[str, Any]], settable: Sequence[str]) -> None:
        key = list(enumerate(self._target.key))
        changes = list(enumerate(settable))
        statement = (
            sa.update(self._table)
            .where(*(self._table.c[name] == sa.bindparam(f"of_{i}") for i, name in key))
            .values({name: sa.bindparam(f"to_{i}") for i, name in changes})
        )
        parameters = [
            {f"of_{i}": row[name] for i, name in key}
            | {f"to_{i}": row[name] for i, name in changes}
            for row in rows
        ]
        self._connection.execute(statement, parameters)

    def _existing(self, rows: Sequence[dict[str, Any]]) -> dict[tuple[Any, ...], Any]:
        """The keys of ``rows`` that are there, with the compared column's value."""
        key = self._target.key
        columns = [self._table.c[name] for name in key]
        conflict = self._target.on_conflict
        compared = self._table.c[conflict.field] if conflict.mode == "newest" else sa.null()
        query = sa.select(*columns, compared)
        if (
            conflict.mode == "newest"
        ):  # what is compared must still be there when the row is changed
            query = query.order_by(*columns).with_for_update()
        existing: dict[tuple[Any, ...], Any] = {}
        for start in range(0, len(rows), CHUNK):
            chunk = rows[start : start + CHUNK]
            where: sa.ColumnElement[bool]
            if len(columns) == 1:
                where = columns[0].in_([row[key[0]] for row in chunk])
            else:
                where = sa.or_(
                    *(
                        sa.and_(*(c == row[name] for c, name in zip(columns, key, strict=True)))
                        for row in chunk
                    )
                )
            for *cells, value in self._connection.execute(query.where(where)):
                existing[tuple(cells)] = value
        return existing

    def _wins(self, row: dict[str, Any], current: Any) -> bool:
        conflict = self._target.on_conflict
        if conflict.mode != "newest":
            return True
        value = row.get(conflict.field)
        return current is None or (value is not None and current < value)


def _is_partial(index: Any) -> bool:
    """Whether an index covers only some rows; SQLAlchemy's dialects name the option ``*_where``."""
    options = index.get("dialect_options", {})
    return any(name.endswith("_where") and value is not None for name, value in options.items())


@dataclass(slots=True)
class _Reflection:
    """A table with SQLAlchemy's types, once it has been reflected."""

    table: sa.Table | None = None


_REFLECTIONS: PerProcess[Target, _Reflection] = PerProcess(lambda _: _Reflection())


def _reflected(connection: sa.Connection, target: Target) -> sa.Table:
    """The table with SQLAlchemy's types, always the same: SQLAlchemy caches statements by it."""
    reflection = _REFLECTIONS.get(target)
    if reflection.table is None:
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
        reflection.table = table
    return reflection.table


def _converted(table: sa.Table, rows: Rows, poison: list[Poison], decimals: bool) -> Rows:
    """``rows`` with values as their columns' types take them; the others become poison."""
    values = []
    indices = []
    for row, index in zip(rows.values, rows.indices, strict=True):
        cells: dict[str, Any] = {}
        try:
            for name, value in row.items():
                if name in table.c:
                    cells[name] = convert(table.c[name].type, value, decimals=decimals)
        except (ValueError, TypeError, ArithmeticError, RecursionError) as error:
            poison.append(Poison(index, "data", error, f"column {name}: {message_of(error)}"))
        else:
            values.append(cells)
            indices.append(index)
    return Rows(values, indices, rows.origin)
