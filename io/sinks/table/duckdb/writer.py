"""Rows by INSERT … SELECT from Arrow tables, thousands a statement.

A statement has no two rows of one key, and where one row may decide about another otherwise, it has one row. Keys
are looked up by their index: a join would read the whole table.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import sqlalchemy as sa

from sinks.database.backends.duckdb.sql_dialect import ARROW
from sinks.table.duckdb import refusing
from sinks.table.duckdb.description import (
    Rules,
    add_statement,
    create_statement,
    depths,
    describe,
    rules_of,
)
from sinks.table.duckdb.statements import NUMBER, ROWS, Statements, statements_of
from sinks.table.duckdb.values import column as arrow_of
from sinks.table.evidence import Evidence
from sinks.table.isolate import blame_of, isolate, poison_of
from sinks.table.records import Records, Written
from sinks.table.rows import ENCODE_ERRORS, Block, Poison, rows_of, runs_of, without_refused
from sinks.table.schema import NewColumn
from sinks.table.target import Column, Description, Target
from sinks.table.turns import cuts_of, pieces, repeats_of
from sinks.table.writer import Wider
from transforms.errors import Contention
from transforms.per_process import PerProcess
from transforms.route.table_name import TableName


class DuckdbWriter:
    """DuckDB 1.4 or later."""

    def describe(self, connection: sa.Connection, table: TableName) -> Description | None:
        """Read the catalogue."""
        return describe(connection, table)

    def create(
        self,
        connection: sa.Connection,
        table: TableName,
        columns: Sequence[NewColumn],
        key: Sequence[str],
    ) -> None:
        """Create the table."""
        connection.exec_driver_sql(create_statement(table, columns, key))

    def add_column(self, connection: sa.Connection, table: TableName, column: NewColumn) -> str:
        """Add it."""
        statement = add_statement(table, column)
        connection.exec_driver_sql(statement)
        return statement

    def widened(self, column: Column, values: Sequence[Any]) -> Wider | None:
        """None: DuckDB writes a column anew to change its type."""
        return None

    def misfits(self, column: Column, value: object) -> bool:
        """Whether no value of the column's type is ``value``."""
        try:
            arrow_of(column.type, [value])
        except ENCODE_ERRORS:
            return True
        return False

    def depths(self, connection: sa.Connection, tables: Sequence[TableName]) -> list[int]:
        """Read all foreign keys of the file."""
        return depths(connection, tables)

    def write(self, connection: sa.Connection, target: Target, records: Records) -> Written:
        """Write ``records`` in their order."""
        written = Written.nothing(len(records.starts))
        rows, written.poison = rows_of(target, records.values, records.origin)
        written.evidence = Evidence.of(connection, target)
        rules = _rules(connection, target)
        for block in runs_of(target, rows):
            good, arrow = _as_arrow(target, block, written.poison)
            statements = statements_of(target, good.names)
            writer = _BlockWriter(connection, target, rules, records, written, statements)
            writer.write(good.indices, arrow)
        written.evidence.check()
        return written

    def committed(self, target: Target, written: Written) -> None:
        """Remember which rows took effect."""
        if written.evidence is not None:
            written.evidence.note()


