"""Rows by INSERT … ON DUPLICATE KEY UPDATE, thousands a statement.

The server applies the rows of a statement one after another, so that records of one key take effect in
their order, and says how many keys were there. That clause takes any unique index for the key: where another one may
decide, or a trigger would see an insert or an update that is none, rows are looked up one by one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from sinks.database.catalogue.mariadb import is_mariadb
from sinks.database.depths import depths_of
from sinks.database.tables import Operation
from sinks.table.evidence import Evidence
from sinks.table.isolate import blame_of, isolate, poison_of
from sinks.table.mariadb.description import (
    Rules,
    add_statement,
    create_statement,
    describe,
    rules_of,
)
from sinks.table.mariadb.literals import NULL
from sinks.table.mariadb.literals import column as literals_of
from sinks.table.mariadb.session import Session
from sinks.table.mariadb.statements import Statements, statements_of
from sinks.table.records import Records, Written
from sinks.table.rows import ENCODE_ERRORS, Block, Poison, pick, rows_of, runs_of, without_refused
from sinks.table.schema import NewColumn
from sinks.table.target import Column, Description, Target
from sinks.table.writer import Wider
from transforms.per_process import PerProcess
from transforms.route.table_name import TableName

ROWS = 5_000
"""The most rows of one statement: a refused row makes the others of its statement be written again."""

_REFERENCES = sa.text(
    "SELECT table_schema, table_name, referenced_table_schema, referenced_table_name "
    "FROM information_schema.key_column_usage WHERE referenced_table_name IS NOT NULL"
)
_HERE = sa.text("SELECT DATABASE()")


class MariadbWriter:
    """MariaDB 10.6, MySQL 8.0, or later, by PyMySQL."""

    def describe(self, connection: sa.Connection, table: TableName) -> Description | None:
        """Read the information schema."""
        return describe(connection, table)

    def create(
        self,
        connection: sa.Connection,
        table: TableName,
        columns: Sequence[NewColumn],
        key: Sequence[str],
    ) -> None:
        """Create the table; MariaDB commits whatever the transaction did before."""
        _run(
            connection,
            create_statement(table, columns, key, is_mariadb=is_mariadb(connection)),
        )

    def add_column(self, connection: sa.Connection, table: TableName, column: NewColumn) -> str:
        """Add it; MariaDB commits whatever the transaction did before."""
        statement = add_statement(table, column, is_mariadb=is_mariadb(connection))
        _run(connection, statement)
        return statement

    def widened(self, column: Column, values: Sequence[Any]) -> Wider | None:
        """None: MariaDB writes a table anew, and keeps others from writing, to change a type."""
        return None

    def misfits(self, column: Column, value: object) -> bool:
        """Whether no literal for the column says what ``value`` is."""
        try:
            literals_of(column.type, [value])
        except ENCODE_ERRORS:
            return True
        return False

    def depths(self, connection: sa.Connection, tables: Sequence[TableName]) -> list[int]:
        """Read all foreign keys of the server that this user may see."""
        here = connection.execute(_HERE).scalar_one()
        depths = depths_of(
            [((row[0], row[1]), (row[2], row[3])) for row in connection.execute(_REFERENCES)]
        )
        return [depths.get((table.schema or here, table.name), 0) for table in tables]

    def write(self, connection: sa.Connection, target: Target, records: Records) -> Written:
        """Write ``records`` in their order, batch by batch, so that each batch is counted."""
        written = Written.nothing(len(records.starts))
        rows, written.poison = rows_of(target, records.values, records.origin)
        written.evidence = Evidence.of(connection, target)
        rules = _rules(connection, target)
        session = Session(connection)
        for block in runs_of(target, rows):
            literals = _as_literals(target, block, written.poison)
            for batch, part in _by_batch(literals, records):
                _BatchWriter(session, target, rules, records, written, batch).write(part)
        written.evidence.check()
        return written

    def committed(self, target: Target, written: Written) -> None:
        """Remember which rows took effect."""
        if written.evidence is not None:
            written.evidence.note()


@dataclass(slots=True)
class _BatchWriter:
    """Writes blocks of rows of one batch."""

    session: Session
    target: Target
    rules: Rules
    records: Records
    written: Written
    batch: int

    def write(self, block: Block) -> None:
        """Write ``block``, whose cells are literals; rows that MariaDB refuses become poison."""
        statements = statements_of(self.target, block.names)
        by_row = self.records.effects or not self._is_by_key(statements)
        rows = list(zip(*block.cells, strict=True))
        texts = [] if by_row else ["(" + ",".join(row) + ")" for row in rows]

        def run(start: int, end: int) -> int:
            if by_row:
                return self._run_each(statements, rows[start:end], block.indices[start:end])
            return self._run_all(statements, rows, texts, start, end)

        def fail(position: int, error: BaseException) -> None:
            self.written.poison.append(poison_of(block.indices[position], error))

        assert self.written.evidence is not None  # noqa: S101 - ``write`` has made it
        for start in range(0, len(rows), ROWS):
            end = min(start + ROWS, len(rows))
            isolate(
                end - start,
                lambda a, b, s=start: run(s + a, s + b),  # type: ignore[misc]
                lambda p, error, s=start: fail(s + p, error),  # type: ignore[misc]
                blame_of,
                self.written.evidence,
            )

    def _is_by_key(self, statements: Statements) -> bool:
        """Whether ON DUPLICATE KEY does for these rows what their key says."""
        rules, names = self.rules, set(statements.names)
        if rules.watched:
            return False
        key = frozenset(self.target.key)
        for unique in rules.unique:
            # What contains the key is unique anyway, and a number that is not in the rows is new.
            if not unique >= key and not (rules.numbered in unique and rules.numbered not in names):
                return False
        if statements.ignores:
            return True
        # A row that lacks columns is judged as a new one, although it may only change another.
        lacked = [column for column in self.target.columns if column.name not in names]
        return not any(column.required for column in lacked) and not (lacked and rules.checked)

    def _run_all(
        self,
        statements: Statements,
        rows: Sequence[tuple[str, ...]],
        texts: Sequence[str],
        start: int,
        end: int,
    ) -> int:
        """All rows in one statement, or in a few that are undone together."""
        parts = list(self.session.parts(texts, start, end))
        inserted = updated = 0
        with self.session.savepoint(needed=len(parts) > 1):
            for first, last in parts:
                if last - first == 1:  # of a lone row the server does not say whether it was there
                    effect = self._run_row(statements, rows[first])
                    inserted += effect == "insert"
                    updated += effect == "update"
                    continue
                body = ",".join(texts[first:last])
                changed, there = self.session.insert(statements.insert, body, statements.conflict)
                inserted += last - first - there
                if not statements.ignores:
                    updated += changed if statements.newest else there
        self.written.inserted[self.batch] += inserted
        self.written.updated[self.batch] += updated
        return inserted + updated

    def _run_each(
        self, statements: Statements, rows: Sequence[tuple[str, ...]], indices: Sequence[int]
    ) -> int:
        """Row by row: look it up, then update or insert it; take note of what each row did."""
        effects: dict[int, Operation] = {}
        with self.session.savepoint(needed=True):
            for index, row in zip(indices, rows, strict=True):
                effect = self._run_row(statements, row)
                if effect is not None:
                    effects[index] = effect
        for operation in effects.values():
            counts = self.written.inserted if operation == "insert" else self.written.updated
            counts[self.batch] += 1
        if self.records.effects:
            self.written.effects.update(effects)
        return len(effects)

    def _run_row(self, statements: Statements, row: Sequence[str]) -> Operation | None:
        """One row; returns what it did."""
        where = statements.where(row)
        newer = "1"
        if statements.newest:
            compared = self.target.on_conflict.field
            value = NULL if statements.compared is None else row[statements.compared]
            newer = self.session.newer(compared, value)
        there = self.session.find(self.target, newer, where)
        if there is None:
            self.session.run(statements.insert, "(" + ",".join(row) + ")")
            return "insert"
        if statements.ignores or not there:
            return None
        self.session.run(statements.update, f"{statements.changes(row)} WHERE {where}")
        return "update"


_RULES: PerProcess[Target, list[Rules]] = PerProcess(lambda _: [])


def _rules(connection: sa.Connection, target: Target) -> Rules:
    """The rules of the table, read once for each target: one that has changed is another target."""
    rules = _RULES.get(target)
    if not rules:
        rules.append(rules_of(connection, target.table))
    return rules[0]


def _run(connection: sa.Connection, statement: str) -> None:
    connection.exec_driver_sql(statement, execution_options={"no_parameters": True})


def _as_literals(target: Target, block: Block, poison: list[Poison]) -> Block:
    """``block`` with literals for cells; a row with a value that has none is added to ``poison``."""
    columns = {column.name: column for column in target.columns}
    try:
        return _literals(columns, block)
    except ENCODE_ERRORS:
        return _literals(
            columns,
            without_refused(
                block, lambda name, cells: literals_of(columns[name].type, cells), poison
            ),
        )


def _literals(columns: dict[str, Column], block: Block) -> Block:
    cells = [
        literals_of(columns[name].type, values)
        for name, values in zip(block.names, block.cells, strict=True)
    ]
    return Block(block.names, cells, block.indices)


def _by_batch(block: Block, records: Records) -> Iterator[tuple[int, Block]]:
    """``block`` divided by batch; its indices may be out of order."""
    if len(records.starts) == 1:
        yield 0, block
        return
    parts: dict[int, list[int]] = {}
    for position, index in enumerate(block.indices):
        parts.setdefault(records.batch_of(index), []).append(position)
    for batch, positions in parts.items():
        yield batch, pick(block, positions)
