"""Errors without a code, those of other databases, and what is said of all of them."""

from __future__ import annotations

import re
import sqlite3
from pathlib import Path

import psycopg2
import pytest
import sqlalchemy as sa

from sinks.database.classify import (
    BY_MYSQL_NUMBER,
    BY_SQLITE_CODE,
    BY_SQLSTATE,
    SQLITE_CONSTRAINT_DATATYPE,
    Kind,
    classify,
)

DOCS = Path(__file__).parents[4] / "docs" / "failures.md"


class Coded(psycopg2.Error):
    """A psycopg2 error with a code of our choice."""

    def __init__(self, code: str) -> None:
        super().__init__("message")
        self._code = code

    @property
    def pgcode(self) -> str:  # type: ignore[override]
        return self._code


@pytest.mark.parametrize(
    "error",
    [
        psycopg2.OperationalError("server closed the connection unexpectedly"),
        psycopg2.OperationalError("SSL connection has been closed unexpectedly"),
        psycopg2.OperationalError("SSL SYSCALL error: EOF detected"),
        psycopg2.OperationalError("could not receive data from server: Connection timed out"),
        psycopg2.OperationalError("could not send data to server: Broken pipe"),
        psycopg2.OperationalError("timeout expired"),
        psycopg2.OperationalError("FATAL:  the database system is starting up"),
        psycopg2.OperationalError("FATAL:  sorry, too many clients already"),
        psycopg2.DatabaseError("error with status PGRES_TUPLES_OK and no message from the libpq"),
        psycopg2.InterfaceError("connection already closed"),
        psycopg2.InterfaceError("cursor already closed"),
        psycopg2.OperationalError("Verbindung unerwartet geschlossen"),
        sa.exc.TimeoutError("QueuePool limit reached"),
        ConnectionResetError("reset"),
    ],
    ids=str,
)
def test_a_lost_connection_is_an_outage(error: Exception) -> None:
    assert classify(error).kind == "outage"
    if isinstance(error, psycopg2.Error):
        wrapped = sa.exc.OperationalError("INSERT", None, error)
        assert classify(wrapped).kind == "outage"


@pytest.mark.parametrize(
    "message",
    [
        'FATAL:  password authentication failed for user "a"',
        'FATAL:  database "d" does not exist',
        'FATAL:  no pg_hba.conf entry for host "h"',
        "fe_sendauth: no password supplied",
        "SSL error: certificate verify failed",
        'root certificate file "/etc/ca.pem" does not exist',
        'server certificate for "a" (and 1 other name) does not match host name "b"',
    ],
)
def test_a_refused_login_is_not_waited_for(message: str) -> None:
    assert classify(psycopg2.OperationalError(message)).kind == "fatal"


class DatabaseError(Exception):
    """As in PEP 249."""


class OperationalError(DatabaseError):
    """As in PEP 249."""


class IntegrityError(DatabaseError):
    """As in PEP 249."""


class DataError(DatabaseError):
    """As in PEP 249."""


class ProgrammingError(DatabaseError):
    """As in PEP 249."""


MYSQL: list[tuple[int, Kind, str]] = [
    *((number, "transient", "") for number in (1020, 1205, 1213, 1317, 1412, 1969, 3024, 3058)),
    *(
        (number, "outage", "")
        for number in (1021, 1037, 1038, 1040, 1053, 1114, 1129, 1203, 1226, 1290, 1792, 1836, 1927)
    ),
    *((number, "fatal", "") for number in (1044, 1045, 1049, 1142, 1143)),
    *(
        (number, "record", "data")
        for number in (1118, 1153, 1264, 1265, 1292, 1300, 1366, 1367, 1406, 1411, 1416, 1690, 3140)
    ),
    *((number, "record", "constraint") for number in (1048, 1062, 1364, 1526, 3819, 4025)),
    *((number, "record", "foreign_key") for number in (1216, 1217, 1451, 1452)),
    *((number, "record", "trigger") for number in (1644,)),
]


@pytest.mark.parametrize(("number", "kind", "category"), MYSQL)
def test_a_mysql_number_says_more_than_the_class(number: int, kind: Kind, category: str) -> None:
    for cls in (OperationalError, IntegrityError):
        verdict = classify(cls(number, "text"))
        assert (verdict.kind, verdict.category) == (kind, category)


@pytest.mark.parametrize(("number", "kind", "category"), MYSQL)
@pytest.mark.parametrize("sqlstate", ["HY000", "23000", "42000"])
def test_a_mysql_number_says_more_than_the_sqlstate_beside_it(
    number: int, kind: Kind, category: str, sqlstate: str
) -> None:
    error = OperationalError(number, "text")
    error.sqlstate = sqlstate  # type: ignore[attr-defined]
    verdict = classify(error)
    assert (verdict.kind, verdict.category, verdict.sqlstate) == (kind, category, sqlstate)


