"""What SQLite says of itself."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from sinks.database.catalogue import sqlite as catalogue
from sinks.database.catalogue.figures import Need
from sinks.database.engine import transaction
from tests.io.sinks.tested_database import Database
from transforms.errors import SluiceError
from transforms.route.table_name import TableName

FOREVER = """
WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 4000000000)
SELECT count(*) FROM numbers
"""
NEEDS = [Need("SELECT", '"t"', "a"), Need("INSERT", '"t"', "a"), Need("TEMPORARY")]


def test_the_file_says_how_much_of_it_holds_nothing(sqlite_database: Database) -> None:
    sqlite_database.run(
        "CREATE TABLE t (a BLOB)", "INSERT INTO t VALUES (zeroblob(1000000))", "DELETE FROM t"
    )
    with transaction(sqlite_database.database, "test", write=False) as connection:
        server = catalogue.server(connection)
    assert server.version == sqlite3.sqlite_version
    assert not server.too_old
    assert server.bytes is not None
    assert server.free_bytes is not None
    assert 900_000 < server.free_bytes < server.bytes


def test_a_file_that_may_be_written_lacks_nothing(
    sqlite_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    sqlite_database.run("CREATE TABLE t (a TEXT)")
    with transaction(sqlite_database.database, "test", write=False) as connection:
        assert catalogue.lacking(connection, NEEDS) == []
        monkeypatch.setattr("os.access", lambda path, mode: False)
        assert catalogue.lacking(connection, NEEDS) == NEEDS[1:]


def test_a_limit_is_that_of_one_transaction(sqlite_database: Database) -> None:
    with pytest.raises(SluiceError, match="interrupted"):
        _ask_forever(sqlite_database)
    long_enough = FOREVER.replace("4000000000", "400000")
    with transaction(sqlite_database.database, "test", write=False) as connection:
        assert connection.exec_driver_sql(long_enough).scalar() == 400_000


def _ask_forever(database: Database) -> None:
    with transaction(database.database, "test", write=False) as connection:
        catalogue.limit_statements(connection, 0.05)
        connection.exec_driver_sql(FOREVER)


@pytest.mark.parametrize(
    ("statement", "has"),
    [
        ("CREATE TRIGGER one AFTER INSERT ON T BEGIN SELECT 1; END", True),
        ("CREATE TEMP TRIGGER one BEFORE INSERT ON t BEGIN SELECT 1; END", True),
        ("CREATE TRIGGER one AFTER INSERT ON other BEGIN SELECT 1; END", False),
    ],
)
@pytest.mark.parametrize("schema", [None, "main"])
def test_triggers_are_those_of_the_table(statement: str, has: bool, schema: str | None) -> None:
    with closing(sqlite3.connect(":memory:")) as connection:
        cursor = connection.cursor()
        cursor.execute("CREATE TABLE t (a)")
        cursor.execute("CREATE TABLE other (a)")
        cursor.execute(statement)

        assert catalogue.has_triggers(cursor, TableName("t", schema)) is has
