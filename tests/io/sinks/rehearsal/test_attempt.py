"""What a write that is taken back says, compared with the write itself."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from sinks import targets
from sinks.database.database import Database as Place
from sinks.rehearsal.attempt import attempt, look, rehearsed
from sinks.rehearsal.rehearsal import rehearsal
from sinks.sql import SqlConfig, SqlSink
from sinks.tables import Tables
from tests.io.sinks.rehearsal.guarded import TRIGGERS, contents, create, records
from tests.io.sinks.tested_database import Database, make_batch, make_failure
from transforms.batch.record import RecordBatch
from transforms.errors import ConfigError
from transforms.route.route import Route
from transforms.settle.sink import Settled


def batches_of(values: list[dict[str, Any]]) -> list[RecordBatch]:
    """A batch for each record, so that each has counts of its own."""
    return [make_batch([value], start) for start, value in enumerate(values)]


def verdicts(settled: list[Settled] | tuple[Settled, ...]) -> list[Any]:
    """What became of each record, and why."""
    return [
        (
            part.counts,
            [(each.origin, each.category, each.sqlstate, each.message) for each in part.dead],
            [(each.origin, each.category, each.sqlstate, each.message) for each in part.retry],
        )
        for part in settled
    ]


@pytest.mark.parametrize(("conflict", "seed"), [("ignore", 1), ("update", 2), ("newest:amount", 3)])
def test_the_verdicts_are_those_of_the_run_record_by_record(
    database: Database, conflict: str, seed: int
) -> None:
    create(database)
    values = records(300, seed)
    sink = SqlSink(database.config("orders", key=["id"], on_conflict=conflict))
    before = contents(database)
    tried = attempt(sink, batches_of(values))
    assert contents(database) == before
    sink.prepare()
    assert verdicts(tried.settled) == verdicts(sink.commit(batches_of(values)))
    outcomes = {name for part in tried.settled for name, number in part.counts if number}
    assert outcomes >= {"read", "inserted", "dead", "retrying"}
    assert ("updated" in outcomes) == (conflict != "ignore")
    causes = {each.category for part in tried.settled for each in part.dead}
    assert causes >= {"constraint", "trigger", "unknown_field"}
    assert ("data" in causes) == (database.kind == "postgres")  # SQLite takes any value


@pytest.mark.without_tables
def test_tables_that_are_missing_are_created_and_taken_back(database: Database) -> None:
    schema = {"properties": {"id": {"type": "integer"}, "50%": {"type": "string"}}}
    sink = SqlSink(database.config("new", key=["id"], schema=schema))
    before = contents(database) if database.kind == "postgres" else {}
    tried = attempt(sink, [make_batch([{"id": 1, "50%": "a"}])])
    assert tried.settled[0].counts.inserted == 1
    assert (tried.home, tried.tables, tried.created) == ("new", ("new",), ("new",))
    assert tried.statements[-1].startswith('CREATE TABLE IF NOT EXISTS "new" ("id" ')
    assert '"50%"' in tried.statements[-1]
    assert any(text.startswith("CREATE TABLE ingest_jobs") for text in tried.statements)
    if database.kind == "postgres":
        assert contents(database) == before
    else:
        assert not Path(database.url.partition(":///")[2]).exists()


def test_nothing_is_remembered_of_tables_that_were_taken_back(database: Database) -> None:
    sink = SqlSink(database.config("events", key=["id"]))
    attempt(sink, [make_batch([{"id": 1}])])
    assert targets.remembered(sink.config) is None
    database.run("CREATE TABLE events (id BIGINT PRIMARY KEY, other TEXT)")
    tried = attempt(sink, [make_batch([{"id": 1, "other": "a"}])])
    assert (tried.settled[0].counts.inserted, tried.created) == (1, ())
    sink.prepare()
    assert sink.commit([make_batch([{"id": 1, "other": "a"}])])[0].counts.inserted == 1


def test_it_names_the_triggers_and_the_sequences(database: Database) -> None:
    create(database)
    sink = SqlSink(database.config("orders", key=["id"]))
    sink.prepare()
    if database.kind == "postgres":
        database.run(
            "CREATE SEQUENCE numbers START 7",
            "ALTER TABLE orders ADD number BIGINT DEFAULT nextval('numbers')",
        )
    tried = attempt(sink, [make_batch([{"id": 8}, {"id": 9}], failures=[make_failure(2)])])
    assert tried.triggers == {"orders": TRIGGERS}
    if database.kind == "postgres":
        # The two rows that are there have the numbers 7 and 8.
        assert tried.sequences["public.numbers"] == (8, 10)
        assert "public.ingest_jobs_id_seq" in tried.sequences
    else:
        assert tried.sequences == {}


def test_a_run_of_the_same_pipeline_has_no_part_in_it(database: Database) -> None:
    sink = SqlSink(database.config("events", key=["id"]))
    sink.prepare()
    sink.commit([make_batch([{"id": 1}])])
    before = contents(database)
    tried = attempt(sink, [make_batch([{"id": 1}, {"id": 2}])])
    assert tried.settled[0].trimmed == 0
    assert (tried.settled[0].counts.duplicates, tried.settled[0].counts.inserted) == (1, 1)
    assert contents(database) == before


def test_a_run_of_the_same_pipeline_goes_on_meanwhile(postgres: Database) -> None:
    create(postgres)
    sink = SqlSink(postgres.config("orders", key=["id"]))
    sink.prepare()
    # Whatever it had to wait for would fail.
    impatient = Database("postgres", f"{postgres.url}&options=-clock_timeout%3D1ms")
    running = SqlSink(impatient.config("orders", key=["id"]))
    with rehearsal(postgres.database) as trial:
        own = rehearsed(sink, trial.database)
        own.prepare()
        bad = make_failure(1)
        (tried,) = own.commit([make_batch([{"id": 7}], failures=[bad])])
        (settled,) = running.commit([make_batch([{"id": 8}])])
        (later,) = running.commit([make_batch([{"id": 9}], start=1)])
    assert (tried.counts.inserted, tried.counts.dead) == (1, 1)
    assert (settled.counts.inserted, later.counts.inserted) == (1, 1)
    assert postgres.rows("SELECT id FROM orders WHERE id > 2 ORDER BY id") == [(8,), (9,)]


def test_routed_records_are_counted_by_table_those_that_records_name_too(
    database: Database,
) -> None:
    home = database.config("other", key=["id"])
    routes = [Route("kind_${kind}", pattern="kind_.*", key=("id",)), Route("fixed", key=("id",))]
    sink = SqlSink(home, tables=Tables.of(home, routes))
    batch = make_batch([{"id": 1}, {"id": 2}, {"id": 3}])
    routed = RecordBatch(
        span=batch.span,
        format=batch.format,
        offsets=batch.offsets,
        raws=batch.raws,
        values=batch.values,
        targets=["kind_a", "fixed", "other"],
    )
    tried = attempt(sink, [routed])
    assert {label: counts.inserted for label, counts in tried.settled[0].by_target.items()} == {
        "fixed": 1,
        "kind_a": 1,
        "other": 1,
    }
    assert tried.created == ("fixed", "kind_a", "other")


def test_a_rehearsed_sink_reaches_nothing_but_the_database(database: Database) -> None:
    config = database.config("events")
    sink = SqlSink(config, outbox=True, tables=Tables.of(config, [Route("fixed")]))
    own = rehearsed(sink, Place(database.url, rehearsal="x"))
    assert own.tables is not None
    assert {own.config.database, own.tables.home.database} == {own.config.database}
    assert own.tables.destinations[0].config.database == own.config.database
    assert own.outbox
    assert (own.dead_letters, own.budget, own.heartbeat, own.controls) == (None,) * 4
    assert own.pipeline is not None
    assert own.pipeline.name == "trial x"


def test_changes_to_publish_are_taken_back(database: Database) -> None:
    sink = SqlSink(database.config("events", key=["id"]), outbox=True)
    sink.prepare()
    before = contents(database)
    assert attempt(sink, [make_batch([{"id": 1}])]).settled[0].counts.inserted == 1
    assert contents(database) == before


def test_a_table_that_does_not_fit_is_refused(database: Database) -> None:
    database.run("CREATE TABLE events (a TEXT)")
    with pytest.raises(ConfigError, match="events"):
        attempt(SqlSink(database.config("events", key=["id"])), [make_batch([{"id": 1}])])


def test_tables_of_an_older_version_are_to_be_migrated_first(database: Database) -> None:
    sink = SqlSink(database.config("events", key=["id"]))
    sink.prepare()
    database.run("UPDATE ingest_schema SET version = 5")
    before = contents(database)
    with pytest.raises(ConfigError, match=r"have version 5, .* run `sluice migrate --sink URL`"):
        attempt(sink, [make_batch([{"id": 1}])])
    assert contents(database) == before


def test_tables_are_looked_at_without_a_write(database: Database) -> None:
    create(database)
    before = contents(database)
    sink = SqlSink(database.config("orders", key=["id"]))
    assert look(sink) == ()
    assert {"id", "region", "amount"} <= sink.fields().names
    assert look(SqlSink(database.config("missing", key=["id"]))) == ("missing",)
    assert contents(database) == before


def test_a_configuration_is_the_same_in_a_rehearsal(database: Database) -> None:
    config = SqlConfig.of(database.url, "events", key=["id"], unknown_fields="payload")
    own = rehearsed(SqlSink(config), Place(database.url, rehearsal="x")).config
    assert own.unknown_fields == "payload"
    assert own.key == ("id",)


def test_a_table_that_evolves_is_taken_back(database: Database) -> None:
    database.run("CREATE TABLE plain (id integer PRIMARY KEY)")
    sink = SqlSink(database.config("plain", key=["id"], evolve="add"))
    tried = attempt(sink, batches_of([{"id": 1, "size": 2}, {"id": 2, "colour": "red"}]))
    assert [part.counts.inserted for part in tried.settled] == [1, 1]
    with pytest.raises((sqlite3.Error, psycopg2.Error), match="size"):
        database.rows("SELECT size FROM plain")
