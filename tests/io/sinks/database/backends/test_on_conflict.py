"""ON CONFLICT is spelled as each database compiles it."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from sinks.database.backends import on_conflict

pairs = sa.Table(
    "pairs",
    sa.MetaData(),
    sa.Column("a", sa.Integer, primary_key=True),
    sa.Column("b", sa.Integer, primary_key=True),
    sa.Column("c", sa.Integer),
)


class Recorder:
    """Compiles what it is told to execute."""

    def __init__(self, dialect: sa.Dialect) -> None:
        self.dialect = dialect
        self.text = ""

    def execute(self, statement: Any, rows: Any, **options: Any) -> Any:
        self.rows, self.options = rows, options
        self.text = " ".join(str(statement.compile(dialect=self.dialect)).split())
        return self

    rowcount = 1


@pytest.mark.parametrize("database", [postgresql, sqlite])
def test_an_upsert_changes_all_but_the_key(database: ModuleType) -> None:
    connection: Any = Recorder(database.dialect())
    on_conflict.upsert(database.insert, connection, pairs, [{"a": 1, "b": 2, "c": 3}])
    assert "ON CONFLICT (a, b) DO UPDATE SET c = excluded.c" in connection.text


@pytest.mark.parametrize("database", [postgresql, sqlite])
def test_only_a_conflict_of_the_key_is_passed_over(database: ModuleType) -> None:
    connection: Any = Recorder(database.dialect())
    assert on_conflict.insert_absent(database.insert, connection, pairs, [{"a": 1}], "a") == 1
    assert "ON CONFLICT (a) DO NOTHING" in connection.text


def test_the_number_of_one_row_is_asked_for_as_every_driver_can_tell_it() -> None:
    dialect: Any = postgresql.dialect
    connection: Any = Recorder(dialect())
    on_conflict.insert_absent(postgresql.insert, connection, pairs, [{"a": 1}], "a")
    assert connection.rows == {"a": 1}, "not executemany"
    assert connection.options == {"execution_options": {"preserve_rowcount": True}}
