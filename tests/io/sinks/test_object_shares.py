"""Objects of a commit: with the ledger, with the counts, with failed records, beside tables."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sinks.object_datasets import Objects
from sinks.objects.config import ObjectConfig
from sinks.objects.publish import TURNS
from sinks.sql import SqlConfig, SqlSink, Tables
from tests.io.sinks.objects.lake import SCHEMA, Lake
from tests.io.sinks.tested_database import Database, make_batch
from transforms.batch.record import RecordBatch
from transforms.errors import DeadBudgetExceeded
from transforms.route.route import Route
from transforms.settle.dead_budget import DeadBudget

BAD = {"id": "x", "type": "a"}


@pytest.fixture
def lake(database: Database, tmp_path: Path) -> Lake:
    return Lake(database, tmp_path / "lake")


@pytest.fixture
def local_lake(sqlite_database: Database, tmp_path: Path) -> Lake:
    return Lake(sqlite_database, tmp_path / "lake")


def values(*ids: int) -> list[Mapping[str, Any]]:
    return [{"id": n, "type": "ab"[n % 2]} for n in ids]


def test_records_are_settled_once(lake: Lake) -> None:
    sink = lake.sink("?partition=type")
    batches = [make_batch(values(0, 1)), make_batch(values(2), 2, final=True)]
    counts = [settled.counts for settled in sink.commit(batches)]
    assert [(each.read, each.inserted, each.duplicates) for each in counts] == [
        (2, 2, 0),
        (1, 1, 0),
    ]
    again = sink.commit(batches)
    assert [(settled.trimmed, settled.counts.read) for settled in again] == [(2, 0), (1, 0)]
    sink.finish()
    assert lake.ids() == [0, 1, 2]
    assert sorted({name.rpartition("/")[0] for name in lake.listed()}) == [
        "events/type=a",
        "events/type=b",
    ]
    label = lake.config().label
    assert lake.database.rows("SELECT target, inserted FROM ingest_counts") == [(label, 3)]


def test_a_record_that_fits_no_column_is_a_dead_letter_of_the_dataset(lake: Lake) -> None:
    sink = lake.sink()
    batches = [make_batch(values(0)), make_batch([*values(1), BAD, *values(3)], 1)]
    first, second = sink.commit(batches)
    sink.finish()
    assert (first.counts.inserted, second.counts.inserted, second.counts.dead) == (1, 2, 1)
    (failure,) = second.dead
    assert (failure.origin.offset, failure.stage, failure.category) == (2, "write", "data")
    assert lake.ids() == [0, 1, 3]
    rows = lake.database.rows("SELECT target, category, message FROM ingest_jobs")
    assert rows == [(lake.config().label, "data", "field id: 'x' is not an integer")]


def test_only_what_is_new_in_a_batch_is_written(local_lake: Lake) -> None:
    sink = local_lake.sink()
    sink.commit([make_batch(values(0, 1))])
    sink.commit([make_batch(values(0, 1, 2, 3))])
    sink.finish()
    assert local_lake.ids() == [0, 1, 2, 3]


def test_a_range_without_records_settles_and_writes_nothing(local_lake: Lake) -> None:
    sink = local_lake.sink()
    (settled,) = sink.commit([make_batch([], filtered=3)])
    assert settled.counts.filtered == 3
    sink.finish()
    assert (local_lake.listed(), local_lake.publisher.root()[0].number) == ([], 0)


def test_lines_of_json_are_the_same_records(local_lake: Lake) -> None:
    sink = local_lake.sink("?format=jsonl.gz")
    sink.commit([make_batch(values(0, 1))])
    sink.finish()
    assert local_lake.ids() == [0, 1]
    assert all(name.endswith(".jsonl.gz") for name in local_lake.listed())


def test_a_budget_of_dead_letters_undoes_the_commit(local_lake: Lake) -> None:
    sink = local_lake.sink(budget=DeadBudget(records=0))
    with pytest.raises(DeadBudgetExceeded):
        sink.commit([make_batch([*values(0), BAD])])
    sink.finish()
    assert (local_lake.ids(), local_lake.states()) == ([], [])
    assert len(local_lake.intents()) == 1, "another attempt will replace its object"


def test_jobs_are_written_as_objects_of_their_own(lake: Lake) -> None:
    sink = lake.sink()
    sink.commit([make_batch([*values(0), BAD])])
    lake.database.run("UPDATE ingest_jobs SET state = 'available'")
    rows = lake.database.rows("SELECT id FROM ingest_jobs")
    assert len(rows) == 1
    sink.finish()
    assert lake.ids() == [0]


class TestBesideTables:
    """Routes send some records to a table, some to objects, some to both."""

    @pytest.fixture
    def sink(self, database: Database, lake: Lake) -> Iterator[SqlSink]:
        home = SqlConfig.of(database.url, "orders", key=["id"], schema=json.loads(SCHEMA))
        routes = [Route("orders"), Route("archive", sink="file:///elsewhere")]
        config = ObjectConfig.of(f"file://{lake.folder}", "archive")
        TURNS.clear()
        sink = SqlSink(
            home,
            tables=Tables.of(home, routes),
            objects=Objects.of(config, schema=SCHEMA, label="archive"),
        )
        sink.prepare()
        yield sink

    def batch(self, *targets: str, start: int = 0) -> RecordBatch:
        ids = range(start, start + len(targets))
        return replace(make_batch(values(*ids), start), targets=targets)

    def test_both_are_settled_in_one_transaction(
        self, sink: SqlSink, lake: Lake, database: Database
    ) -> None:
        (settled,) = sink.commit([self.batch("orders", "archive", "archive")])
        sink.finish()
        assert database.rows("SELECT id FROM orders") == [(0,)]
        assert lake.ids() == [1, 2]
        assert {target: counts.inserted for target, counts in settled.by_target.items()} == {
            "orders": 1,
            "archive": 2,
        }
        rows = database.rows("SELECT target, inserted FROM ingest_counts")
        assert sorted(rows) == [("archive", 2), ("orders", 1)]

    def test_the_table_fails_and_the_objects_count_for_nothing(
        self, sink: SqlSink, lake: Lake, database: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with monkeypatch.context() as patch:
            patch.setattr("sinks.shares.Share.write", lambda *_: 1 / 0)
            with pytest.raises(ZeroDivisionError):
                sink.commit([self.batch("orders", "archive")])
        sink.finish()
        assert lake.ids() == []
        sink.commit([self.batch("orders", "archive")])
        sink.finish()
        assert lake.ids() == [1]
        assert len(lake.listed()) == 1, "the object has replaced itself"
        assert database.rows("SELECT id FROM orders") == [(0,)]

    def test_a_refused_record_is_a_job_of_its_dataset(
        self, sink: SqlSink, database: Database
    ) -> None:
        batch = replace(make_batch([*values(0), BAD]), targets=("orders", "archive"))
        (settled,) = sink.commit([batch])
        assert [failure.target for failure in (*settled.dead, *settled.retry)] == ["archive"]
        assert database.rows("SELECT target FROM ingest_jobs") == [("archive",)]

    def test_a_batch_for_tables_only_enters_no_intent(self, sink: SqlSink, lake: Lake) -> None:
        sink.commit([self.batch("orders", "orders")])
        sink.finish()
        assert (lake.intents(), lake.listed()) == ([], [])
