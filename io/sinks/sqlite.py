"""SQLite: one writer at a time, rows by ``executemany`` with conflict clauses."""

# ruff: noqa: S608 - identifiers are quoted, values bound or formatted as integers

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa

from sinks.classify import classify
from sinks.config import TableName
from sinks.dialect import Operation, Records, Written
from sinks.isolate import isolate
from sinks.quoting import quote, quoted
from sinks.rows import Block, Poison, Rows, blocks_of, first, merged, newest, rows_of, split
from sinks.schema import LogicalType, NewColumn
from sinks.sqlite_values import bind_column, binder_of, order_of
from sinks.target import Column, Description, Target
from transforms.errors import message_of

# "" declares no type, hence no affinity: see sinks.sqlite_values.
_TYPES: dict[LogicalType, str] = {
    "text": "TEXT",
    "uuid": "TEXT",
    "timestamp": "TEXT",
    "date": "TEXT",
    "time": "TEXT",
    "integer": "BIGINT",
    "numeric": "",
    "boolean": "BOOLEAN",
    "json": "JSON",
}
_BIND_ERRORS = (ValueError, TypeError, ArithmeticError, RecursionError)


class Sqlite:
    """SQLite 3.24 or later, by the standard library."""

    def describe(self, connection: sa.Connection, table: TableName) -> Description | None:
        """Ask the pragmas."""
        schema = quote(table.schema or "main")
        rows = _all(connection, f"PRAGMA {schema}.table_xinfo({quote(table.name)})")
        if not rows:
            return None
        primary = frozenset(row[1] for row in rows if row[5])
        # A lone INTEGER PRIMARY KEY is the row's number, which SQLite gives by itself.
        rowid = len(primary) == 1
        columns = tuple(
            Column(
                name,
                kind.lower(),
                has_default=default is not None
                or (rowid and bool(key) and kind.upper() == "INTEGER"),
                generated=hidden in (2, 3),
            )
            for _, name, kind, _, default, key, hidden in rows
            if hidden != 1
        )
        unique = [primary] if primary else []
        indexes = _all(connection, f"PRAGMA {schema}.index_list({quote(table.name)})")
        for _, name, is_unique, _, partial in indexes:
            if is_unique and not partial:
                parts = _all(connection, f"PRAGMA {schema}.index_info({quote(name)})")
                if all(part[2] is not None for part in parts):
                    unique.append(frozenset(part[2] for part in parts))
        return Description(columns, tuple(unique))

    def create(
        self,
        connection: sa.Connection,
        table: TableName,
        columns: Sequence[NewColumn],
        key: Sequence[str],
    ) -> None:
        """Create the table."""
        lines = [
            f"{quote(column.name)} {_TYPES[column.type]}".rstrip()
            + ("" if column.nullable and column.name not in key else " NOT NULL")
            for column in columns
        ]
        lines.append(f"PRIMARY KEY ({', '.join(map(quote, key))})")
        _cursor(connection).execute(
            f"CREATE TABLE IF NOT EXISTS {quoted(table)} ({', '.join(lines)})"
        )

    def lock(self, connection: sa.Connection, names: Sequence[tuple[str, ...]]) -> None:
        """Nothing: the transaction began IMMEDIATE, so it is the only writer."""

    def write(self, connection: sa.Connection, target: Target, records: Records) -> Written:
        """Write ``records``, a batch at a time, so that each batch's rows are counted."""
        written = Written.nothing(len(records.starts))
        rows, written.poison = rows_of(target, records.values, records.origin)
        before, rows = rows, _one_a_key(target, rows)
        if target.on_conflict.mode == "update" and not target.whole_payload:
            written.lay_under(records, before, rows)
        for block in blocks_of(target, rows):
            bound = _bind(target, block, written.poison)
            for batch, part in _by_batch(bound, records):
                _Writer(connection, target, written, batch).write(part, effects=records.effects)
        return written

    def committed(self, target: Target, written: Written) -> None:
        """Nothing to learn: there is one way only."""


