"""One transaction writes the records of several tables, each by its own rules and in one order."""

from __future__ import annotations

import os
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from sinks import shares
from sinks.database.engine import dispose_engines, transaction
from sinks.jobs.store import list_jobs
from sinks.sql import SqlSink, Tables
from sinks.tables import default_schema
from sinks.work import Work
from tests.io.sinks.routed import (
    LINES,
    NOTES,
    ORDERS,
    PIPELINE,
    Steps,
    attempt,
    batch_of,
    due,
    keyed,
    sink_of,
    tables_of,
)
from tests.io.sinks.tested_database import Database, counts, make_batch
from tests.waiting import wait_until
from transforms.errors import ConfigError, SinkFailed, SluiceError
from transforms.route.route import Route
from transforms.route.table_name import UNROUTED

ALL = keyed("orders", "lines", "notes")


@pytest.fixture
def three(database: Database) -> Database:
    database.run(ORDERS, LINES, NOTES)
    return database


def rows(database: Database, table: str) -> list[Any]:
    return [id_ for (id_,) in database.rows(f"SELECT id FROM {table} ORDER BY 1")]


class TestRows:
    def test_each_record_becomes_a_row_of_its_table(self, three: Database) -> None:
        sink = sink_of(three, *ALL)
        records = batch_of(
            {"id": 1, "to": ["orders"]}, {"id": 2, "to": ["notes"]}, {"id": 3, "to": ["orders"]}
        )
        (settled,) = sink.commit([Steps().applied(records)])
        assert counts(settled) == {"read": 3, "inserted": 3}
        assert (rows(three, "orders"), rows(three, "notes")) == ([1, 3], [2])
        assert tables_of(three) == {
            "orders": {"read": 2, "inserted": 2},
            "notes": {"read": 1, "inserted": 1},
        }

    def test_a_batch_that_comes_again_changes_nothing(self, three: Database) -> None:
        sink = sink_of(three, *ALL)
        batch = Steps().applied(batch_of({"id": 1, "to": ["orders", "notes"]}))
        sink.commit([batch])
        before = tables_of(three)
        (again,) = sink.commit([batch])
        assert counts(again) == {"trimmed": 2}
        assert tables_of(three) == before

    def test_a_child_before_its_parent_in_one_transaction_is_accepted(
        self, three: Database
    ) -> None:
        three.run("INSERT INTO orders VALUES (7, 0)")
        sink = sink_of(three, *ALL)
        child = batch_of({"id": 1, "of_order": 9, "to": ["lines"]})
        parent = batch_of({"id": 9, "to": ["orders"]}, source="file:///b")
        settled = sink.commit([Steps().applied(child), Steps().applied(parent)])
        assert [counts(part) for part in settled] == [{"read": 1, "inserted": 1}] * 2

    def test_each_table_has_its_own_rule_for_conflicts(self, database: Database) -> None:
        database.run(ORDERS, NOTES)
        ignored = Route("notes", key=("id",))
        sink = sink_of(database, *keyed("orders"), ignored)
        for number in (1, 2):
            record = {"id": 1, "n": number, "to": ["orders", "notes"]}
            sink.commit([Steps().applied(batch_of(record, start=number))])
        assert database.rows("SELECT n FROM orders") == [(2,)]
        assert database.rows("SELECT n FROM notes") == [(1,)]
        assert tables_of(database) == {
            "orders": {"read": 2, "inserted": 1, "updated": 1},
            "notes": {"expanded": 2, "inserted": 1, "duplicates": 1},
        }

    def test_what_no_route_took_goes_to_the_table_of_the_pipeline(self, three: Database) -> None:
        sink = sink_of(three, *keyed("orders"), home="notes", key=["id"])
        sink.commit([make_batch([{"id": 5}])])
        records = [{"id": 1, "to": ["orders"]}, {"id": 2, "to": ["notes"]}]
        sink.commit([Steps().applied(batch_of(*records, source="file:///b"))])
        assert (rows(three, "orders"), rows(three, "notes")) == ([1], [2, 5])


