"""What SQLite's own errors mean, each provoked on a real file where it can be."""

from __future__ import annotations

import resource
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from sinks.database.classify import BY_SQLITE_CODE, SQLITE_CONSTRAINT_DATATYPE, Kind, classify

Provoke = Callable[[Path], BaseException]
"""Makes SQLite raise in an empty folder, and returns what it raised."""

SQLITE_BUSY_SNAPSHOT = 517
SQLITE_IOERR_WRITE = 778


def error_of(call: Callable[[], object]) -> sqlite3.Error:
    with pytest.raises(sqlite3.Error) as caught:
        call()
    return caught.value


def raised(connection: sqlite3.Connection, *statements: str) -> sqlite3.Error:
    """What the last of ``statements`` raises; those before it must go through."""
    for statement in statements[:-1]:
        connection.execute(statement)
    return error_of(lambda: connection.execute(statements[-1]))


def connect(folder: Path, name: str = "t.db") -> sqlite3.Connection:
    return sqlite3.connect(folder / name, timeout=0.05, isolation_level=None)


def statements(*texts: str) -> Provoke:
    def provoke(folder: Path) -> BaseException:
        with closing(connect(folder)) as connection:
            return raised(connection, *texts)

    return provoke


def busy(folder: Path) -> BaseException:
    with closing(connect(folder)) as holder, closing(connect(folder)) as other:
        holder.execute("BEGIN IMMEDIATE")
        return raised(other, "BEGIN IMMEDIATE")


def busy_snapshot(folder: Path) -> BaseException:
    """A reader wants to write, and another writer has come between."""
    with closing(connect(folder)) as reader, closing(connect(folder)) as writer:
        reader.execute("PRAGMA journal_mode = WAL")
        reader.execute("CREATE TABLE t (v)")
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM t").fetchall()
        writer.execute("INSERT INTO t VALUES (1)")
        return raised(reader, "INSERT INTO t VALUES (2)")


def locked(folder: Path) -> BaseException:
    with closing(connect(folder)) as connection:
        connection.execute("CREATE TABLE t AS SELECT 1 AS v UNION SELECT 2")
        reading = connection.execute("SELECT * FROM t")
        reading.fetchone()
        return raised(connection, "DROP TABLE t")


def interrupted(folder: Path) -> BaseException:
    with closing(connect(folder)) as connection:
        connection.set_progress_handler(lambda: 1, 100)
        return raised(
            connection,
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n",
        )


def no_folder(folder: Path) -> BaseException:
    return error_of(lambda: connect(folder / "nosuch"))


def write_error(folder: Path) -> BaseException:
    """The system refuses to let the file grow."""
    with closing(connect(folder)) as connection:
        connection.execute("CREATE TABLE t (v)")
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (16_384, before[1]))
        try:
            return raised(connection, "INSERT INTO t VALUES (zeroblob(1000000))")
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)


def too_big(folder: Path) -> BaseException:
    with closing(connect(folder)) as connection:
        connection.execute("CREATE TABLE t (v)")
        connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, 100)
        return error_of(lambda: connection.execute("INSERT INTO t VALUES (?)", ["x" * 101]))


def deferred(folder: Path) -> BaseException:
    with closing(connect(folder)) as connection:
        return raised(
            connection,
            "PRAGMA foreign_keys = ON",
            "CREATE TABLE parents (id INTEGER PRIMARY KEY)",
            "CREATE TABLE t (v REFERENCES parents DEFERRABLE INITIALLY DEFERRED)",
            "BEGIN",
            "INSERT INTO t VALUES (404)",
            "COMMIT",
        )


def read_only(folder: Path) -> BaseException:
    connect(folder).close()
    (folder / "t.db").touch()
    with closing(sqlite3.connect(f"file:{folder}/t.db?mode=ro", uri=True)) as connection:
        return raised(connection, "CREATE TABLE t (v)")


def no_database(folder: Path) -> BaseException:
    (folder / "t.db").write_bytes(b"no database at all " * 100)
    with closing(connect(folder)) as connection:
        return raised(connection, "SELECT * FROM sqlite_master")


def corrupt(folder: Path) -> BaseException:
    with closing(connect(folder)) as connection:
        connection.execute("CREATE TABLE t (v)")
        connection.execute("INSERT INTO t VALUES (zeroblob(20000))")
    with (folder / "t.db").open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * 4096)
    with closing(connect(folder)) as connection:
        return raised(connection, "SELECT * FROM t")


def simulated(code: int) -> Provoke:
    def provoke(folder: Path) -> BaseException:
        error = sqlite3.OperationalError("simulated")
        error.sqlite_errorcode = code
        return error

    return provoke


def constrained(column: str, *values: str, options: str = "") -> Provoke:
    inserts = [f"INSERT INTO t VALUES ({value})" for value in values]
    return statements(
        "PRAGMA foreign_keys = ON",
        "CREATE TABLE parents (id INTEGER PRIMARY KEY)",
        f"CREATE TABLE t (v {column}) {options}",
        *inserts,
    )


