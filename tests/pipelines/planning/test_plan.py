"""A pipeline tried on a sample, beside the run of the same pipeline."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pipelines.ingestion import options
from pipelines.planning import plan as planning
from pipelines.planning.plan import NO_ROLLBACK, OBJECTS, Asked, Plan, plan
from sinks.rehearsal.attempt import Attempt, attempt
from sinks.rehearsal.rehearsal import TooLong
from sinks.sql import SqlSink
from tests.io.sinks import portable_dialect
from tests.io.sinks.rehearsal.guarded import TRIGGERS, contents, create, records
from tests.io.sinks.tested_database import Database
from tests.pipelines.commands import arguments, ingested
from tests.pipelines.tables import query
from transforms.batch.record import Record, RecordBatch
from transforms.errors import ConfigError, SluiceError
from transforms.steps.each_record import EachRecord


def write(folder: Path, values: list[dict[str, Any]]) -> Path:
    path = folder / "records.jsonl"
    path.write_text("".join(json.dumps(value) + "\n" for value in values))
    return path


def planned(source: str | Path, sink: str, *more: str, **asked: Any) -> Plan:
    config, _ = options.from_argv(arguments(source, sink, *more))
    return plan(config, Asked(**asked))


def database_at(url: str) -> Database:
    return Database("sqlite" if url.startswith("sqlite") else "postgres", url)


def test_its_verdicts_are_those_of_the_run(sink: str, tmp_path: Path) -> None:
    database = database_at(sink)
    create(database)
    source = write(tmp_path, [*records(400, seed=3), {"id": None}])
    config, _ = options.from_argv(
        arguments(source, sink, "--on_conflict", "update", table="orders")
    )
    before = contents(database)
    result = plan(config, Asked())
    assert contents(database) == before
    update = ("--on_conflict", "update")
    summary = ingested(source, sink, *update, "--retry_wait", "0", table="orders")
    assert dict(result.counts) == {name: summary[name] for name, _ in result.counts}
    assert result.counts.dead > 20
    assert result.counts.retrying > 5
    assert result.attempt is not None
    verdicts = {
        (failure.origin.offset, state, failure.stage, failure.category, failure.message)
        for part in result.attempt.settled
        for state, failures in (("discarded", part.dead), ("retryable", part.retry))
        for failure in failures
    }
    jobs = query(sink, 'SELECT "offset", state, stage, category, message FROM ingest_jobs')
    assert verdicts == set(jobs)
    assert result.attempt.triggers == {"orders": TRIGGERS}
    assert {kind.outcome for kind in result.kinds} == {"dead", "retrying"}
    assert all(len(kind.examples) == min(3, kind.count) for kind in result.kinds)


def test_nothing_exists_before_and_after(sink: str, tmp_path: Path) -> None:
    source = write(tmp_path, [{"id": 1}, {"id": 1}, {"no": 2}])
    result = planned(source, sink)
    assert (result.counts.inserted, result.counts.duplicates, result.counts.dead) == (1, 1, 1)
    assert result.attempt is not None
    assert result.attempt.created == ("events",)
    database = database_at(sink)
    if database.kind == "postgres":
        assert query(sink, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'") == []
    else:
        assert sorted(path.name for path in tmp_path.iterdir()) == ["records.jsonl"]


def test_the_file_of_a_database_stays_byte_for_byte(sqlite_sink: str, tmp_path: Path) -> None:
    path = Path(sqlite_sink.partition(":///")[2])
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE events (id BIGINT PRIMARY KEY)")
    before = path.read_bytes()
    source = write(tmp_path, [{"id": 1}])
    assert planned(source, sqlite_sink).counts.inserted == 1
    assert path.read_bytes() == before
    assert sorted(each.name for each in tmp_path.iterdir()) == [path.name, "records.jsonl"]


def test_what_is_settled_is_left_out_unless_it_is_asked_for(sink: str, tmp_path: Path) -> None:
    source = write(tmp_path, [{"id": n} for n in range(5)])
    ingested(source, sink)
    nothing = planned(source, sink)
    assert (nothing.counts.read, nothing.attempt) == (0, None)
    again = planned(source, sink, from_start=True)
    assert (again.counts.read, again.counts.duplicates) == (5, 5)
    assert planned(source, sink, from_start=True, records=2).counts.read == 2
    assert ingested(source, sink)["read"] == 0


def test_steps_are_called_only_if_asked_for_and_before_the_transaction(
    sqlite_sink: str, tmp_path: Path
) -> None:
    query(sqlite_sink, "CREATE TABLE calls (id BIGINT)")
    path = sqlite_sink.partition(":///")[2]

    def step(record: Record) -> Record | None:
        with closing(sqlite3.connect(path, timeout=0)) as connection:  # nobody else writes now
            connection.execute("INSERT INTO calls VALUES (?)", [record.value["id"]])
            connection.commit()
        return None if record.value["id"] == 1 else record

    source = write(tmp_path, [{"id": 1}, {"id": 2}])
    config, _ = options.from_argv(arguments(source, sqlite_sink), [EachRecord(step, "Leave out")])
    result = plan(config, Asked())
    assert (result.counts.inserted, result.called, result.steps) == (2, False, ("Leave out",))
    assert query(sqlite_sink, "SELECT * FROM calls") == []
    result = plan(config, Asked(call_steps=True))
    assert (result.counts.inserted, result.counts.filtered) == (1, 1)
    assert query(sqlite_sink, "SELECT * FROM calls") == [(1,), (2,)]


def test_routes_are_counted_by_table(sink: str, tmp_path: Path) -> None:
    source = write(tmp_path, [{"id": n, "kind": "ab"[n % 2]} for n in range(6)])
    routes = tmp_path / "routes.yaml"
    routes.write_text("routes:\n- {table: 'kind_${kind}', tables: [kind_a, kind_b], key: id}\n")
    config, _ = options.from_argv(
        ["--source", str(source), "--sink", sink, "--routes", str(routes), "--pipeline", "p"]
    )
    result = plan(config, Asked())
    assert {label: counts.inserted for label, counts in result.tables.items()} == {
        "kind_a": 3,
        "kind_b": 3,
    }
    assert result.attempt is not None
    assert result.attempt.created == ("kind_a", "kind_b")


def test_a_database_that_cannot_take_back_tables_is_only_looked_at(tmp_path: Path) -> None:
    url = f"{portable_dialect.SCHEME}:///{tmp_path}/test.db"
    source = write(tmp_path, [{"id": 1}, {"id": 2}])
    source.write_text(source.read_text() + "{\n")
    Database("generic", url).run("CREATE TABLE other (id TEXT)")
    result = planned(source, url)
    assert result.attempt is None
    assert (result.untried, result.why_untried) == ({"events": 2}, NO_ROLLBACK)
    assert (result.counts.read, result.counts.dead) == (3, 1)
    assert result.missing == ("events",)
    assert Database("generic", url).rows("SELECT name FROM sqlite_master") == [("other",)]


def test_objects_are_not_written(sqlite_sink: str, tmp_path: Path) -> None:
    source = write(tmp_path, [{"id": n, "kind": "ab"[n % 2]} for n in range(5)])
    routes = tmp_path / "routes.yaml"
    lake = tmp_path / "lake"
    lake.mkdir()
    routes.write_text(
        f"routes:\n- {{when: {{field: kind, is: b}}, sink: 'file://{lake}', table: bs}}\n"
    )
    config, _ = options.from_argv(
        [*arguments(source, sqlite_sink), "--routes", str(routes), "--pipeline", "p"]
    )
    result = plan(config, Asked())
    assert (result.counts.inserted, result.why_untried) == (3, OBJECTS)
    assert sum(result.untried.values()) == 2
    assert list(lake.iterdir()) == []


def test_a_trial_that_takes_too_long_is_made_smaller(
    sqlite_sink: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries: list[int] = []

    def late(sink: SqlSink, batches: Sequence[RecordBatch]) -> Attempt:
        tries.append(len(batches))
        if len(batches) > most:
            raise TooLong("too long")
        return attempt(sink, batches)

    monkeypatch.setattr(planning, "attempt", late)
    monkeypatch.setattr(planning, "PAUSE_SECONDS", 0)
    source = write(tmp_path, [{"id": n} for n in range(40)])
    config, _ = options.from_argv(arguments(source, sqlite_sink))
    most = 3
    result = plan(replace(config, batch_records=2), Asked())
    assert (tries, result.counts.inserted, result.counts.read) == ([20, 5, 1], 2, 2)
    assert (result.left_out, result.untried) == (38, {})
    most = 0
    with pytest.raises(TooLong):
        plan(replace(config, batch_records=2), Asked())


def test_hidden_fields_and_secrets_are_not_shown(
    sink: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = write(tmp_path, [{"id": 1, "email": "who@example.org"}])
    mapping = tmp_path / "map.yaml"
    mapping.write_text("- mask: {email: all}\n- cast: {email: integer}\n")
    result = planned(source, sink, "--map", str(mapping))
    assert result.counts.dead == 1
    assert "who@example.org" not in repr(result.kinds)


def test_a_table_that_does_not_fit_is_refused_before_anything_is_read(
    sqlite_sink: str, tmp_path: Path
) -> None:
    query(sqlite_sink, "CREATE TABLE events (other TEXT)")
    with pytest.raises(ConfigError, match="events"):
        planned(tmp_path / "missing.jsonl", sqlite_sink)


def test_a_source_without_anything_is_refused(sqlite_sink: str, tmp_path: Path) -> None:
    with pytest.raises(SluiceError, match="nothing matches"):
        planned(tmp_path / "missing.jsonl", sqlite_sink)


@pytest.fixture
def sqlite_sink(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/ingest.db"
