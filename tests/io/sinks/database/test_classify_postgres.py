"""What PostgreSQL's own errors mean, each provoked on a real server where it can be."""

from __future__ import annotations

import io
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import psycopg2
import pytest

from sinks.database.classify import BY_SQLSTATE, Kind, classify, sqlstate_of
from tests.services.tcp_proxy import TcpProxy

pytestmark = pytest.mark.integration

Provoke = Callable[[str], BaseException]
"""Makes the database at a URL raise, and returns what it raised."""


def raised(url: str, *statements: str) -> BaseException:
    """What the last of ``statements`` raises; those before it must go through."""
    with closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
        for statement in statements[:-1]:
            cursor.execute(statement)
        return error_of(lambda: cursor.execute(statements[-1]))


def error_of(call: Callable[[], object]) -> BaseException:
    with pytest.raises(psycopg2.Error) as caught:
        call()
    return caught.value


def statements(*texts: str) -> Provoke:
    return lambda url: raised(url, *texts)


def thrown(sqlstate: str) -> Provoke:
    """A trigger that raises the code: for what cannot be brought about on demand."""
    return statements(
        "CREATE TABLE t (id integer)",
        "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE 'simulated' USING ERRCODE = '{sqlstate}'; END $$",
        "CREATE TRIGGER r BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f()",
        "INSERT INTO t VALUES (1)",
    )


def deadlock(url: str) -> BaseException:
    with closing(psycopg2.connect(url)) as one, closing(psycopg2.connect(url)) as other:
        first, second = one.cursor(), other.cursor()
        first.execute("CREATE TABLE t AS SELECT n, 0 AS v FROM generate_series(1, 2) n")
        one.commit()
        for cursor, row in ((first, 1), (second, 2)):
            cursor.execute("SET deadlock_timeout = '50ms'")
            cursor.execute("UPDATE t SET v = 1 WHERE n = %s", [row])
        errors: list[BaseException] = []

        def cross(cursor: Any, row: int) -> None:
            try:
                cursor.execute("UPDATE t SET v = 2 WHERE n = %s", [row])
                cursor.connection.rollback()
            except psycopg2.Error as error:
                errors.append(error)
                cursor.connection.rollback()

        waiting = threading.Thread(target=cross, args=(first, 2))
        waiting.start()
        cross(second, 1)
        waiting.join(30)
    (error,) = errors
    return error


def serialization(url: str) -> BaseException:
    """Write skew: each transaction reads what the other one writes."""
    with closing(psycopg2.connect(url)) as one, closing(psycopg2.connect(url)) as other:
        one.cursor().execute("CREATE TABLE t (v integer)")
        one.commit()
        for connection in (one, other):
            connection.set_session(isolation_level="SERIALIZABLE")
            connection.cursor().execute("SELECT sum(v) FROM t")
        for connection in (one, other):
            connection.cursor().execute("INSERT INTO t VALUES (1)")
        one.commit()
        return error_of(other.commit)


def locked(statement: str, *settings: str) -> Provoke:
    def provoke(url: str) -> BaseException:
        with closing(psycopg2.connect(url)) as holder:
            holder.cursor().execute("CREATE TABLE t AS SELECT 1 AS v")
            holder.commit()
            holder.cursor().execute("UPDATE t SET v = 2")
            return raised(url, *settings, statement)

    return provoke


