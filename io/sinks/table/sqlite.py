"""SQLite: one writer at a time, rows by ``executemany`` with conflict clauses."""

# ruff: noqa: S608 - identifiers are quoted, values bound or formatted as integers

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from operator import length_hint
from typing import Any

import sqlalchemy as sa

from sinks.database.catalogue.sqlite import has_triggers
from sinks.database.depths import depths_of
from sinks.database.tables import Operation
from sinks.table.evidence import Evidence
from sinks.table.isolate import blame_of, isolate, poison_of
from sinks.table.records import Records, Written
from sinks.table.rows import (
    ENCODE_ERRORS,
    Block,
    Poison,
    pick,
    rows_of,
    runs_of,
    split,
    without_refused,
)
from sinks.table.schema import LogicalType, NewColumn
from sinks.table.target import Column, Description, Target
from sinks.table.writer import Wider
from sinks.text.quoting import quote, quoted
from sinks.text.sqlite_values import bind_column, is_older
from transforms.route.table_name import TableName

# "" declares no type and so has no affinity: see sinks.text.sqlite_values.
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
    "bytes": "BLOB",
}


class SqliteWriter:
    """SQLite 3.24 or later, with the standard library."""

    def describe(self, connection: sa.Connection, table: TableName) -> Description | None:
        """Read the pragmas."""
        schema = quote(table.schema or "main")
        rows = _all(connection, f"PRAGMA {schema}.table_xinfo({quote(table.name)})")
        if not rows:
            return None
        primary = frozenset(row[1] for row in rows if row[5])
        # A lone INTEGER PRIMARY KEY is the row's number, which SQLite assigns.
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
        query = f"SELECT type FROM {schema}.sqlite_master WHERE lower(name) = lower(?)"
        kinds = _all(connection, query, (table.name,))
        return Description(columns, tuple(unique), view=kinds == [("view",)])

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
        connection.exec_driver_sql(
            f"CREATE TABLE IF NOT EXISTS {quoted(table)} ({', '.join(lines)})"
        )

    def add_column(self, connection: sa.Connection, table: TableName, column: NewColumn) -> str:
        """Add it."""
        statement = (
            f"ALTER TABLE {quoted(table)} ADD COLUMN {quote(column.name)} {_TYPES[column.type]}"
        )
        connection.exec_driver_sql(statement.rstrip())
        return statement.rstrip()

    def widened(self, column: Column, values: Sequence[Any]) -> Wider | None:
        """None: the type of a column is an affinity, and bounds nothing."""
        return None

    def misfits(self, column: Column, value: object) -> bool:
        """No: a column takes values of all types, and a STRICT table cannot be changed."""
        return False

    def depths(self, connection: sa.Connection, tables: Sequence[TableName]) -> list[int]:
        """Read the pragma of every table; a foreign key stays within its schema."""
        depths: dict[tuple[str, str], int] = {}
        for schema in {table.schema or "main" for table in tables}:
            rows = _all(
                connection,
                f"""SELECT m.name, k."table" FROM {quote(schema)}.sqlite_master m
                JOIN pragma_foreign_key_list(m.name, ?) k
                WHERE m.type = 'table'""",
                (schema,),
            )
            # SQLite does not tell capitals apart in names.
            references = [(own.lower(), other.lower()) for own, other in rows]
            depths |= {(schema, name): depth for name, depth in depths_of(references).items()}
        return [depths.get((table.schema or "main", table.name.lower()), 0) for table in tables]

    def write(self, connection: sa.Connection, target: Target, records: Records) -> Written:
        """Write ``records`` in their order, batch by batch, so that each batch is counted."""
        written = Written.nothing(len(records.starts))
        rows, written.poison = rows_of(target, records.values, records.origin)
        written.evidence = Evidence.of(connection, target)
        for block in runs_of(target, rows):
            bound = _bind(target, block, written.poison)
            for batch, part in _by_batch(bound, records):
                _BatchWriter(connection, target, written, batch).write(
                    part, written.evidence, effects=records.effects
                )
        written.evidence.check()
        return written

    def committed(self, target: Target, written: Written) -> None:
        """Remember which rows took effect."""
        if written.evidence is not None:
            written.evidence.note()


