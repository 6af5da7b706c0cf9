"""SQLite: one writer at a time, rows by ``executemany`` with conflict clauses."""

# ruff: noqa: S608 - identifiers are quoted, values bound or formatted as integers

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from sinks.database.classify import classify
from sinks.database.tables import Operation
from sinks.table.dialect import Records, Written
from sinks.table.isolate import isolate
from sinks.table.rows import Block, Poison, rows_of, runs_of, split
from sinks.table.schema import LogicalType, NewColumn
from sinks.table.sqlite_values import bind_column, is_older
from sinks.table.target import Column, Description, Target
from sinks.text.quoting import quote, quoted
from sinks.text.table_name import TableName
from transforms.errors import message_of

# "" declares no type, hence no affinity: see sinks.table.sqlite_values.
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

    def write(self, connection: sa.Connection, target: Target, records: Records) -> Written:
        """Write ``records`` in their order, a batch at a time, so that each batch's are counted."""
        written = Written.nothing(len(records.starts))
        rows, written.poison = rows_of(target, records.values, records.origin)
        for block in runs_of(target, rows):
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
        update = self._update_of(block.names)

        def run(start: int, end: int) -> None:
            if effects or update is not None:
                self._run_each(insert, update, rows[start:end], block.indices[start:end], effects)
                return
            with self._savepoint():
                self._cursor.executemany(insert, rows[start:end])
                inserted = self._cursor.rowcount
            self._written.inserted[self._batch] += inserted

        def fail(position: int, error: BaseException) -> None:
            verdict = classify(error)
            self._written.poison.append(
                Poison(block.indices[position], verdict.category, error, verdict.message)
            )

        isolate(len(rows), run, fail, lambda error: classify(error).kind == "record")

    def _run_each(
        self,
        insert: str,
        update: _Update | None,
        rows: list[tuple[Any, ...]],
        indices: Sequence[int],
        effects: bool,
    ) -> None:
        """A row at a time: update what is there, otherwise insert; each says what it did."""
        done: dict[int, Operation] = {}
        run = self._cursor.execute
        with self._savepoint():
            for index, row in zip(indices, rows, strict=True):
                if update is not None:
                    found = run(update.find, [row[i] for i in update.key]).fetchone()
                    if found is not None:
                        if update.wins(found[0], row):
                            changed = run(update.change, [row[i] for i in update.cells]).rowcount
                            if changed:
                                done[index] = "update"
                        continue
                if run(insert, row).rowcount:
                    done[index] = "insert"
        for operation in done.values():
            counts = self._written.inserted if operation == "insert" else self._written.updated
            counts[self._batch] += 1
        if effects:
            self._written.effects.update(done)

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

    def _update_of(self, names: Sequence[str]) -> _Update | None:
        """How rows with the columns ``names`` change one that is there; None if they do not."""
        conflict = self._target.on_conflict
        if conflict.mode == "ignore":
            return None
        table = quoted(self._target.table)
        where = " AND ".join(f"{quote(name)} = ?" for name in self._target.key)
        settable = [name for name in names if name not in self._target.key]
        compared = quote(conflict.field) if conflict.mode == "newest" else "NULL"
        places = {name: place for place, name in enumerate(names)}
        changes = ", ".join(f"{quote(name)} = ?" for name in settable)
        declared = {column.name: column.type for column in self._target.columns}
        return _Update(
            find=f"SELECT {compared} FROM {table} WHERE {where}",
            key=[places[name] for name in self._target.key],
            change=f"UPDATE {table} SET {changes} WHERE {where}" if settable else "",
            cells=[places[name] for name in (*settable, *self._target.key)],
            newest=conflict.mode == "newest",
            declared=declared.get(conflict.field, ""),
            field=places.get(conflict.field),
        )


@dataclass(frozen=True, slots=True)
class _Update:
    """How a row changes the one that is there.

    Attributes:
        find: Selects the row that is there, with the column that ``newest`` compares.
        key: Which cells ``find`` takes.
        change: Changes it; empty where the record has nothing but its key.
        cells: Which cells ``change`` takes.
        newest: Whether the row has to be newer.
        declared: The declared type of the column that is compared.
        field: Which cell is compared; None where the record does not have the field.
    """

    find: str
    key: Sequence[int]
    change: str
    cells: Sequence[int]
    newest: bool
    declared: str
    field: int | None

    def wins(self, current: Any, row: Sequence[Any]) -> bool:
        """Whether ``row`` changes a row whose compared column is ``current``."""
        if not self.change:
            return False
        if not self.newest or current is None:
            return True
        # A record without the field never wins over a row that has it.
        new = None if self.field is None else row[self.field]
        return new is not None and is_older(self.declared, current, new)


def _cursor(connection: sa.Connection) -> Any:
    return connection.connection.cursor()


def _all(connection: sa.Connection, statement: str) -> list[tuple[Any, ...]]:
    return list(_cursor(connection).execute(statement).fetchall())


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