class TestRefusedRecords:
    def test_poison_is_isolated_table_by_table(self, three: Database) -> None:
        sink = sink_of(three, *ALL)
        records = [
            {"id": i, "n": -1 if i in (3, 4) else i, "to": ["lines" if i % 2 else "orders"]}
            for i in range(8)
        ]
        (settled,) = sink.commit([Steps().applied(batch_of(*records))])
        assert counts(settled) == {"read": 8, "inserted": 6, "dead": 2}
        assert (rows(three, "orders"), rows(three, "lines")) == ([0, 2, 6], [1, 5, 7])
        jobs = {job.failure.origin.offset: job.target for job in list_jobs(three.database)}
        assert jobs == {3: "lines", 4: "orders"}
        assert {failure.target for failure in settled.dead} == {"lines", "orders"}

    def test_of_several_rows_of_a_record_the_refused_one_alone_is_a_job_of_its_table(
        self, three: Database
    ) -> None:
        sink = sink_of(three, *ALL)
        record = {"id": 1, "n": -1, "to": ["orders", "notes"]}
        sink.commit([Steps().applied(batch_of(record))])
        assert (rows(three, "orders"), rows(three, "notes")) == ([], [1])
        (job,) = list_jobs(three.database)
        assert (job.target, job.failure.origin.place) == ("orders", "0[0/2]")

    def test_the_outbox_names_the_table_of_each_change(self, three: Database) -> None:
        sink = replace(sink_of(three, *ALL), outbox=True)
        records = [{"id": 1, "to": ["notes"]}, {"id": 2, "to": ["orders", "notes"]}]
        sink.commit([Steps().applied(batch_of(*records))])
        query = 'SELECT target, "offset" FROM ingest_outbox ORDER BY target, 2'
        assert three.rows(query) == [("notes", 0), ("notes", 1), ("orders", 1)]

    def test_dead_letters_are_handed_on_by_table(self, three: Database) -> None:
        letters = _Letters()
        sink = replace(sink_of(three, *ALL), dead_letters=letters)
        records = [{"id": 1, "n": -1, "to": ["orders"]}, {"id": 2, "to": []}]
        sink.commit([Steps().applied(batch_of(*records))])
        assert letters.delivered == [(UNROUTED, 1), ("orders", 1)]

    def test_a_table_that_was_altered_is_looked_at_again(self, three: Database) -> None:
        sink = sink_of(three, *ALL)
        sink.commit([Steps().applied(batch_of({"id": 1, "to": ["notes", "orders"]}))])
        three.run("ALTER TABLE notes ADD COLUMN extra integer")
        record = {"id": 2, "extra": 4, "to": ["notes"]}
        (settled,) = sink.commit([Steps().applied(batch_of(record, start=1))])
        assert counts(settled) == {"read": 1, "inserted": 1}
        assert three.rows("SELECT extra FROM notes WHERE id = 2") == [(4,)]