S = sqlite3
CASES: list[tuple[str, int, Kind, str, Provoke]] = [
    ("BUSY", S.SQLITE_BUSY, "transient", "", busy),
    ("BUSY_SNAPSHOT", SQLITE_BUSY_SNAPSHOT, "transient", "", busy_snapshot),
    ("LOCKED", S.SQLITE_LOCKED, "transient", "", locked),
    ("INTERRUPT", S.SQLITE_INTERRUPT, "transient", "", interrupted),
    ("PROTOCOL", S.SQLITE_PROTOCOL, "transient", "", simulated(S.SQLITE_PROTOCOL)),
    ("CANTOPEN", S.SQLITE_CANTOPEN, "outage", "", no_folder),
    ("IOERR_WRITE", SQLITE_IOERR_WRITE, "outage", "", write_error),
    (
        "FULL",
        S.SQLITE_FULL,
        "outage",
        "",
        statements(
            "CREATE TABLE t (v)",
            "PRAGMA max_page_count = 3",
            "INSERT INTO t VALUES (zeroblob(1e5))",
        ),
    ),
    ("CHECK", S.SQLITE_CONSTRAINT_CHECK, "record", "constraint", constrained("CHECK (v > 0)", "0")),
    (
        "NOTNULL",
        S.SQLITE_CONSTRAINT_NOTNULL,
        "record",
        "constraint",
        constrained("NOT NULL", "NULL"),
    ),
    ("UNIQUE", S.SQLITE_CONSTRAINT_UNIQUE, "record", "constraint", constrained("UNIQUE", "1", "1")),
    (
        "PRIMARYKEY",
        S.SQLITE_CONSTRAINT_PRIMARYKEY,
        "record",
        "constraint",
        constrained("INTEGER PRIMARY KEY", "1", "1"),
    ),
    (
        "ROWID",
        S.SQLITE_CONSTRAINT_ROWID,
        "record",
        "constraint",
        statements(
            "CREATE TABLE t (v)",
            "INSERT INTO t (rowid, v) VALUES (1, 1)",
            "INSERT INTO t (rowid, v) VALUES (1, 1)",
        ),
    ),
    (
        "FOREIGNKEY",
        S.SQLITE_CONSTRAINT_FOREIGNKEY,
        "record",
        "foreign_key",
        constrained("REFERENCES parents", "404"),
    ),
    ("FOREIGNKEY-deferred", S.SQLITE_CONSTRAINT_FOREIGNKEY, "record", "foreign_key", deferred),
    (
        "TRIGGER",
        S.SQLITE_CONSTRAINT_TRIGGER,
        "record",
        "trigger",
        statements(
            "CREATE TABLE t (v)",
            "CREATE TRIGGER r BEFORE INSERT ON t BEGIN SELECT RAISE(ABORT, 'no'); END",
            "INSERT INTO t VALUES (1)",
        ),
    ),
    (
        "DATATYPE",
        SQLITE_CONSTRAINT_DATATYPE,
        "record",
        "data",
        constrained("INTEGER", "'x'", options="STRICT"),
    ),
    ("MISMATCH", S.SQLITE_MISMATCH, "record", "data", constrained("INTEGER PRIMARY KEY", "'x'")),
    ("TOOBIG", S.SQLITE_TOOBIG, "record", "data", too_big),
    ("READONLY", S.SQLITE_READONLY, "fatal", "", read_only),
    ("NOTADB", S.SQLITE_NOTADB, "fatal", "", no_database),
    ("CORRUPT", S.SQLITE_CORRUPT, "fatal", "", corrupt),
    ("ERROR-table", S.SQLITE_ERROR, "fatal", "", statements("INSERT INTO nosuch VALUES (1)")),
    ("ERROR-syntax", S.SQLITE_ERROR, "fatal", "", statements("INSERT INTO")),
]
"""Name, result code, what it means, the category of a record's, and how it comes about."""


@pytest.mark.parametrize(
    ("code", "kind", "category", "provoke"),
    [case[1:] for case in CASES],
    ids=[case[0] for case in CASES],
)
def test_a_result_code_has_one_meaning(
    tmp_path: Path, code: int, kind: Kind, category: str, provoke: Provoke
) -> None:
    error = provoke(tmp_path)
    assert getattr(error, "sqlite_errorcode", None) == code
    verdict = classify(error)
    assert (verdict.kind, verdict.category, verdict.sqlstate) == (kind, category, None)


def test_every_line_of_the_table_is_decided_by_a_case() -> None:
    def line(code: int) -> int | None:
        return next((each for each in (code, code & 0xFF) if each in BY_SQLITE_CODE), None)

    assert {line(code) for _, code, _, _, _ in CASES} == {*BY_SQLITE_CODE, None}


@pytest.mark.parametrize("value", [object(), 2**64, "\ud800"])
def test_a_value_that_cannot_be_bound_is_its_records_fault(tmp_path: Path, value: object) -> None:
    with closing(connect(tmp_path)) as connection:
        connection.execute("CREATE TABLE t (v)")
        with pytest.raises((sqlite3.Error, OverflowError, ValueError)) as caught:
            connection.execute("INSERT INTO t VALUES (?)", [value])
    verdict = classify(caught.value)
    assert (verdict.kind, verdict.category) == ("record", "data")


def test_a_mismatch_names_the_one_column_that_raises_it(tmp_path: Path) -> None:
    """SQLite itself says only "datatype mismatch"."""
    verdict = classify(constrained("INTEGER PRIMARY KEY", "'x'")(tmp_path))
    assert "INTEGER PRIMARY KEY takes whole numbers" in verdict.message
