"""DuckDB: which files can be used, and what is done to many rows at once."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa

from sinks.database.backends.duckdb.dialect import Duckdb
from sinks.database.columns import UtcDateTime
from sinks.database.database import Database as Place
from sinks.database.engine import dialect_for, engine_of, exists, retried, transaction
from tests.io.sinks.tested_database import Database
from transforms.errors import ConfigError, Contention

NOON = datetime(2026, 1, 1, 12, 0, 0, 1, UTC)
TABLE = sa.Table(
    "counts",
    sa.MetaData(),
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("count", sa.BigInteger, nullable=False),
)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("duckdb://", "in-memory"),
        ("duckdb:///:memory:", "in-memory"),
        ("duckdb:////no/such/folder/x.db", "folder /no/such/folder .* does not exist"),
        ("duckdb:////", "/ is a folder; name a file for the DuckDB database"),
    ],
)
def test_a_file_that_cannot_last_or_be_created_is_refused(url: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        engine_of(Place(url))


def test_a_place_of_its_own_is_a_file_beside_with_its_log() -> None:
    place = Duckdb().apart(sa.make_url("duckdb:////a/b.duckdb"), "x")
    assert str(place.url) == "duckdb:////a/b.duckdb.x"
    assert [path.name for path in place.files] == ["b.duckdb.x", "b.duckdb.x.wal"]


def test_a_file_that_is_not_there_is_not_made_by_asking(tmp_path: Path) -> None:
    database = Place(f"duckdb:///{tmp_path}/a.duckdb")
    assert not exists(database)
    assert list(tmp_path.iterdir()) == []
    assert dialect_for(database).in_process


def test_rows_are_merged_by_their_key(duckdb_database: Database) -> None:
    with transaction(duckdb_database.database, "test") as connection:
        dialect = dialect_for(duckdb_database.database)
        TABLE.create(connection)
        dialect.insert(connection, TABLE, {"name": ["a", "b"]}, {"count": 1})
        rows = [{"name": "b", "count": 5}, {"name": "c", "count": 6}]
        assert dialect.insert_absent(connection, TABLE, [*rows, rows[1]], "name") == 1
        dialect.add(connection, TABLE, rows)
        dialect.upsert(connection, TABLE, [{"name": "a", "count": 8}, {"name": "a", "count": 9}])
        listed = connection.execute(sa.select(TABLE).order_by(TABLE.c.name)).all()
        assert [tuple(row) for row in listed] == [("a", 9), ("b", 6), ("c", 12)]
        assert dialect.insert_absent(connection, TABLE, [], "name") == 0
        dialect.upsert(connection, TABLE, [])
        dialect.insert(connection, TABLE, {"name": []}, {"count": 1})


def test_bytes_are_looked_for_at_whole_bytes(duckdb_database: Database) -> None:
    dialect = dialect_for(duckdb_database.database)
    with transaction(duckdb_database.database, "test") as connection:
        column = sa.literal(b"\x12\x34\x00z", sa.LargeBinary)

        def contains(part: bytes) -> bool:
            return bool(connection.execute(sa.select(dialect.contains(column, part))).scalar_one())

        assert [contains(part) for part in (b"\x34\x00", b"z", b"", b"\x23", b"Z")] == [
            *(True, True, True),
            *(False, False),
        ]


def test_an_instant_is_itself_and_the_time_of_a_transaction_is_bounded(
    duckdb_database: Database,
) -> None:
    times = sa.Table("times", sa.MetaData(), sa.Column("at", UtcDateTime))
    with transaction(duckdb_database.database, "test") as connection:
        times.create(connection)
        connection.execute(sa.insert(times), [{"at": NOON}])
        assert connection.execute(sa.select(times.c.at)).scalar_one() == NOON
    dialect = dialect_for(duckdb_database.database)
    endless = sa.text("SELECT count(*) FROM range(10000000000000) a, range(10000) b")

    def last_too_long() -> None:
        with transaction(duckdb_database.database, "test", write=False) as connection:
            dialect.limit_statements(connection, 0.05)
            connection.execute(endless)

    with pytest.raises(Contention, match="Interrupted"):
        last_too_long()


def test_a_conflict_with_a_plain_connection_is_contention(duckdb_database: Database) -> None:
    duckdb_database.run("CREATE TABLE t (k INTEGER, n INTEGER)", "INSERT INTO t VALUES (1, 0)")
    tries = []

    def work() -> None:
        with transaction(duckdb_database.database, "test") as connection:
            connection.exec_driver_sql("SELECT * FROM t")  # the snapshot
            tries.append(1)
            if len(tries) == 1:
                duckdb_database.run("UPDATE t SET n = n + 1")
            connection.exec_driver_sql("UPDATE t SET n = n + 1")

    retried(work)
    assert len(tries) == 2
    assert duckdb_database.rows("SELECT * FROM t") == [(1, 2)]


def test_there_are_no_roles(duckdb_database: Database) -> None:
    dialect = dialect_for(duckdb_database.database)
    with transaction(duckdb_database.database, "test") as connection:
        assert dialect.lacking(connection, [], "") == ()
        with pytest.raises(ConfigError, match="DuckDB has no roles"):
            dialect.lacking(connection, [], "somebody")