class TestNamesFromRecords:
    def test_a_table_that_records_name_is_created_when_it_is_needed(
        self, database: Database
    ) -> None:
        sink = sink_of(database, Route("${type}", name="any", key=("id",), pattern="t_[a-z]+"))
        records = [{"id": 1, "to": ["t_a"]}, {"id": 2, "to": ["t_b"]}, {"id": 3, "to": ["t_a"]}]
        sink.commit([Steps().applied(batch_of(*records))])
        assert (rows(database, "t_a"), rows(database, "t_b")) == (["1", "3"], ["2"])

    def test_listed_ones_are_created_before(self, sqlite_database: Database) -> None:
        config = sink_of(sqlite_database, Route("${type}", key=("id",), tables=("a", "b"))).config
        assert config.table == UNROUTED
        assert (rows(sqlite_database, "a"), rows(sqlite_database, "b")) == ([], [])

    def test_one_that_cannot_be_used_fails_its_records_alone(self, database: Database) -> None:
        database.run(ORDERS, "CREATE TABLE t_bad (other integer)")
        named = Route("${type}", name="any", key=("id",), pattern="t_.*")
        sink = sink_of(database, *keyed("orders"), named)
        records = [{"id": 1, "to": ["orders", "t_bad"]}, {"id": 2, "to": ["t_good"]}]
        (settled,) = sink.commit([Steps().applied(batch_of(*records))])
        assert counts(settled) == {"read": 2, "expanded": 1, "inserted": 2, "dead": 1}
        (job,) = list_jobs(database.database)
        assert (job.target, job.failure.category) == ("t_bad", shares.NO_TABLE)
        assert "no key column id" in job.failure.message
        assert tables_of(database)["t_bad"] == {"expanded": 1, "dead": 1}

    def test_one_of_the_tables_beside_fails_its_records(self, database: Database) -> None:
        named = Route("${type}", name="any", key=("id",), pattern=".*", unknown_fields="ignore")
        sink = sink_of(database, named)
        records = [{"id": 1, "to": ["ingest_runs"]}, {"id": 2, "to": ["t_good"]}]
        (settled,) = sink.commit([Steps().applied(batch_of(*records))])
        assert counts(settled) == {"read": 2, "inserted": 1, "dead": 1}
        (job,) = list_jobs(database.database)
        assert (job.target, job.failure.category) == ("ingest_runs", shares.NO_TABLE)
        assert "one of the tables that Sluice keeps beside yours" in job.failure.message
        assert database.rows("SELECT * FROM ingest_runs") == []

    def test_with_create_never_a_missing_one_fails_its_records(
        self, sqlite_database: Database
    ) -> None:
        sqlite_database.run(ORDERS)
        named = Route("${type}", name="any", key=("id",), pattern="t_.*")
        sink = sink_of(sqlite_database, named, create="never")
        (settled,) = sink.commit([Steps().applied(batch_of({"id": 1, "to": ["t_x"]}))])
        (dead,) = settled.dead
        assert "does not exist, and --create is never" in dead.message

    def test_there_is_a_bound(
        self, sqlite_database: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("sinks.tables.MOST_TABLES", 1)
        named = Route("${type}", name="any", key=("id",), pattern="t_.*")
        sink = sink_of(sqlite_database, named)
        records = [{"id": 1, "to": ["t_a"]}, {"id": 2, "to": ["t_b"]}, {"id": 3, "to": ["t_a"]}]
        (settled,) = sink.commit([Steps().applied(batch_of(*records))])
        assert counts(settled) == {"read": 3, "inserted": 2, "dead": 1}

    @pytest.mark.integration
    def test_a_role_that_may_create_none_stops_the_write(self, postgres: Database) -> None:
        postgres.run(
            f"CREATE ROLE writer_{os.getpid()} LOGIN",
            "REVOKE CREATE ON SCHEMA public FROM public",
        )
        named = Route("${type}", name="any", key=("id",), pattern="t_.*")
        sink_of(postgres, named)
        role = f"writer_{os.getpid()}"
        postgres.run(f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {role}")
        url = postgres.url.replace("//postgres:", f"//{role}:", 1)
        sink = sink_of(Database("postgres", url), named)
        try:
            with pytest.raises(SinkFailed, match="permission denied for schema public"):
                sink.commit([Steps().applied(batch_of({"id": 1, "to": ["t_x"]}))])
        finally:
            dispose_engines()
            postgres.run(f"DROP OWNED BY {role}", f"DROP ROLE {role}")

    def test_a_table_that_no_route_names_stops_the_write(self, three: Database) -> None:
        sink = sink_of(three, *keyed("orders"))
        with pytest.raises(SinkFailed, match="no route sends records to table notes"):
            sink.commit([Steps().applied(batch_of({"id": 1, "to": ["notes"]}))])

    def test_routed_records_need_a_sink_that_has_the_tables(self, three: Database) -> None:
        sink = three.sink("orders", key=["id"])
        with pytest.raises(SinkFailed, match="SqlSink has no such table"):
            sink.commit([Steps().applied(batch_of({"id": 1, "to": ["notes"]}))])


class TestOriginAsKey:
    def test_a_record_that_goes_to_two_tables_needs_no_number(self, database: Database) -> None:
        sink = sink_of(database, Route("a"), Route("b"))
        sink.commit([Steps().applied(batch_of({"id": 1, "to": ["a", "b"]}))])
        for table in ("a", "b"):
            assert database.rows(f"SELECT ingest_offset FROM {table}") == [(0,)]

    def test_two_routes_to_one_table_make_two_rows(self, sqlite_database: Database) -> None:
        sink = sink_of(sqlite_database, Route("a", name="debit"), Route("a", name="credit"))
        sink.commit([Steps().applied(batch_of({"id": 1, "to": ["a", "a"]}))])
        assert sqlite_database.rows("SELECT ingest_offset, ingest_element FROM a ORDER BY 2") == [
            *((0, 0), (0, 1))
        ]


class TestPreparation:
    def test_it_says_which_tables_were_created(self, sqlite_database: Database) -> None:
        sqlite_database.run(ORDERS)
        config = sqlite_database.config(UNROUTED)
        sink = sink_of(sqlite_database, *keyed("orders", "new"))
        assert sink.prepare() == ()
        assert config.has_table is False
        created = replace(sink, tables=Tables.of(config, keyed("orders", "newer"))).prepare()
        assert [each.table for each in created] == ["newer"]

    def test_nothing_is_created_if_one_table_does_not_fit(self, sqlite_database: Database) -> None:
        sqlite_database.run(ORDERS)
        with pytest.raises(ConfigError, match="table gone does not exist, and --create is never"):
            sink_of(sqlite_database, *keyed("orders", "gone"), create="never")

    def test_with_create_never_no_database_is_created(self, tmp_path: Path) -> None:
        database = Database("sqlite", f"sqlite:///{tmp_path}/none.db")
        with pytest.raises(ConfigError, match=r"none\.db does not exist, and --create is never"):
            sink_of(database, *keyed("orders"), create="never")
        assert list(tmp_path.iterdir()) == []

    def test_a_pipeline_without_a_table_needs_a_name_and_routes(
        self, sqlite_database: Database
    ) -> None:
        config = sqlite_database.config(UNROUTED)
        with pytest.raises(ConfigError, match="give --table, or routes"):
            SqlSink(config).prepare()
        with pytest.raises(ConfigError, match="needs a name; give --pipeline"):
            SqlSink(config, tables=Tables.of(config, ALL)).prepare()

    def test_the_default_schema_is_that_of_the_database(self, database: Database) -> None:
        name = str(sa.make_url(database.url).database)
        schema = {"postgres": "public", "mariadb": name}.get(database.kind, "main")
        assert default_schema(database.config().database) == schema


class TestJobs:
    def test_a_claim_has_jobs_of_one_table(self, three: Database) -> None:
        sink = sink_of(three, *ALL)
        steps = Steps(away={3}, late={(1, "orders"), (2, "notes")})
        records = [
            *({"id": 1, "to": ["orders"]}, {"id": 2, "to": ["notes", "orders"]}),
            {"id": 3, "to": ["lines"]},
        ]
        sink.commit([steps.applied(batch_of(*records))])
        claims = {batch.claim.target: batch.offsets for batch in due(sink) if batch.claim}
        assert claims == {"": [2], "orders": [0], "notes": [1]}

    def test_what_the_pipeline_hides_is_hidden_in_jobs_of_every_table(
        self, sqlite_database: Database
    ) -> None:
        sqlite_database.run(ORDERS)
        sink = replace(sink_of(sqlite_database, *keyed("orders")), hidden=(("secret",),))
        sink.prepare()
        record = {"id": 1, "n": -1, "secret": "hunter2", "to": ["orders"]}
        sink.commit([Steps().applied(batch_of(record))])
        (job,) = list_jobs(sqlite_database.database)
        assert job.target == "orders"
        assert b"hunter2" not in job.failure.raw

    def test_a_replay_writes_the_table_of_the_job_alone(self, three: Database) -> None:
        sink = sink_of(three, *ALL)
        steps = Steps(late={(1, "orders")})
        sink.commit([steps.applied(batch_of({"id": 1, "to": ["orders", "notes"]}))])
        three.run("DELETE FROM notes")
        attempt(sink, Steps())
        assert (rows(three, "orders"), rows(three, "notes")) == ([1], [])

    def test_a_job_that_fails_under_another_table_moves_there(self, three: Database) -> None:
        sink = sink_of(three, *ALL)
        sink.commit([Steps(away={1}).applied(batch_of({"id": 1, "to": ["orders"]}))])
        assert tables_of(three) == {UNROUTED: {"read": 1, "retrying": 1}}
        attempt(sink, Steps(late={(1, "orders")}))
        assert tables_of(three) == {"orders": {"read": 1, "retrying": 1}}
        assert three.rows("SELECT target FROM ingest_queue") == [("orders",)]
        attempt(sink, Steps())
        assert tables_of(three) == {"orders": {"read": 1, "inserted": 1}}

    def test_one_that_named_no_reader_keeps_it_in_another_table(self, database: Database) -> None:
        database.run(ORDERS, NOTES)
        sink = sink_of(database, *keyed("orders"), home="notes", key=["id"])
        nameless = replace(sink, pipeline=replace(PIPELINE, name=""))
        nameless.prepare()
        nameless.commit([Steps(away={1}).applied(batch_of({"id": 1, "to": ["orders"]}))])
        database.run("UPDATE ingest_jobs SET read_by = NULL")  # as earlier versions left it
        steps = Steps(late={(1, "orders")})
        nameless.commit([steps.applied(batch) for batch in due(nameless)])
        assert database.rows("SELECT target, read_by FROM ingest_jobs") == [("orders", "notes")]
        assert tables_of(database) == {"orders": {"read": 1, "retrying": 1}}

    def test_a_job_that_fails_before_its_route_stays_one_of_its_table(
        self, three: Database
    ) -> None:
        sink = sink_of(three, *ALL)
        steps = Steps(late={(1, "orders")})
        sink.commit([steps.applied(batch_of({"id": 1, "to": ["orders", "notes"]}))])
        attempt(sink, Steps(away={1}))
        assert [job.target for job in list_jobs(three.database)] == ["orders"]
        attempt(sink, Steps())
        assert tables_of(three)["orders"] == {"read": 1, "inserted": 1}


class TestOrder:
    @pytest.mark.integration
    def test_opposite_arrival_ends_in_no_deadlock(self, postgres: Database) -> None:
        postgres.run(
            ORDERS, NOTES, "INSERT INTO notes VALUES (1, 0); INSERT INTO orders VALUES (1, 0)"
        )
        sink = sink_of(postgres, *ALL[:1], *ALL[2:])
        batches = [
            batch_of(
                *({"id": 1, "n": 1, "to": [name]} for name in names), source=f"file:///{names}"
            )
            for names in (("orders", "notes"), ("notes", "orders"))
        ]
        failed: list[SluiceError] = []

        def commit(number: int) -> None:
            try:
                sink.commit([Steps().applied(batches[number])])
            except SluiceError as error:
                failed.append(error)

        def waiting() -> int:
            query = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
            return int(postgres.rows(query)[0][0])

        threads = [threading.Thread(target=commit, args=(number,)) for number in (0, 1)]
        with transaction(postgres.database, "hold both back") as connection:
            connection.exec_driver_sql("SELECT FROM orders FOR UPDATE")
            threads[0].start()
            wait_until(lambda: waiting() == 1, "the first writer that waits")
            threads[1].start()
            wait_until(lambda: waiting() == 2, "both writers that wait")
        for thread in threads:
            thread.join(30)
        assert failed == []
        assert tables_of(postgres) == {
            "notes": {"read": 2, "updated": 2},
            "orders": {"read": 2, "updated": 2},
        }


def test_each_table_has_the_cells_that_the_mapping_of_its_route_names() -> None:
    routed_cells = {"a": {"x": "column"}, "b": None}
    batch = replace(
        make_batch([{"x": "1"}, {"x": "2"}, {"x": "3"}]),
        targets=["a", "public.b", "a"],
        routed_cells={**routed_cells, "public.b": None},
        cells={"x": "other"},
    )
    (part,) = work = [Work(batch, None, 0)]
    of_table = shares.dealt(work, UNROUTED, "public")
    assert {label: [b.cells for _, b in parts] for label, parts in of_table.items()} == {
        "a": [{"x": "column"}],
        "b": [None],
    }
    assert {label: [list(b.offsets) for _, b in parts] for label, parts in of_table.items()} == {
        "a": [[0, 2]],
        "b": [[1]],
    }
    assert part.targets == ["a", "b", "a"]


class _Letters:
    """Remembers what was delivered."""

    writes_to = ""

    def __init__(self) -> None:
        self.delivered: list[tuple[str, int]] = []

    def check(self) -> None:
        """Nothing to check."""

    def deliver(self, target: str, failures: Any) -> None:
        self.delivered.append((target, len(failures)))