def until(cursor: Any, query: str, *values: object) -> None:
    """Wait until ``query`` says true."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        cursor.execute(query, values)
        if cursor.fetchone() == (True,):
            return
        threading.Event().wait(0.01)
    raise AssertionError(f"never true: {query}")


def too_large_for_memory(url: str) -> BaseException:
    return raised(
        url,
        "SET work_mem = '64kB'",
        "SET temp_file_limit = '64kB'",
        "SELECT n FROM generate_series(1, 100000) n ORDER BY md5(n::text)",
    )


def no_permission(url: str) -> BaseException:
    with role(url, "NOLOGIN") as name:
        return raised(
            url, "CREATE TABLE t (v integer)", f"SET ROLE {name}", "INSERT INTO t VALUES (1)"
        )


def copy_line(line: str) -> Provoke:
    def provoke(url: str) -> BaseException:
        with closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
            cursor.execute("CREATE TABLE t (a integer, b integer)")
            return error_of(lambda: cursor.copy_expert("COPY t FROM STDIN", io.StringIO(line)))

    return provoke


def constrained(column: str, *values: str) -> Provoke:
    inserts = [f"INSERT INTO t (v) VALUES ({value})" for value in values]
    return statements(
        "CREATE TABLE parents (id integer PRIMARY KEY)", f"CREATE TABLE t (v {column})", *inserts
    )


def in_failed_transaction(url: str) -> BaseException:
    with closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
        error_of(lambda: cursor.execute("SELECT 1 / 0"))
        return error_of(lambda: cursor.execute("SELECT 1"))


RANDOM_TEXT = "(SELECT string_agg(md5(n::text), '') FROM generate_series(1, 1000) n)"

CASES: list[tuple[str, Kind, str, Provoke]] = [
    # Outages: wait.
    ("08006", "outage", "", thrown("08006")),
    ("53100", "outage", "", thrown("53100")),  # disk full
    ("53200", "outage", "", thrown("53200")),  # out of memory
    ("53300", "outage", "", thrown("53300")),
    ("53400", "outage", "", too_large_for_memory),
    ("57P01", "outage", "", thrown("57P01")),
    ("57P02", "outage", "", thrown("57P02")),
    ("57P03", "outage", "", thrown("57P03")),
    ("57P05", "outage", "", thrown("57P05")),
    ("58030", "outage", "", thrown("58030")),  # I/O error
    (
        "25006",
        "outage",
        "",
        statements(
            "SET default_transaction_read_only = on", "COMMIT", "CREATE TABLE t (v integer)"
        ),
    ),
    ("25P03", "outage", "", thrown("25P03")),
    ("25P04", "outage", "", thrown("25P04")),
    # Transient: run the transaction again.
    ("40001", "transient", "", serialization),
    ("40P01", "transient", "", deadlock),
    ("55P03", "transient", "", locked("UPDATE t SET v = 3", "SET lock_timeout = '50ms'")),
    ("55P03", "transient", "", locked("SELECT * FROM t FOR UPDATE NOWAIT")),
    (
        "55006",
        "transient",
        "",
        statements(
            "CREATE TABLE t AS SELECT 1 AS v",
            "DECLARE c CURSOR FOR SELECT * FROM t",
            "FETCH c",
            "TRUNCATE t",
        ),
    ),
    ("57014", "transient", "", statements("SET statement_timeout = '50ms'", "SELECT pg_sleep(9)")),
    # A record's: isolate it.
    ("22001", "record", "data", constrained("varchar(3)", "'long'")),
    ("22003", "record", "data", constrained("smallint", "99999")),
    ("22007", "record", "data", constrained("date", "'soon'")),
    ("22008", "record", "data", constrained("date", "'2026-02-30'")),
    ("22012", "record", "data", constrained("integer CHECK (1 / v > 0)", "0")),
    ("22021", "record", "data", statements(r"SELECT convert_from('\xff', 'UTF8')")),
    ("22023", "record", "data", constrained("timestamptz", "'2026-01-01 00:00 Nowhere/Town'")),
    ("22P02", "record", "data", constrained("integer", "'x'")),
    ("22P04", "record", "data", copy_line("1\t2\t3\n")),
    ("22P05", "record", "data", constrained("jsonb", r"""'"\u0000"'""")),
    ("23502", "record", "constraint", constrained("integer NOT NULL", "NULL")),
    ("23503", "record", "foreign_key", constrained("integer REFERENCES parents", "404")),
    ("23505", "record", "constraint", constrained("integer UNIQUE", "1", "1")),
    ("23514", "record", "constraint", constrained("integer CHECK (v > 0)", "-1")),
    (
        "23P01",
        "record",
        "constraint",
        constrained("int4range, EXCLUDE USING gist (v WITH &&)", "'[1,5]'", "'[3,9]'"),
    ),
    (
        "44000",
        "record",
        "constraint",
        statements(
            "CREATE TABLE t (v integer)",
            "CREATE VIEW w AS SELECT v FROM t WHERE v > 0 WITH CHECK OPTION",
            "INSERT INTO w VALUES (-1)",
        ),
    ),
    ("54000", "record", "data", constrained("text UNIQUE", RANDOM_TEXT)),
    ("54001", "record", "data", constrained("jsonb", "repeat('[', 1000000)::jsonb")),
    ("38000", "record", "trigger", thrown("38000")),
    ("P0001", "record", "trigger", thrown("P0001")),
    ("SL001", "record", "trigger", thrown("SL001")),
    ("P0004", "record", "trigger", statements("DO $$ BEGIN ASSERT false; END $$")),
    # Fatal: no record is to blame, and waiting does not help.
    ("0A000", "fatal", "", statements("SELECT count(*) FROM pg_class FOR UPDATE")),
    ("21000", "record", "constraint", statements("SELECT (SELECT generate_series(1, 2))")),
    ("25P02", "fatal", "", in_failed_transaction),
    ("3F000", "fatal", "", statements("CREATE TABLE nowhere.t (v integer)")),
    ("42501", "fatal", "", no_permission),
    ("42601", "fatal", "", statements("INSERT INTO")),
    ("42703", "fatal", "", statements("SELECT nosuch FROM pg_class")),
    ("42P01", "fatal", "", statements("INSERT INTO nosuch VALUES (1)")),
    (
        "428C9",
        "fatal",
        "",
        constrained("integer GENERATED ALWAYS AS IDENTITY", "7"),
    ),
    ("55000", "fatal", "", statements("CREATE SEQUENCE s", "SELECT currval('s')")),
    (
        "2200H",
        "fatal",
        "",
        statements(
            "CREATE SEQUENCE s MAXVALUE 2 START 2", "SELECT nextval('s')", "SELECT nextval('s')"
        ),
    ),
    ("XX000", "fatal", "", statements("SELECT array_in('{1}', 0, 0)")),
]
"""SQLSTATE, what it means, the category of a record's, and how it comes about."""