def test_every_mysql_number_is_tested() -> None:
    assert {number for number, _, _ in MYSQL} == set(BY_MYSQL_NUMBER)


@pytest.mark.parametrize(
    ("error", "kind", "category"),
    [
        (OperationalError(2006, "MySQL server has gone away"), "outage", ""),
        (OperationalError(1040, "Too many connections"), "outage", ""),
        (IntegrityError(1062, "Duplicate entry"), "record", "constraint"),
        (DataError(1406, "Data too long"), "record", "data"),
        (ProgrammingError(1146, "Table 'd.t' doesn't exist"), "fatal", ""),
        (OperationalError(1054, "Unknown column"), "fatal", ""),
        (OperationalError(2013, "Lost connection"), "outage", ""),
        # A deadlock has undone the transaction, and its savepoints with it.
        (OperationalError(1305, "SAVEPOINT sa_savepoint_1 does not exist"), "transient", ""),
        (OperationalError(1305, "FUNCTION d.f does not exist"), "fatal", ""),
    ],
)
def test_another_drivers_error_is_judged_by_its_class(
    error: Exception, kind: Kind, category: str
) -> None:
    verdict = classify(sa.exc.DBAPIError("INSERT", None, error))
    assert (verdict.kind, verdict.category) == (kind, category)


@pytest.mark.parametrize(
    "error", [UnicodeEncodeError("utf-8", "\ud800", 0, 1, "no"), ValueError("NUL"), OverflowError()]
)
def test_a_value_that_the_driver_cannot_encode_is_its_records_fault(error: Exception) -> None:
    assert classify(error).category == "data"
    assert classify(sa.exc.StatementError("no", "INSERT", None, error)).kind == "record"


def test_an_error_of_the_program_is_fatal() -> None:
    assert classify(sa.exc.InvalidRequestError("no transaction")).kind == "fatal"
    assert classify(KeyError("x")).kind == "fatal"


def test_the_message_is_one_bounded_line_without_parameters() -> None:
    original = Coded("22P02")
    wrapped = sa.exc.DBAPIError("INSERT", {"v": "another row's secret"}, original)
    assert classify(wrapped).message == "message"
    assert classify(psycopg2.OperationalError("a\n\tb" + "x" * 5_000)).message.startswith("a; b")
    assert len(classify(psycopg2.OperationalError("x" * 5_000)).message) == 2_000


class TestDocs:
    """docs/failures.md lists every code, in the row of its class and category."""

    @pytest.mark.parametrize("code", sorted(BY_SQLSTATE))
    def test_an_sqlstate_stands_in_its_row(self, code: str) -> None:
        assert self.row("PostgreSQL", code).startswith(self.title(*BY_SQLSTATE[code]))

    @pytest.mark.parametrize("code", sorted(BY_SQLITE_CODE))
    def test_a_result_code_of_sqlite_stands_in_its_row(self, code: int) -> None:
        # The module has other constants of the same values, which no row lists.
        names = [name for name, value in vars(sqlite3).items() if value == code]
        if code == SQLITE_CONSTRAINT_DATATYPE:
            names.append("SQLITE_CONSTRAINT_DATATYPE")
        row = self.row("SQLite", *(name for name in names if name.startswith("SQLITE_")))
        assert row.startswith(self.title(*BY_SQLITE_CODE[code]))

    @pytest.mark.parametrize("number", sorted(BY_MYSQL_NUMBER))
    def test_a_mysql_number_stands_in_its_row(self, number: int) -> None:
        kind, _ = BY_MYSQL_NUMBER[number]
        assert self.row("MySQL", str(number)).startswith(f"| {kind} |")

    def title(self, kind: Kind, category: str) -> str:
        return f"| {kind}: `{category}` |" if category else f"| {kind} |"

    def row(self, section: str, *codes: str) -> str:
        """The row whose second cell lists one of ``codes``."""
        text = re.split(rf"^## {section}", DOCS.read_text(), flags=re.MULTILINE)[1]
        rows = [
            line
            for line in text.partition("\n## ")[0].splitlines()
            if line.startswith("| ") and any(f"`{code}`" in line.split(" | ")[1] for code in codes)
        ]
        assert len(rows) == 1, rows
        return rows[0]


def test_a_code_and_a_text_are_not_printed_as_a_tuple() -> None:
    """MySQL's drivers raise with both as arguments."""
    assert classify(OperationalError(1045, "Access denied")).message == ("Access denied (1045)")


def test_lines_of_libpq_do_not_run_into_each_other() -> None:
    text = (
        'server at "h" failed: refused\n\tIs the server running?\nserver at "i" failed: refused\n'
    )
    assert classify(psycopg2.OperationalError(text)).message == (
        'server at "h" failed: refused; Is the server running?; server at "i" failed: refused'
    )