class _BatchWriter:
    """Writes blocks of rows of one batch."""

    def __init__(
        self, connection: sa.Connection, target: Target, written: Written, batch: int
    ) -> None:
        self._cursor = _cursor(connection)
        self._target = target
        self._written = written
        self._batch = batch

    def write(self, block: Block, evidence: Evidence, *, effects: bool) -> None:
        """Write ``block``; rows that SQLite refuses become poison."""
        rows = list(zip(*block.cells, strict=True))
        insert = self._insert_statement(block.names)
        update = self._update_of(block.names)

        singly = effects or update is not None
        # What stands around a cursor may take all rows before it passes the first one on.
        lazy = type(self._cursor) is sqlite3.Cursor
        if lazy and not singly and not has_triggers(self._cursor, self._target.table):
            self._insert_straight(insert, rows, block.indices, evidence)
            return

        def run(start: int, end: int) -> int:
            if singly:
                indices = block.indices[start:end]
                return self._run_each(insert, update, rows[start:end], indices, effects)
            with self._savepoint():
                self._cursor.executemany(insert, rows[start:end])
                inserted: int = self._cursor.rowcount
            self._written.inserted[self._batch] += inserted
            return inserted

        def fail(position: int, error: BaseException) -> None:
            self._written.poison.append(poison_of(block.indices[position], error))

        isolate(len(rows), run, fail, blame_of, evidence)

    def _insert_straight(
        self,
        insert: str,
        rows: Sequence[tuple[Any, ...]],
        indices: Sequence[int],
        evidence: Evidence,
    ) -> None:
        """Insert ``rows`` without a savepoint, within which SQLite copies every page before it changes.

        Without triggers, an INSERT of one row that fails leaves nothing behind. The rows before it stay,
        and those behind it follow: ``executemany`` takes a row when the one before is written.
        """
        connection = self._cursor.connection
        rest = iter(rows)
        while start := length_hint(rest):
            before = connection.total_changes
            try:
                self._cursor.executemany(insert, rest)
            except _ERRORS as error:
                # Where the transaction is gone, the rows before are gone, too.
                verdict = blame_of(error) if connection.in_transaction else "nobody"
                if verdict == "nobody":
                    raise
                left = length_hint(rest)
                if left < start - 1:
                    self._accepted(connection.total_changes - before, evidence)
                if verdict == "doubtful":
                    evidence.doubt(error)
                self._written.poison.append(poison_of(indices[len(rows) - left - 1], error))
            else:
                self._accepted(self._cursor.rowcount, evidence)

    def _accepted(self, inserted: int, evidence: Evidence) -> None:
        self._written.inserted[self._batch] += inserted
        evidence.passed(inserted)

    def _run_each(
        self,
        insert: str,
        update: _Update | None,
        rows: list[tuple[Any, ...]],
        indices: Sequence[int],
        effects: bool,
    ) -> int:
        """Row by row: update what is there, otherwise insert; take note of what each row did.

        Returns how many rows did something.
        """
        effects_of: dict[int, Operation] = {}
        run = self._cursor.execute
        with self._savepoint():
            for index, row in zip(indices, rows, strict=True):
                if update is not None:
                    current = run(update.find, [row[i] for i in update.key]).fetchone()
                    if current is not None:
                        if update.wins(current[0], row):
                            changed = run(update.change, [row[i] for i in update.cells]).rowcount
                            if changed:
                                effects_of[index] = "update"
                        continue
                if run(insert, row).rowcount:
                    effects_of[index] = "insert"
        for operation in effects_of.values():
            counts = self._written.inserted if operation == "insert" else self._written.updated
            counts[self._batch] += 1
        if effects:
            self._written.effects.update(effects_of)
        return len(effects_of)

    @contextmanager
    def _savepoint(self) -> Iterator[None]:
        self._cursor.execute("SAVEPOINT sluice_piece")
        try:
            yield
        except Exception:
            # Any error is raised again, but the rows before it must not stay.
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
        """How rows with the columns ``names`` change an existing one; None if they do not."""
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
    """How a row changes the existing row of its key.

    Attributes:
        find: Selects the existing row: the column that ``newest`` compares.
        key: The cells that ``find`` takes.
        change: Changes it; empty if the record has only its key.
        cells: The cells that ``change`` takes.
        newest: Whether the row has to be newer.
        declared: The declared type of the column that is compared.
        field: The cell that is compared; None if the record does not have the field.
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


_ERRORS = (sqlite3.Error, OverflowError, ValueError)
"""What a row may raise when it is bound or written."""


def _cursor(connection: sa.Connection) -> Any:
    return connection.connection.cursor()


def _all(
    connection: sa.Connection, statement: str, values: Sequence[Any] = ()
) -> list[tuple[Any, ...]]:
    return list(_cursor(connection).execute(statement, values).fetchall())


def _bind(target: Target, block: Block, poison: list[Poison]) -> Block:
    """Bind a block's values; a row with a value that cannot be bound is added to ``poison``."""
    types = {column.name: column.type for column in target.columns}
    try:
        return _bound(types, block)
    except ENCODE_ERRORS:
        good = without_refused(block, lambda name, cells: bind_column(types[name], cells), poison)
        return _bound(types, good)


def _bound(types: Mapping[str, str], block: Block) -> Block:
    cells = [
        bind_column(types[name], column)
        for name, column in zip(block.names, block.cells, strict=True)
    ]
    return Block(block.names, cells, block.indices)


def _by_batch(block: Block, records: Records) -> list[tuple[int, Block]]:
    """``block`` divided by batch; its indices may be out of order."""
    if len(records.starts) == 1:
        return [(0, block)]
    indices = block.indices
    if isinstance(indices, range) and indices.step == 1:  # in order: no need to look at each
        return [
            (batch, split(block, start - indices.start, end - indices.start))
            for batch, (start, end) in enumerate(_spans(records, indices))
            if start < end
        ]
    parts: dict[int, list[int]] = {}
    for position, index in enumerate(block.indices):
        parts.setdefault(records.batch_of(index), []).append(position)
    return [(batch, pick(block, positions)) for batch, positions in parts.items()]


def _spans(records: Records, indices: range) -> list[tuple[int, int]]:
    """The records of each batch that are among ``indices``."""
    bounds = [min(max(start, indices.start), indices.stop) for start in records.starts]
    return list(pairwise([*bounds, indices.stop]))