COVERED = {sqlstate for sqlstate, _, _, _ in CASES}


@pytest.mark.parametrize(
    ("sqlstate", "kind", "category", "provoke"), CASES, ids=[case[0] for case in CASES]
)
def test_an_sqlstate_has_one_meaning(
    postgres_url: str, sqlstate: str, kind: Kind, category: str, provoke: Provoke
) -> None:
    verdict = classify(provoke(postgres_url))
    assert (verdict.sqlstate, verdict.kind, verdict.category) == (sqlstate, kind, category)


class TestByPlace:
    """A code that is fatal by itself may be a record's, for where the error arises."""

    @pytest.mark.parametrize("sqlstate", ["42501", "42P01", "0A000", "XX000"])
    def test_what_a_trigger_raises_on_purpose_is_the_records(
        self, postgres_url: str, sqlstate: str
    ) -> None:
        verdict = classify(thrown(sqlstate)(postgres_url))
        assert (verdict.kind, verdict.category) == ("record", "trigger")

    @pytest.mark.parametrize("sqlstate", ["40001", "57014", "53300"])
    def test_a_trigger_that_asks_for_another_try_gets_it(
        self, postgres_url: str, sqlstate: str
    ) -> None:
        assert classify(thrown(sqlstate)(postgres_url)).kind in ("transient", "outage")

    def test_an_error_inside_a_function_may_be_the_tables(self, postgres_url: str) -> None:
        function = (
            "CREATE FUNCTION f() RETURNS integer LANGUAGE plpgsql AS "
            "$$ BEGIN RETURN (SELECT 1 FROM nosuch); END $$"
        )
        verdict = classify(statements(function, "SELECT f()")(postgres_url))
        assert (verdict.kind, verdict.category, verdict.doubtful) == ("fatal", "", "trigger")

    def test_a_statement_that_is_wrong_may_be_a_rows_too(self, postgres_url: str) -> None:
        verdict = classify(statements("SELECT array_in('{1}', 0, 0)")(postgres_url))
        assert (verdict.kind, verdict.doubtful) == ("fatal", "data")

    def test_the_state_of_a_transaction_is_no_rows(self, postgres_url: str) -> None:
        verdict = classify(in_failed_transaction(postgres_url))
        assert (verdict.kind, verdict.doubtful) == ("fatal", "")


def test_every_line_of_the_table_is_decided_by_a_case() -> None:
    def line(sqlstate: str) -> str | None:
        return next((sqlstate[:n] for n in (5, 3, 2) if sqlstate[:n] in BY_SQLSTATE), None)

    assert {line(each) for each in COVERED} == {*BY_SQLSTATE, None}


