"""The target is created once, remembered, and looked at again after a failure."""

from __future__ import annotations

import json
import os
import pickle
from typing import Any

import pytest

from sinks import targets
from sinks.database.engine import dispose_engines
from sinks.sql import SqlSink
from tests.io.sinks.tested_database import Database, counts, make_batch
from transforms.errors import ConfigError, SinkFailed
from transforms.route.table_name import UNROUTED
from transforms.throttle import Throttle

pytestmark = pytest.mark.without_tables

TABLE = "CREATE TABLE events (id integer PRIMARY KEY, name text, seen integer)"


class TestPrepare:
    def test_a_missing_table_gets_key_and_payload(self, database: Database) -> None:
        sink = database.sink(key=["id", "kind"])
        (settled,) = sink.commit(
            [make_batch([{"id": 1, "kind": "a", "x": {"y": 1.5}}, {"id": "1", "kind": "a"}])]
        )
        # The number 1 and the text "1" are one key: both are stored as text.
        assert counts(settled) == {"read": 2, "inserted": 1, "duplicates": 1}
        rows = database.rows("SELECT id, kind, CAST(payload AS text) FROM events")
        assert rows[0][:2] == ("1", "a")
        assert json.loads(rows[0][2]) == {"id": 1, "kind": "a", "x": {"y": 1.5}}

    def test_without_a_key_the_origin_is_the_key(self, database: Database) -> None:
        sink = database.sink()
        values = [{"a": 1}, {"a": 1}, {"b": 2}]
        (settled,) = sink.commit([make_batch(values, 10)])
        assert counts(settled) == {"read": 3, "inserted": 3}
        rows = database.rows(
            "SELECT ingest_source, ingest_partition, ingest_offset FROM events ORDER BY 3"
        )
        assert rows == [("file:///a", "p", 10), ("file:///a", "p", 11), ("file:///a", "p", 12)]

    def test_prepare_twice_changes_nothing(self, database: Database) -> None:
        sink = database.sink(key=["id"])
        sink.commit([make_batch([{"id": 1}])])
        sink.prepare()
        assert database.rows("SELECT count(*) FROM events") == [(1,)]

    def test_it_says_whether_it_made_the_table(self, database: Database) -> None:
        sink = SqlSink(database.config(key=["id"]))
        assert sink.prepare()
        assert not sink.prepare()
        assert targets.shape_of(sink.config).startswith("id ")

    def test_with_create_never_a_missing_table_is_refused(self, database: Database) -> None:
        sink = SqlSink(database.config(key=["id"], create="never"))
        with pytest.raises(
            ConfigError, match=r"^table events does not exist, and --create is never$"
        ):
            sink.prepare()
        with pytest.raises(Exception, match="ingest_progress"):
            database.rows("SELECT * FROM ingest_progress")
        database.run(TABLE)
        assert not sink.prepare()

    @pytest.mark.integration
    def test_a_name_that_postgres_would_cut_is_refused_first(self, postgres: Database) -> None:
        with pytest.raises(ConfigError, match="64 bytes; this database takes names of at most 63"):
            SqlSink(postgres.config("t" * 64, key=["id"])).prepare()
        assert postgres.rows("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == [(0,)]
        assert SqlSink(postgres.config("t" * 63, key=["id"])).prepare()

    def test_a_name_that_is_taken_for_a_place_is_said_so(self, sqlite_database: Database) -> None:
        with pytest.raises(ConfigError, match=r"^a://b is taken for a place of objects, since"):
            SqlSink(sqlite_database.config("a://b", key=["id"])).prepare()
        with pytest.raises(ConfigError, match=r"^there is no table to write; give --table, or"):
            SqlSink(sqlite_database.config(UNROUTED, key=["id"])).prepare()


class TestOwnTables:
    """The tables beside the targets are none themselves."""

    def test_one_of_them_is_refused_before_anything_is_made(self, database: Database) -> None:
        for table in ("ingest_audit", "ingest_jobs"):
            with pytest.raises(ConfigError, match=f"^table {table} is one of the tables that Sl"):
                SqlSink(database.config(table, key=["id"])).prepare()
        with pytest.raises(Exception, match="ingest_progress"):
            database.rows("SELECT * FROM ingest_progress")

    def test_a_program_that_does_not_prepare_writes_none_either(self, database: Database) -> None:
        database.sink(key=["id"])  # the tables are there
        sink = SqlSink(database.config("ingest_audit", key=["id"], unknown_fields="ignore"))
        with pytest.raises(SinkFailed, match="is one of the tables that Sluice keeps beside yours"):
            sink.commit([make_batch([{"id": 1, "at": "2026-01-02T03:04:05Z", "actor": "x"}])])
        assert database.rows("SELECT * FROM ingest_audit") == []

    @pytest.mark.parametrize("table", ["main.ingest_audit", "INGEST_audit", "Main.Ingest_Audit"])
    def test_sqlite_and_duckdb_know_it_by_several_spellings(
        self, table: str, sqlite_database: Database, duckdb_database: Database
    ) -> None:
        for database in (sqlite_database, duckdb_database):
            with pytest.raises(ConfigError, match="is one of the tables that Sluice keeps"):
                SqlSink(database.config(table, key=["id"])).prepare()

    @pytest.mark.integration
    def test_postgres_tells_capitals_and_schemas_apart(self, postgres: Database) -> None:
        with pytest.raises(ConfigError, match="is one of the tables that Sluice keeps"):
            SqlSink(postgres.config("public.ingest_audit", key=["id"])).prepare()
        postgres.run("CREATE SCHEMA app")
        for table in ("INGEST_AUDIT", "app.ingest_audit", "ingest_audits"):
            assert SqlSink(postgres.config(table, key=["id"])).prepare()


class TestAlteredTable:
    """What a restart would accept is not refused, and what it would refuse is."""

    @pytest.fixture(autouse=True)
    def looks(self, monkeypatch: pytest.MonkeyPatch) -> Throttle[Any]:
        """Grants a look once; the test says when time has passed."""
        looks: Throttle[Any] = Throttle(1.0, clock=lambda: 0.0)
        monkeypatch.setattr(targets, "LOOKS", looks)
        return looks

    def test_a_stream_of_unknown_fields_looks_at_the_table_now_and_then(
        self, database: Database
    ) -> None:
        database.run(TABLE)
        sink = database.sink(key=["id"])
        looked = []
        for start in range(3):
            before = targets.remembered(sink.config)
            sink.commit([make_batch([{"id": start, "extra": 1}], start)])
            looked.append(targets.remembered(sink.config) is not before)  # makes another object
        assert looked == [True, False, False]

    def test_a_field_gets_its_column_while_the_stream_runs(
        self, database: Database, looks: Throttle[Any]
    ) -> None:
        database.run(TABLE)
        sink = database.sink(key=["id"])
        (before,) = sink.commit([make_batch([{"id": 1}, {"id": 2, "extra": 1}])])
        assert [f.category for f in before.dead] == ["unknown_field"]
        database.run("ALTER TABLE events ADD COLUMN extra integer")
        looks.clear()  # time passes
        (after,) = sink.commit([make_batch([{"id": 3, "extra": 7}, {"id": 4, "other": 1}], 2)])
        assert counts(after) == {"read": 2, "inserted": 1, "dead": 1}
        assert database.rows("SELECT extra FROM events WHERE id = 3") == [(7,)]

    @pytest.mark.integration
    def test_a_column_that_gets_another_type_takes_its_values(
        self, postgres: Database, looks: Throttle[Any]
    ) -> None:
        postgres.run("CREATE TABLE events (id integer PRIMARY KEY, v text)")
        sink = postgres.sink(key=["id"])
        sink.commit([make_batch([{"id": 1, "v": "1"}])])
        postgres.run("ALTER TABLE events ALTER COLUMN v TYPE jsonb USING v::jsonb")
        for start in (1, 2):  # the second by way of the staging table
            looks.clear()
            (settled,) = sink.commit(
                [make_batch([{"id": 1, "v": "x"}, {"id": 9, "v": "x"}], start)]
            )
            assert not settled.dead
        assert postgres.rows("SELECT v FROM events ORDER BY id") == [(1,), ("x",)]

    def test_a_field_whose_column_is_dropped_is_unknown(self, database: Database) -> None:
        database.run(TABLE, "ALTER TABLE events ADD COLUMN extra integer")
        sink = database.sink(key=["id"])
        sink.commit([make_batch([{"id": 1, "extra": 1}])])
        database.run("ALTER TABLE events DROP COLUMN extra")
        (settled,) = sink.commit([make_batch([{"id": 2, "extra": 1}, {"id": 3}], 1)])
        assert [f.category for f in settled.dead] == ["unknown_field"]
        assert settled.counts.inserted == 1


class TestTargetIn:
    def test_commit_without_prepare_finds_the_table(self, database: Database) -> None:
        database.run(TABLE)
        sink = database.sink(key=["id"])
        elsewhere = pickle.loads(pickle.dumps(sink))
        (settled,) = elsewhere.commit([make_batch([{"id": 1}])])
        assert counts(settled) == {"read": 1, "inserted": 1}

    def test_a_dropped_table_fails_the_write_and_no_record(self, database: Database) -> None:
        database.run(TABLE)
        sink = database.sink(key=["id"])
        database.run("DROP TABLE events")
        with pytest.raises(SinkFailed, match="events"):
            sink.commit([make_batch([{"id": 1}])])
        assert database.rows("SELECT count(*) FROM ingest_jobs") == [(0,)]
        database.run(TABLE)
        (settled,) = sink.commit([make_batch([{"id": 1}])])
        assert counts(settled) == {"read": 1, "inserted": 1}


@pytest.mark.integration
def test_a_role_that_may_delete_no_rows_is_refused_before_anything_is_read(
    postgres: Database,
) -> None:
    changes: dict[str, Any] = {"key": ["id"], "on_conflict": "newest:@position"}
    postgres.run("CREATE TABLE events (id integer PRIMARY KEY, gone boolean)")
    postgres.sink(**changes)
    role = f"deleter_{os.getpid()}"
    postgres.run(
        f"CREATE ROLE {role} LOGIN",
        f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {role}",
        f"REVOKE DELETE ON events FROM {role}",
    )
    restricted = Database("postgres", postgres.url.replace("//postgres:", f"//{role}:", 1))
    try:
        restricted.sink(**changes, on_delete="mark:gone")
        with pytest.raises(ConfigError, match=f"role {role} lacks DELETE on table events") as error:
            restricted.sink(**changes, on_delete="delete")
        grant = str(error.value).partition("run: ")[2].partition(", or give")[0]
        postgres.run(grant)
        restricted.sink(**changes, on_delete="delete")
    finally:
        dispose_engines()
        postgres.run(f"DROP OWNED BY {role}", f"DROP ROLE {role}")
