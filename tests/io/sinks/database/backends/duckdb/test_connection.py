"""Connections to DuckDB: savepoints by doing again, turns of writers, a file that another process has."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from sinks.database.backends.duckdb.connection import Connection, connect


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[Connection]:
    own = connect(f"{tmp_path}/a.duckdb", 5)
    run(own, "CREATE TABLE t (k INTEGER PRIMARY KEY, n INTEGER)")
    yield own
    own.close()


def run(connection: Connection, text: str, *parameters: Any) -> Any:
    return connection.cursor().execute(text, parameters)


def keys(connection: Connection) -> list[int]:
    return [key for (key,) in run(connection, "SELECT k FROM t ORDER BY 1").fetchall()]


def test_what_is_done_before_a_savepoint_stays_and_what_came_after_it_is_gone(
    connection: Connection,
) -> None:
    connection.begin(writes=True)
    run(connection, "INSERT INTO t VALUES (?, ?)", 1, 1)
    with connection.reading({"rows": pa.table({"k": [2, 3]})}):
        run(connection, "INSERT INTO t (k) SELECT k FROM rows")
    connection.savepoint("a")
    connection.cursor().executemany("INSERT INTO t VALUES (?, ?)", [[4, 1], [5, 1]])
    connection.savepoint("b")
    with pytest.raises(duckdb.ConstraintException):
        run(connection, "INSERT INTO t VALUES (6, 1), (1, 1)")
    connection.roll_back_to("b")
    assert keys(connection) == [1, 2, 3, 4, 5]
    connection.roll_back_to("a")
    run(connection, "UPDATE t SET n = 7 WHERE k = 1")
    connection.release("a")
    connection.commit()
    assert keys(connection) == [1, 2, 3]
    assert run(connection, "SELECT n FROM t WHERE k = 1").fetchone() == (7,)


def test_a_transaction_in_which_a_statement_has_failed_is_never_committed(
    connection: Connection,
) -> None:
    connection.begin(writes=True)
    run(connection, "INSERT INTO t VALUES (1, 1)")
    with pytest.raises(duckdb.CatalogException):
        run(connection, "INSERT INTO missing VALUES (1)")
    with pytest.raises(duckdb.TransactionException, match="has failed; all of it is undone"):
        connection.commit()
    assert keys(connection) == []


def test_an_answer_that_differs_when_it_is_asked_for_again_undoes_the_transaction(
    connection: Connection,
) -> None:
    run(connection, "CREATE SEQUENCE numbers")
    connection.begin(writes=True)
    run(connection, "INSERT INTO t VALUES (nextval('numbers'), 1) RETURNING k")
    connection.savepoint("a")
    with pytest.raises(duckdb.TransactionException, match="changed since a savepoint"):
        connection.roll_back_to("a")
    with pytest.raises(duckdb.TransactionException):
        connection.commit()
    assert keys(connection) == []


def test_counts_and_rows_are_those_of_the_statement(connection: Connection) -> None:
    connection.begin(writes=True)
    inserted = run(connection, "INSERT INTO t VALUES (1, 1), (2, 2)")
    assert (inserted.rowcount, inserted.description, inserted.fetchall()) == (2, None, [])
    many = connection.cursor().executemany("UPDATE t SET n = ? WHERE k > ?", [[1, 0], [2, 1]])
    assert many.rowcount == 3
    returned = run(connection, "UPDATE t SET n = 5 RETURNING k")
    assert sorted(returned.fetchall()) == [(1,), (2,)]
    read = run(connection, "SELECT k, n FROM t ORDER BY 1")
    run(connection, "DELETE FROM t")  # does not take the rows away
    assert [column[0] for column in read.description] == ["k", "n"]
    assert (read.fetchone(), read.fetchmany(5), read.fetchone()) == ((1, 5), [(2, 5)], None)


def test_writers_of_a_process_take_turns_and_readers_see_what_is_committed(
    connection: Connection, tmp_path: Path
) -> None:
    other = connect(f"{tmp_path}/../{tmp_path.name}/a.duckdb", 0.01)
    connection.begin(writes=True)
    run(connection, "INSERT INTO t VALUES (1, 1)")
    with pytest.raises(duckdb.TransactionException, match=r"has been writing for 0\.01 s"):
        other.begin(writes=True)
    other.begin(writes=False)
    assert keys(other) == []
    other.rollback()
    connection.commit()
    other.begin(writes=True)
    assert keys(other) == [1]
    other.close()  # gives its turn back
    connection.begin(writes=True)
    connection.rollback()


def test_a_writer_that_waits_goes_on_when_the_one_before_has_ended(
    connection: Connection, tmp_path: Path
) -> None:
    other = connect(f"{tmp_path}/a.duckdb", 30)
    connection.begin(writes=True)
    run(connection, "INSERT INTO t VALUES (1, 1)")
    begun = threading.Thread(target=lambda: other.begin(writes=True))
    begun.start()
    connection.commit()
    begun.join()
    assert keys(other) == [1]
    other.close()


def test_a_statement_is_interrupted_at_the_end_of_its_time(connection: Connection) -> None:
    connection.begin(writes=False)
    connection.limit(0.05)
    with pytest.raises(duckdb.InterruptException):
        run(connection, "SELECT count(*) FROM range(10000000000000) a, range(10000) b")
    connection.rollback()
    connection.begin(writes=False)
    assert keys(connection) == []


def test_whoever_comes_second_is_told_which_process_has_the_file(
    connection: Connection, tmp_path: Path
) -> None:
    program = (
        "import sys; from sinks.database.backends.duckdb.connection import connect\n"
        "try: connect(sys.argv[1], 1)\nexcept Exception as error: print(error)"
    )
    said = subprocess.run(
        [sys.executable, "-c", program, f"{tmp_path}/a.duckdb"],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    assert f"process {os.getpid()} (" in said.stdout
    assert "one process at a time have it; try again when that has ended" in said.stdout


def test_a_file_that_is_no_database_is_said_to_be_none(tmp_path: Path) -> None:
    path = tmp_path / "a.duckdb"
    path.write_bytes(b"id,name\n1,a\n" * 1_000)
    with pytest.raises(duckdb.InvalidInputException, match="no DuckDB database; name another one"):
        connect(str(path), 1)


def test_a_new_file_is_its_owners_and_names_of_variables_are_no_tables(
    connection: Connection, tmp_path: Path
) -> None:
    assert (tmp_path / "a.duckdb").stat().st_mode & 0o777 == 0o600
    rows = pa.table({"k": [1]})
    assert rows.num_rows == 1
    with pytest.raises(duckdb.CatalogException):
        run(connection, "SELECT * FROM rows")
    assert run(connection, "SELECT current_setting('TimeZone')").fetchone() == ("UTC",)
