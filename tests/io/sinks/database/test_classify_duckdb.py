"""What DuckDB's errors mean, each provoked."""

from __future__ import annotations

from collections.abc import Iterator

import duckdb
import pytest

from sinks.database.classify import classify
from transforms.batch.retry_policy import FOREIGN_KEY


@pytest.fixture
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as own:
        own.execute("CREATE TABLE parents (id INTEGER PRIMARY KEY)")
        own.execute(
            "CREATE TABLE t (k INTEGER PRIMARY KEY, n INTEGER NOT NULL DEFAULT 1 CHECK (n > 0), "
            "p INTEGER REFERENCES parents (id))"
        )
        own.execute("INSERT INTO t VALUES (1, 1, NULL)")
        yield own


@pytest.mark.parametrize(
    ("statement", "kind", "category"),
    [
        ("INSERT INTO t VALUES (1, 1, NULL)", "record", "constraint"),
        ("INSERT INTO t VALUES (2, NULL, NULL)", "record", "constraint"),
        ("INSERT INTO t VALUES (2, 0, NULL)", "record", "constraint"),
        ("INSERT INTO t VALUES (2, 1, 404)", "record", FOREIGN_KEY),
        ("INSERT INTO t VALUES ('x', 1, NULL)", "record", "data"),
        ("SELECT CAST(3000000000 AS INTEGER)", "record", "data"),
        ("SELECT 9223372036854775807 + 1", "record", "data"),
        ("SELECT * FROM missing", "fatal", ""),
        ("SELECT", "fatal", ""),
        ("ATTACH '/no/such/folder/x.db'", "outage", ""),
    ],
)
def test_an_error_of_a_statement(
    connection: duckdb.DuckDBPyConnection, statement: str, kind: str, category: str
) -> None:
    with pytest.raises(duckdb.Error) as caught:
        connection.execute(statement)
    verdict = classify(caught.value)
    assert (verdict.kind, verdict.category) == (kind, category)


def test_a_conflict_of_transactions_is_transient(connection: duckdb.DuckDBPyConnection) -> None:
    with connection.cursor() as other:
        for session in (connection, other):
            session.execute("BEGIN")
        connection.execute("UPDATE t SET n = 2")
        with pytest.raises(duckdb.TransactionException) as caught:
            other.execute("UPDATE t SET n = 3")
    assert classify(caught.value).kind == "transient"


def test_what_lacks_memory_waits_and_what_is_broken_does_not() -> None:
    assert classify(duckdb.OutOfMemoryException("x")).kind == "outage"
    assert classify(duckdb.InterruptException("x")).kind == "transient"
    for error in (duckdb.FatalException, duckdb.ConnectionException):
        verdict = classify(error("x"))
        assert (verdict.kind, verdict.doubtful) == ("fatal", "")
    assert classify(duckdb.InternalException("x")).doubtful == "data"  # if only some rows raise it
