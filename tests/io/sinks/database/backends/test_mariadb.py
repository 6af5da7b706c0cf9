"""What MariaDB does in its own way: sessions, locks, and rows that are added up."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from sinks.database.backends.mariadb import Mariadb
from sinks.database.columns import NAME, UtcDateTime
from sinks.database.dialects import dialect_of
from sinks.database.engine import dispose_engines, engine_of, transaction
from tests.io.sinks.tested_database import Database
from transforms.errors import ConfigError, Contention

counts = sa.Table(
    "counts",
    sa.MetaData(),
    sa.Column("name", NAME, primary_key=True),
    sa.Column("n", sa.BigInteger, nullable=False),
)


@pytest.mark.parametrize("scheme", ["mysql", "mariadb", "mysql+pymysql", "mariadb+pymysql"])
def test_a_url_names_the_driver(scheme: str) -> None:
    url = Mariadb().complete(sa.make_url(f"{scheme}://u@h/d"))
    assert url.drivername == "mysql+pymysql"


def test_a_url_names_a_database() -> None:
    with pytest.raises(ConfigError, match="names no database"):
        Mariadb().complete(sa.make_url("mysql://u@h"))


class TestServer:
    @pytest.fixture
    def connection(self, mariadb: Database) -> Iterator[sa.Connection]:
        with transaction(mariadb.database, "test") as connection:
            yield connection

    def test_a_session_is_strict_and_in_utc_whatever_the_server_is(
        self, mariadb: Database, connection: sa.Connection
    ) -> None:
        query = "SELECT @@time_zone, @@tx_isolation, @@sql_mode, @@character_set_client"
        zone, isolation, mode, characters = connection.exec_driver_sql(query).one()
        assert (zone, isolation, characters) == ("+00:00", "READ-COMMITTED", "utf8mb4")
        assert "STRICT_ALL_TABLES" in mode
        assert "NO_AUTO_VALUE_ON_ZERO" in mode
        now = dialect_of(connection).now(connection)
        assert abs(now - datetime.now(UTC)) < timedelta(minutes=1)

    def test_rows_are_added_to_those_that_are_there(self, connection: sa.Connection) -> None:
        dialect = dialect_of(connection)
        counts.create(connection)
        dialect.add(connection, counts, [{"name": "a", "n": 1}, {"name": "A", "n": 2}])
        dialect.add(connection, counts, [{"name": "a", "n": 5}, {"name": "b ", "n": 7}])
        rows = connection.execute(
            sa.select(counts.c.name, counts.c.n).order_by(counts.c.name)
        ).all()
        assert [tuple(row) for row in rows] == [("A", 2), ("a", 6), ("b ", 7)]
        dialect.upsert(connection, counts, [{"name": "a", "n": 0}])
        assert connection.scalar(sa.select(counts.c.n).where(counts.c.name == "a")) == 0

    def test_a_lock_holds_others_off_until_the_transaction_has_ended(
        self, mariadb: Database
    ) -> None:
        hasty = Database("mariadb", mariadb.url).config(statement_timeout=1).database
        with transaction(mariadb.database, "lock") as connection:
            dialect_of(connection).lock(connection, [("t", "a"), ("t", "b")])
            with (
                pytest.raises(Contention, match="keeps a lock"),
                transaction(hasty, "lock") as other,
            ):
                dialect_of(other).lock(other, [("t", "b")])
            with transaction(hasty, "lock") as other:
                dialect_of(other).lock(other, [("t2", "b")])  # another table is free
        with transaction(hasty, "lock") as other:
            dialect_of(other).lock(other, [("t", "b")])

    def test_a_limit_ends_with_its_transaction(self, mariadb: Database) -> None:
        before = mariadb.database.statement_timeout
        with transaction(mariadb.database, "limit") as connection:
            dialect_of(connection).limit_statements(connection, 0.5)
            with pytest.raises(sa.exc.DBAPIError):
                connection.exec_driver_sql("SELECT SLEEP(20)").scalar()
        with transaction(mariadb.database, "look") as connection:
            limit = connection.exec_driver_sql("SELECT @@max_statement_time").scalar_one()
        assert float(limit) == before

    def test_statements_read_one_moment(self, mariadb: Database) -> None:
        mariadb.run("CREATE TABLE t (k int PRIMARY KEY)")
        with transaction(mariadb.database, "read", write=False) as connection:
            dialect_of(connection).read_one_moment(connection)
            mariadb.run("INSERT INTO t VALUES (1)")
            assert connection.exec_driver_sql("SELECT COUNT(*) FROM t").scalar_one() == 0
        with transaction(mariadb.database, "read", write=False) as connection:
            assert connection.exec_driver_sql("SELECT COUNT(*) FROM t").scalar_one() == 1

    def test_times_keep_microseconds(self, connection: sa.Connection) -> None:
        times = sa.Table("times", sa.MetaData(), sa.Column("at", UtcDateTime))
        times.create(connection)
        at = datetime(2026, 3, 1, 23, 30, 0, 123456, tzinfo=UTC)
        connection.execute(sa.insert(times), [{"at": at}])
        assert connection.execute(sa.select(times.c.at)).scalar_one() == at

    def test_sessions_end_with_their_engine(self, mariadb: Database) -> None:
        with transaction(mariadb.database, "lock") as connection:
            assert dialect_of(connection).only_one(connection, ("x",))
            with transaction(mariadb.database, "lock") as other:
                assert not dialect_of(other).only_one(other, ("x",))
        engine = engine_of(mariadb.database)
        dispose_engines()
        assert engine is not engine_of(mariadb.database)