@dataclass(slots=True)
class _BlockWriter:
    """Writes rows with the same columns."""

    connection: sa.Connection
    target: Target
    rules: Rules
    records: Records
    written: Written
    statements: Statements

    def write(self, indices: Sequence[int], rows: pa.Table) -> None:
        """Write the rows of the records at ``indices``; those that DuckDB refuses become poison."""
        count = rows.num_rows
        by_row = self._is_by_row()
        steps = [(at, at + 1) for at in range(count)] if by_row else self._turns(rows)
        for start, end in steps:
            self._write_piece(indices[start:end], rows.slice(start, end - start))

    def _is_by_row(self) -> bool:
        """Whether one row may decide about another, other than by its key."""
        if self.rules.references_itself:
            return True
        if self.target.on_conflict.mode == "ignore":
            return False  # rows never change, and statements insert in order
        key = frozenset(self.target.key)
        return any(not unique >= key for unique in self.rules.unique)

    def _turns(self, rows: pa.Table) -> Iterator[tuple[int, int]]:
        """Where to cut so that no key comes twice in a statement."""
        key = self.target.key
        if (
            len(key) == 1
            and pc.count_distinct(rows.column(key[0]), mode="all").as_py() == rows.num_rows
        ):
            return iter([(0, rows.num_rows)] if rows.num_rows else [])
        cells = [list(map(_comparable, rows.column(name).to_pylist())) for name in key]
        return pieces(0, rows.num_rows, cuts_of(repeats_of(list(zip(*cells, strict=True)))))

    def _write_piece(self, indices: Sequence[int], rows: pa.Table) -> None:
        """Write rows of different keys."""
        assert self.written.evidence is not None  # noqa: S101 - ``write`` has made it
        refused: dict[int, BaseException] = {}
        looked = False

        def run(start: int, end: int) -> int:
            nonlocal looked
            positions = [at for at in range(start, end) if at not in refused] if refused else None
            if positions == []:
                return 0
            part = rows.slice(start, end - start) if positions is None else rows.take(positions)
            numbers = indices[start:end] if positions is None else [indices[at] for at in positions]
            try:
                with self.connection.begin_nested():
                    return self._run(numbers, part)
            except sa.exc.IntegrityError as error:
                self._check_snapshot(error)
                if looked or end - start == 1:
                    raise
                looked = True
                with self._reading(rows):
                    refused.update(
                        refusing.refused_rows(
                            self.connection, self.target, self.rules, self.statements
                        )
                    )
                if not refused:
                    raise
            return run(start, end)

        def fail(position: int, error: BaseException) -> None:
            self.written.poison.append(poison_of(indices[position], error))

        isolate(rows.num_rows, run, fail, blame_of, self.written.evidence)
        for position, error in refused.items():
            fail(position, error)

    def _check_snapshot(self, error: sa.exc.IntegrityError) -> None:
        """Ask for another try if a row of the same key was committed after this transaction began.

        Raises:
            Contention: It was, by a connection that is not this program's: ON CONFLICT does not see it.
        """
        is_key = self.rules.primary == frozenset(self.target.key)
        if is_key and "violates primary key constraint" in str(error.orig):
            raise Contention(
                f"another connection entered the same rows of {self.target.table.name}; trying again"
            ) from error

    def _run(self, indices: Sequence[int], rows: pa.Table) -> int:
        """Insert the rows whose keys are absent, then change those of the others."""
        which = bool(self.statements.upsert) or self.records.effects or self._batches > 1
        with self._reading(rows):
            took = self._execute(self.statements.insert, which)
            inserted: Sequence[int] = range(len(indices))
            if isinstance(took, int):
                inserted = inserted[:took]
            elif took.num_rows < len(indices):
                inserted = self._places(took)
        changed: Sequence[int] = ()
        if which and self.statements.upsert and len(inserted) < len(indices):
            rest = sorted(set(range(len(indices))) - set(inserted))
            changed = self._change(rest, rows.take(rest))
        whole = len(inserted) == len(indices)
        self.written.insert(self.records, indices if whole else [indices[at] for at in inserted])
        self.written.update(self.records, [indices[at] for at in changed])
        return len(inserted) + len(changed)

    def _change(self, positions: Sequence[int], rows: pa.Table) -> Sequence[int]:
        """Change rows that are there; returns the positions of those that have won."""
        compares = self.target.on_conflict.mode == "newest"
        which = compares and (self.records.effects or self._batches > 1)
        with self._reading(rows):
            took = self._execute(self.statements.upsert, which)
            if isinstance(took, int):
                return positions[:took]
            return [positions[place] for place in self._places(took)]

    @property
    def _batches(self) -> int:
        return len(self.records.starts)

    def _execute(self, statement: str, which: bool) -> int | pa.Table:
        """How many rows took effect, or the keys of these."""
        if not which:
            return int(self.connection.exec_driver_sql(statement).rowcount)
        return self._table(statement + self.statements.returning)

    def _places(self, keys: pa.Table) -> list[int]:
        """The positions of rows that have these keys."""
        places = {key: at for at, key in enumerate(_tuples(self._table(self.statements.keys)))}
        return [places[key] for key in _tuples(keys)]

    def _table(self, statement: str) -> pa.Table:
        """The rows of a statement: as Python has them, they cost more than the statement."""
        result = self.connection.exec_driver_sql(statement, execution_options={ARROW: True})
        table: pa.Table = result.context.cursor.table
        result.close()
        return table

    def _reading(self, rows: pa.Table) -> Any:
        own: Any = self.connection.connection.dbapi_connection
        numbers = pa.array(np.arange(rows.num_rows))
        return own.reading({ROWS: rows.append_column(NUMBER, numbers)})


_RULES: PerProcess[Target, list[Rules]] = PerProcess(lambda _: [])


def _rules(connection: sa.Connection, target: Target) -> Rules:
    """The rules of the table, read once for each target: one that has changed is another target."""
    rules = _RULES.get(target)
    if not rules:
        rules.append(rules_of(connection, target.table))
    return rules[0]


def _tuples(table: pa.Table) -> Iterator[tuple[Any, ...]]:
    """The rows of ``table``."""
    return zip(*(column.to_pylist() for column in table.columns), strict=True)


def _comparable(value: Any) -> Any:
    """A cell of a key so that it is equal to what DuckDB takes for equal."""
    return "NaN" if isinstance(value, float) and math.isnan(value) else value


def _as_arrow(target: Target, block: Block, poison: list[Poison]) -> tuple[Block, pa.Table]:
    """``block`` as an Arrow table; a row with a value that would be changed is added to ``poison``."""
    types = {column.name: column.type for column in target.columns}
    try:
        return block, _table(types, block)
    except ENCODE_ERRORS:
        good = without_refused(block, lambda name, cells: arrow_of(types[name], cells), poison)
        return good, _table(types, good)


def _table(types: dict[str, str], block: Block) -> pa.Table:
    columns = [
        arrow_of(types[name], values) for name, values in zip(block.names, block.cells, strict=True)
    ]
    return pa.table(columns, names=list(block.names))