class TestWithoutSqlstate:
    """psycopg2 has none for a connection that is not made, or is lost, whoever ended it."""

    def test_a_closed_port_is_an_outage(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
        assert self.kind(f"postgresql://postgres@127.0.0.1:{port}/postgres") == "outage"

    def test_a_host_without_address_is_an_outage(self) -> None:
        assert self.kind("postgresql://postgres@nosuch.invalid/postgres") == "outage"

    def test_too_many_connections_are_an_outage(self, postgres_url: str) -> None:
        with role(postgres_url, "LOGIN CONNECTION LIMIT 1") as name:
            url = as_user(postgres_url, name)
            with closing(psycopg2.connect(url)):
                assert self.kind(url, "too many connections for role") == "outage"

    def test_a_database_that_takes_no_connections_for_a_while_is_an_outage(
        self, postgres_server: str, postgres_url: str
    ) -> None:
        database = urlsplit(postgres_url).path[1:]
        alter = f"ALTER DATABASE {database} ALLOW_CONNECTIONS"
        run(postgres_server, f"{alter} false")
        try:
            assert self.kind(postgres_url, "not currently accepting connections") == "outage"
        finally:
            run(postgres_server, f"{alter} true")

    def test_an_unknown_database_is_fatal(self, postgres_server: str) -> None:
        url = postgres_server.replace("/postgres?", "/nosuch?")
        assert self.kind(url, 'database "nosuch" does not exist') == "fatal"

    def test_an_unknown_role_is_fatal(self, postgres_url: str) -> None:
        assert self.kind(as_user(postgres_url, "nosuch"), "does not exist") == "fatal"

    def test_a_role_without_login_is_fatal(self, postgres_url: str) -> None:
        with role(postgres_url, "NOLOGIN") as name:
            assert self.kind(as_user(postgres_url, name), "not permitted to log in") == "fatal"

    def test_a_database_that_a_role_may_not_use_is_fatal(
        self, postgres_server: str, postgres_url: str
    ) -> None:
        run(
            postgres_server,
            f"REVOKE CONNECT ON DATABASE {urlsplit(postgres_url).path[1:]} FROM PUBLIC",
        )
        with role(postgres_url, "LOGIN") as name:
            assert self.kind(as_user(postgres_url, name), "permission denied") == "fatal"

    def test_a_password_that_is_wrong_or_missing_is_fatal(self, postgres_url: str) -> None:
        with (
            role(postgres_url, "LOGIN PASSWORD 'right'") as name,
            rule(postgres_url, f"local all {name} scram-sha-256"),
        ):
            url = as_user(postgres_url, name)
            assert self.kind(url, "no password supplied") == "fatal"
            wrong = as_user(postgres_url, f"{name}:wrong")
            assert self.kind(wrong, "password authentication failed") == "fatal"

    def test_a_login_that_no_rule_allows_is_fatal(self, postgres_url: str) -> None:
        with role(postgres_url, "LOGIN") as name, rule(postgres_url, f"local all {name} reject"):
            url = as_user(postgres_url, name)
            assert self.kind(url, "pg_hba.conf rejects connection") == "fatal"

    @pytest.mark.parametrize(
        "query", ["sslmode=nosuch", "port=99999", "port=x", "nosuch=1", "sslmode=require"]
    )
    def test_an_option_that_cannot_hold_is_fatal(self, query: str, postgres_url: str) -> None:
        path = unix_socket(postgres_url)
        with TcpProxy(path) as proxy:
            base = f"host=127.0.0.1 port={proxy.port} user=postgres dbname=postgres {query}"
            verdict = classify(error_of(lambda: psycopg2.connect(base)))
        assert verdict.kind == "fatal", verdict.message

    def test_a_connection_cut_in_mid_statement_is_an_outage(self, postgres_url: str) -> None:
        path = unix_socket(postgres_url)
        with TcpProxy(path) as proxy:
            url = f"postgresql://postgres@127.0.0.1:{proxy.port}/postgres"
            with closing(psycopg2.connect(url)) as connection:
                cursor = connection.cursor()
                proxy.cut_at(b"pg_sleep", answered=False)
                lost = error_of(lambda: cursor.execute("SELECT pg_sleep(9)"))
                later = error_of(lambda: connection.cursor())
                closed = error_of(connection.commit)
        assert [classify(each).kind for each in (lost, later, closed)] == ["outage"] * 3
        assert sqlstate_of(lost) is None
        assert isinstance(later, psycopg2.InterfaceError), "connection already closed"

    def test_a_session_that_an_administrator_ends_is_an_outage(self, postgres_url: str) -> None:
        with (
            closing(psycopg2.connect(postgres_url)) as holder,
            closing(psycopg2.connect(postgres_url)) as victim,
            closing(psycopg2.connect(postgres_url)) as administrator,
        ):
            holder.cursor().execute("SELECT pg_advisory_lock(1)")
            errors: list[BaseException] = []
            waiting = threading.Thread(
                target=lambda: errors.append(
                    error_of(lambda: victim.cursor().execute("SELECT pg_advisory_lock(1)"))
                )
            )
            waiting.start()
            administrator.autocommit = True
            cursor = administrator.cursor()
            pid = victim.info.backend_pid
            until(
                cursor, "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND pid = %s)", pid
            )
            cursor.execute("SELECT pg_terminate_backend(%s)", [pid])
            waiting.join(30)
        assert [classify(error).kind for error in errors] == ["outage"]

    @pytest.mark.parametrize(
        ("setting", "in_transaction"),
        [
            ("idle_in_transaction_session_timeout", True),
            ("idle_session_timeout", False),
            ("transaction_timeout", True),
        ],
    )
    def test_a_session_that_was_ended_while_it_was_idle_is_an_outage(
        self, postgres_url: str, setting: str, in_transaction: bool
    ) -> None:
        with (
            closing(psycopg2.connect(postgres_url)) as idle,
            closing(psycopg2.connect(postgres_url)) as other,
        ):
            idle.autocommit = not in_transaction
            idle.cursor().execute(f"SET {setting} = '50ms'")
            other.autocommit = True
            gone = "SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE pid = %s)"
            until(other.cursor(), gone, idle.info.backend_pid)
            error = error_of(lambda: idle.cursor().execute("SELECT 1"))
        assert classify(error).kind == "outage"

    def test_a_closed_cursor_is_an_outage(self, postgres_url: str) -> None:
        with closing(psycopg2.connect(postgres_url)) as connection:
            cursor = connection.cursor()
            cursor.close()
            assert classify(error_of(lambda: cursor.execute("SELECT 1"))).kind == "outage"

    def kind(self, url: str, text: str = "") -> Kind:
        error = error_of(lambda: psycopg2.connect(url))
        assert sqlstate_of(error) is None
        assert text in str(error)
        return classify(error).kind


@contextmanager
def role(url: str, options: str) -> Iterator[str]:
    name = f"role_{uuid.uuid4().hex[:12]}"
    run(url, f"CREATE ROLE {name} {options}")
    try:
        yield name
    finally:
        run(url, f"DROP OWNED BY {name}", f"DROP ROLE {name}")


@contextmanager
def rule(url: str, line: str) -> Iterator[None]:
    """Who may log in, decided by ``line`` of pg_hba.conf before all others."""
    with closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
        cursor.execute("SHOW hba_file")
        (path,) = cursor.fetchone() or ("",)
    file = Path(path)
    before = file.read_text()
    try:
        file.write_text(f"{line}\n{before}")
        reload(url, line)
        yield
    finally:
        file.write_text(before)
        run(url, "SELECT pg_reload_conf()")


def reload(url: str, line: str) -> None:
    """Wait until new connections are held to ``line``."""
    run(url, "SELECT pg_reload_conf()")
    name = line.split()[2]
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            psycopg2.connect(as_user(url, name)).close()
        except psycopg2.OperationalError:
            return
        threading.Event().wait(0.01)
    raise AssertionError("the server did not take the new rule")


def as_user(url: str, name: str) -> str:
    parts = urlsplit(url)
    return parts._replace(netloc=f"{name}@{parts.netloc.partition('@')[2]}").geturl()


def unix_socket(url: str) -> str:
    """The path of the socket that the server listens on."""
    (folder,) = parse_qs(urlsplit(url).query)["host"]
    return f"{folder}/.s.PGSQL.5432"


def run(url: str, *texts: str) -> None:
    with closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        for text in texts:
            cursor.execute(text)
