"""Checks carried out on SQLite, also by a driver that has a fault: the checks are to see it."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from pipelines.conformance.check import Check, Result
from pipelines.conformance.ground import Ground, ground_in
from pipelines.conformance.suite import carried_out
from sinks.database.database import Database

Fault = Callable[[str, Any], tuple[str, Any]]
"""What becomes of a statement and its parameters."""


def changed(kind: type, change: Callable[[Any], Any], where: str = "INSERT INTO") -> Fault:
    """A driver that changes the values of one type, in statements that begin like this."""

    def fault(statement: str, values: Any) -> tuple[str, Any]:
        if statement.startswith(where):
            values = tuple(change(value) if type(value) is kind else value for value in values)
        return statement, values

    return fault


def instead(old: str, new: str) -> Fault:
    """A driver that understands a part of a statement as another."""
    return lambda statement, values: (statement.replace(old, new), values)


def named(checks: Sequence[Check], name: str) -> Check:
    """The check of this name."""
    (check,) = (check for check in checks if check.name == name)
    return check


@contextmanager
def sqlite_ground(folder: Path, fault: Fault | None = None) -> Iterator[Ground]:
    """A ground of SQLite's beside a file in ``folder``, with a driver that may have a fault."""
    with ground_in(Database(f"sqlite:///{folder}/a.db")) as ground:
        if fault is not None:
            _break(ground.engine, fault)
        yield ground


def result_of(check: Check, folder: Path, fault: Fault | None = None) -> Result:
    """What ``check`` comes to on SQLite."""
    with sqlite_ground(folder, fault) as ground:
        return carried_out(check, ground)[0]


def _break(engine: sa.Engine, fault: Fault) -> None:
    class Cursor(sqlite3.Cursor):
        def execute(self, statement: str, values: Any = ()) -> Any:
            return super().execute(*fault(statement, values))

        def executemany(self, statement: str, rows: Iterable[Any]) -> Any:
            faulty = [fault(statement, values) for values in rows]
            text = faulty[0][0] if faulty else statement
            return super().executemany(text, [values for _, values in faulty])

    class Connection(sqlite3.Connection):
        def cursor(self, _factory: object = None) -> Any:
            return super().cursor(Cursor)

    def connect(_dialect: object, _record: object, arguments: Any, options: Any) -> Any:
        return sqlite3.connect(*arguments, factory=Connection, **options)

    engine.dispose()
    sa.event.listen(engine, "do_connect", connect)


def losing(table: str) -> Fault:
    """A driver that loses the rows of one table and says nothing."""

    def fault(statement: str, values: Any) -> tuple[str, Any]:
        if statement.startswith(f'INSERT INTO "{table}"'):
            statement = re.sub(r"VALUES \(([?, ]+)\)", r"SELECT \1 WHERE 0", statement)
        return statement, values

    return fault


def keeping(table: str) -> Fault:
    """A driver that deletes nothing from one table, and says that it did."""
    return instead(f"DELETE FROM {table} WHERE", f"UPDATE {table} SET rowid = rowid WHERE")
