"""Which errors wait, which are tried again, which blame a record, and which fail the run."""

from __future__ import annotations

import sqlite3

import psycopg2
import pytest
import sqlalchemy as sa

from sinks.classify import classify


class Coded(psycopg2.Error):
    """A psycopg2 error with a code of our choice."""

    def __init__(self, code: str) -> None:
        super().__init__("message")
        self._code = code

    @property
    def pgcode(self) -> str:  # type: ignore[override]
        return self._code


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("08006", "outage"),
        ("57P01", "outage"),
        ("57P03", "outage"),
        ("53300", "outage"),
        ("53100", "outage"),
        ("25006", "outage"),
        ("40001", "transient"),
        ("40P01", "transient"),
        ("55P03", "transient"),
        ("57014", "transient"),
        ("22P02", "record"),
        ("22001", "record"),
        ("23502", "record"),
        ("23505", "record"),
        ("54000", "record"),
        ("P0001", "record"),
        ("42P01", "fatal"),
        ("42501", "fatal"),
        ("42703", "fatal"),
        ("28P01", "fatal"),
        ("3D000", "fatal"),
        ("XX000", "fatal"),
        ("25P02", "fatal"),
    ],
)
def test_an_sqlstate_has_one_meaning(code: str, kind: str) -> None:
    verdict = classify(Coded(code))
    assert (verdict.kind, verdict.sqlstate) == (kind, code)


@pytest.mark.parametrize(
    "error",
    [
        psycopg2.OperationalError("server closed the connection unexpectedly"),
        psycopg2.InterfaceError("connection already closed"),
        psycopg2.OperationalError("could not translate host name"),
        sa.exc.TimeoutError("QueuePool limit reached"),
    ],
)
def test_a_lost_connection_is_an_outage(error: Exception) -> None:
    assert classify(error).kind == "outage"


@pytest.mark.parametrize(
    "message",
    [
        'FATAL:  password authentication failed for user "a"',
        'FATAL:  database "d" does not exist',
        'FATAL:  no pg_hba.conf entry for host "h"',
        "fe_sendauth: no password supplied",
    ],
)
def test_a_refused_login_is_not_waited_for(message: str) -> None:
    assert classify(psycopg2.OperationalError(message)).kind == "fatal"


def sqlite_error(statement: str, *values: object) -> sqlite3.Error:
    connection = sqlite3.connect(":memory:")
    try:
        connection.execute("CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT NOT NULL)")
        connection.execute(statement, values)
    except (sqlite3.Error, OverflowError) as error:
        return error  # type: ignore[return-value]
    finally:
        connection.close()
    raise AssertionError("nothing was raised")


@pytest.mark.parametrize(
    ("statement", "values", "kind"),
    [
        ("INSERT INTO t VALUES (1, NULL)", (), "record"),
        ("INSERT INTO t VALUES ('x', 'y')", (), "record"),
        ("INSERT INTO t VALUES (1, ?)", (object(),), "record"),
        ("INSERT INTO t VALUES (?, 'y')", (2**64,), "record"),
        ("INSERT INTO nosuch VALUES (1)", (), "fatal"),
        ("INSERT INTO", (), "fatal"),
    ],
)
def test_sqlite_errors_have_their_kind(
    statement: str, values: tuple[object, ...], kind: str
) -> None:
    assert classify(sqlite_error(statement, *values)).kind == kind


def test_the_message_is_one_bounded_line_without_parameters() -> None:
    original = Coded("22P02")
    wrapped = sa.exc.DBAPIError("INSERT", {"v": "another row's secret"}, original)
    assert classify(wrapped).message == "message"
    assert classify(psycopg2.OperationalError("a\n\tb" + "x" * 5_000)).message.startswith("a b")
    assert len(classify(psycopg2.OperationalError("x" * 5_000)).message) == 2_000
