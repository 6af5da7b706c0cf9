"""A rehearsal in DuckDB: what it says, and that nothing of it stays but the numbers of sequences."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sinks.database.backends.duckdb.rehearsing import RehearsingDuckdb
from sinks.database.engine import transaction
from sinks.rehearsal.rehearsal import rehearsal
from sinks.sql import SqlSink
from tests.io.sinks.tested_database import Database, counts, make_batch
from transforms.batch.retry_policy import RetryPolicy
from transforms.errors import SinkFailed
from transforms.route.table_name import TableName

ASKED = RehearsingDuckdb()


def test_sequences_are_listed_with_their_last_number(duckdb_database: Database) -> None:
    duckdb_database.run("CREATE SEQUENCE used", "CREATE SEQUENCE unused", "SELECT nextval('used')")
    with transaction(duckdb_database.database, "test") as connection:
        assert ASKED.sequences(connection) == {"main.used": 1, "main.unused": None}
        assert ASKED.triggers(connection, TableName("a")) == ()


def test_a_trial_says_what_a_run_would_come_to_and_leaves_nothing(
    duckdb_database: Database,
) -> None:
    duckdb_database.run("CREATE TABLE t (k INTEGER PRIMARY KEY, n INTEGER CHECK (n > 0))")
    records = [{"k": k, "n": n} for k, n in ((1, 1), (2, 0), (1, 2), (3, 3))]
    with rehearsal(duckdb_database.database) as trial:
        for table in ("t", "new"):
            config = duckdb_database.config(table, key=["k"], on_conflict="update")
            sink = SqlSink(replace(config, database=trial.database), RetryPolicy(max_attempts=1))
            sink.prepare()
            (settled,) = sink.commit([make_batch(records, source=f"file:///{table}")])
            good = counts(settled)
            assert good["inserted"] + good["updated"] == (3 if table == "t" else 4)
            assert good.get("dead", 0) == (1 if table == "t" else 0)
        with (
            pytest.raises(SinkFailed, match="refuses to break a rule"),
            transaction(trial.database, "break a rule") as connection,
        ):
            connection.exec_driver_sql("INSERT INTO t VALUES (9, -1)")
        with transaction(trial.database, "look", write=False) as connection:
            listed = connection.exec_driver_sql("SELECT k, n FROM t ORDER BY 1").fetchall()
        assert [tuple(row) for row in listed] == [(1, 2), (3, 3)]
    assert duckdb_database.rows("SELECT table_name FROM duckdb_tables()") == [("t",)]
    assert duckdb_database.rows("SELECT * FROM t") == []