class _Writer:
    """Writes rows of one batch that have the same columns."""

    def __init__(
        self, connection: sa.Connection, target: Target, written: Written, batch: int
    ) -> None:
        self._cursor = _cursor(connection)
        self._target = target
        self._written = written
        self._batch = batch

    def write(self, block: Block, *, effects: bool) -> None:
        """Write ``block``; rows that SQLite refuses become poison."""
        rows = list(zip(*block.cells, strict=True))
        insert = self._insert_statement(block.names)
        update = self._update_statement(block.names)

        def run(start: int, end: int) -> None:
            if effects:
                self._run_each(insert, update, rows[start:end], block.indices[start:end])
                return
            inserted, updated = self._run(insert, update, rows[start:end])
            self._written.inserted[self._batch] += inserted
            self._written.updated[self._batch] += updated

        def fail(position: int, error: BaseException) -> None:
            verdict = classify(error)
            self._written.poison.append(
                Poison(block.indices[position], verdict.category, error, verdict.message)
            )

        isolate(len(rows), run, fail, lambda error: classify(error).kind == "record")

    def _run(
        self, insert: str, update: tuple[str, list[int]] | None, rows: list[tuple[Any, ...]]
    ) -> tuple[int, int]:
        """Update what is there, then insert what is not: each pass counts its rows."""
        with self._savepoint():
            updated = 0
            if update is not None:
                statement, order = update
                self._cursor.executemany(statement, [[row[i] for i in order] for row in rows])
                updated = self._cursor.rowcount
            self._cursor.executemany(insert, rows)
            return self._cursor.rowcount, updated

    def _run_each(
        self,
        insert: str,
        update: tuple[str, list[int]] | None,
        rows: list[tuple[Any, ...]],
        indices: Sequence[int],
    ) -> None:
        """The same a row at a time, so that each says what it did."""
        effects: dict[int, Operation] = {}
        run = self._cursor.execute
        with self._savepoint():
            for index, row in zip(indices, rows, strict=True):
                if update is not None:
                    statement, order = update
                    if run(statement, [row[i] for i in order]).rowcount:
                        effects[index] = "update"
                        continue
                if run(insert, row).rowcount:
                    effects[index] = "insert"
        for operation in effects.values():
            counts = self._written.inserted if operation == "insert" else self._written.updated
            counts[self._batch] += 1
        self._written.effects.update(effects)

    @contextmanager
    def _savepoint(self) -> Iterator[None]:
        self._cursor.execute("SAVEPOINT sluice_piece")
        try:
            yield
        except Exception:
            # Whatever it is, it is raised again; the rows before it must not stay counted.
            if self._cursor.connection.in_transaction:
                self._cursor.execute("ROLLBACK TO SAVEPOINT sluice_piece")
                self._cursor.execute("RELEASE SAVEPOINT sluice_piece")
            raise
        self._cursor.execute("RELEASE SAVEPOINT sluice_piece")

    def _insert_statement(self, names: Sequence[str]) -> str:
        # Not INSERT OR IGNORE: that would swallow NOT NULL and CHECK violations as well.
        return (
            f"INSERT INTO {quoted(self._target.table)} ({', '.join(map(quote, names))}) "
            f"VALUES ({', '.join('?' * len(names))}) "
            f"ON CONFLICT ({', '.join(map(quote, self._target.key))}) DO NOTHING"
        )

    def _update_statement(self, names: Sequence[str]) -> tuple[str, list[int]] | None:
        """The UPDATE of an existing row, and which cells it takes, in order."""
        conflict = self._target.on_conflict
        settable = [name for name in names if name not in self._target.key]
        if conflict.mode == "ignore" or not settable:
            return None
        changes = ", ".join(f"{quote(name)} = ?" for name in settable)
        where = " AND ".join(f"{quote(name)} = ?" for name in self._target.key)
        cells = [*settable, *self._target.key]
        if conflict.mode == "newest":
            field = quote(conflict.field)
            if conflict.field in names:
                where += f" AND ({field} IS NULL OR {field} < ?)"
                cells.append(conflict.field)
            else:
                where += f" AND {field} IS NULL"
        order = [names.index(name) for name in cells]
        return f"UPDATE {quoted(self._target.table)} SET {changes} WHERE {where}", order


def _cursor(connection: sa.Connection) -> Any:
    return connection.connection.cursor()


def _all(connection: sa.Connection, statement: str) -> list[tuple[Any, ...]]:
    return list(_cursor(connection).execute(statement).fetchall())


def _one_a_key(target: Target, rows: Rows) -> Rows:
    types = {column.name: column.type for column in target.columns}
    columns = [_bound_or_unique(types[name], rows.cells(name)) for name in target.key]
    keys = columns[0] if len(columns) == 1 else list(zip(*columns, strict=True))
    if target.on_conflict.mode == "ignore":
        return first(rows, keys)
    if target.on_conflict.mode == "update":
        return merged(rows, keys)
    field = target.on_conflict.field
    cells = rows.cells(field)
    return newest(rows, keys, _orders(types[field], cells) if len(set(keys)) < len(keys) else cells)


def _orders(declared: str, cells: Sequence[Any]) -> Sequence[Any]:
    return [order_of(_try(binder_of(declared), cell, None)) for cell in cells]


def _bound_or_unique(declared: str, cells: Sequence[Any]) -> Sequence[Hashable]:
    try:
        return bind_column(declared, cells)
    except _BIND_ERRORS:
        # A value that cannot be bound equals no other; its row is set aside later.
        binder = binder_of(declared)
        return [_try(binder, cell, object()) for cell in cells]


def _try(binder: Callable[[Any], Any], cell: Any, otherwise: Any) -> Any:
    try:
        return binder(cell)
    except _BIND_ERRORS:
        return otherwise


def _bind(target: Target, block: Block, poison: list[Poison]) -> Block:
    """Bind a block's values; a row with one that cannot be is added to ``poison``."""
    types = {column.name: column.type for column in target.columns}

    def bound(part: Block) -> Block:
        cells = [
            bind_column(types[name], column)
            for name, column in zip(part.names, part.cells, strict=True)
        ]
        return Block(part.names, cells, part.indices)

    def refused(part: Block) -> Poison | None:
        """The first column whose value cannot be bound."""
        for name, column in zip(part.names, part.cells, strict=True):
            try:
                bind_column(types[name], column)
            except _BIND_ERRORS as error:
                message = f"column {name}: {message_of(error)}"
                return Poison(part.indices[0], "data", error, message)
        return None

    try:
        return bound(block)
    except _BIND_ERRORS:
        good = []
        for position in range(len(block.indices)):
            bad = refused(split(block, position, position + 1))
            if bad is None:
                good.append(position)
            else:
                poison.append(bad)
        cells = [[column[p] for p in good] for column in block.cells]
        return bound(Block(block.names, cells, [block.indices[p] for p in good]))


def _by_batch(block: Block, records: Records) -> list[tuple[int, Block]]:
    """``block`` cut where one batch's records end; indices may be out of order."""
    if len(records.starts) == 1:
        return [(0, block)]
    parts: dict[int, list[int]] = {}
    for position, index in enumerate(block.indices):
        parts.setdefault(records.batch_of(index), []).append(position)
    return [
        (
            batch,
            Block(
                block.names,
                [[column[p] for p in positions] for column in block.cells],
                [block.indices[p] for p in positions],
            ),
        )
        for batch, positions in parts.items()
    ]
