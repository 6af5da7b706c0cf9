"""Objects of a commit: with the ledger, with the counts, with failed records, beside tables."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import apache_beam as beam
import pytest
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.testing.test_pipeline import TestPipeline
from mypy_boto3_s3 import S3Client

from sinks import object_shares
from sinks.jobs.queue import SqlJobQueue
from sinks.object_datasets import Objects
from sinks.object_shares import ObjectShares, written_objects
from sinks.objects import intents, writing
from sinks.objects.config import ObjectConfig
from sinks.objects.folder_store import FolderStore
from sinks.objects.planned import Written
from sinks.objects.publish import TURNS
from sinks.sql import SqlConfig, SqlSink, Tables, WriteToSql
from sinks.tables import default_schema
from tests.fakes import committed_alone
from tests.io.sinks.jobs.queued_jobs import LIMITS, PIPELINE, SOON, parsed, retryable
from tests.io.sinks.objects.lake import SCHEMA, Lake
from tests.io.sinks.tested_database import Database, make_batch
from tests.waiting import wait_until
from transforms.batch.backoff import Backoff
from transforms.batch.record import RecordBatch
from transforms.errors import Contention, DeadBudgetExceeded, SinkFailed, SinkUnavailable
from transforms.read import drain
from transforms.route.route import Route
from transforms.settle import finishing
from transforms.settle.dead_budget import DeadBudget
from transforms.settle.write import WriteConfig

BAD = {"id": "x", "type": "a"}


@pytest.fixture
def lake(sqlite_database: Database, tmp_path: Path) -> Lake:
    """With SQLite as its state."""
    return Lake(sqlite_database, tmp_path / "lake")


@pytest.fixture
def every_lake(database: Database, tmp_path: Path) -> Lake:
    """With each kind of database as its state."""
    return Lake(database, tmp_path / "lake")


def values(*ids: int) -> list[Mapping[str, Any]]:
    return [{"id": n, "type": "ab"[n % 2]} for n in ids]


def test_records_are_settled_once(every_lake: Lake) -> None:
    lake = every_lake
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


def test_only_what_is_new_in_a_batch_is_written(lake: Lake) -> None:
    sink = lake.sink()
    sink.commit([make_batch(values(0, 1))])
    sink.commit([make_batch(values(0, 1, 2, 3))])
    sink.finish()
    assert lake.ids() == [0, 1, 2, 3]


def test_a_range_without_records_settles_and_writes_nothing(lake: Lake) -> None:
    sink = lake.sink()
    (settled,) = sink.commit([make_batch([], filtered=3)])
    assert settled.counts.filtered == 3
    sink.finish()
    assert (lake.listed(), lake.publisher.root()[0].number) == ([], 0)


def test_lines_of_json_are_the_same_records(lake: Lake) -> None:
    sink = lake.sink("?format=jsonl.gz")
    sink.commit([make_batch(values(0, 1))])
    sink.finish()
    assert lake.ids() == [0, 1]
    assert all(name.endswith(".jsonl.gz") for name in lake.listed())


def test_a_budget_of_dead_letters_undoes_the_commit(lake: Lake) -> None:
    sink = lake.sink(budget=DeadBudget.parse("0"))
    with pytest.raises(DeadBudgetExceeded):
        sink.commit([make_batch([*values(0), BAD])])
    sink.finish()
    assert (lake.ids(), lake.states()) == ([], [])
    assert len(lake.intents()) == 1, "another attempt will replace its object"


class TestJobs:
    """A record that failed before is written in an object of its own."""

    @pytest.fixture
    def batch(self, lake: Lake) -> RecordBatch:
        """Two jobs that are being tried, beside a record that is settled."""
        sink = self.sink(lake)
        sink.commit([make_batch(values(0), failures=[retryable(1), retryable(2)])])
        queue = SqlJobQueue(sink.config, lease_seconds=30, pipeline=PIPELINE)
        lease = queue.lease()
        batches: list[RecordBatch] = []

        def claim() -> bool:
            batches.extend(queue.claim(lease, LIMITS))
            return bool(batches)

        wait_until(claim, "they are due")
        return parsed(batches[0])

    def sink(self, lake: Lake) -> SqlSink:
        sink = lake.sink(pipeline=PIPELINE)
        return replace(sink, retry=SOON, run="run-1")

    def test_it_is_settled_with_the_job(self, lake: Lake, batch: RecordBatch) -> None:
        sink = self.sink(lake)
        (settled,) = sink.commit([batch])
        sink.finish()
        assert (settled.attempts, settled.counts.inserted) == (2, 2)
        assert lake.ids() == [0, 1, 2]
        assert lake.database.rows("SELECT DISTINCT state FROM ingest_jobs") == [("completed",)]
        assert sum("/jobs-" in name for name in lake.listed()) == 1
        assert lake.database.rows("SELECT count(*) FROM ingest_intents") == [(0,)]

    def test_after_a_crash_its_object_is_an_orphan(
        self, lake: Lake, batch: RecordBatch, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        sink = self.sink(lake)
        assert sink.objects is not None
        written_objects(sink.objects, sink.config, PIPELINE.name, [batch])
        lake.database.run("DELETE FROM ingest_claims")  # as a rescue does it
        (settled,) = sink.commit([batch])
        assert settled.trimmed == 2
        assert (lake.intents(), lake.states()) == ([], ["settled", "orphan"])
        sink.commit([batch, make_batch(values(3), 3)])
        sink.finish()
        assert lake.ids() == [0, 3]

    def test_jobs_that_are_lost_meanwhile_are_not_settled(
        self, lake: Lake, batch: RecordBatch, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        sink = self.sink(lake)
        write = writing.write

        def lose(*arguments: Any) -> Any:
            lake.database.run("DELETE FROM ingest_claims")
            return write(*arguments)

        with monkeypatch.context() as patch:
            patch.setattr(object_shares, "write", lose)
            (settled,) = sink.commit([batch])
        sink.finish()
        assert (settled.trimmed, settled.counts.records, lake.ids()) == (2, 0, [0])
        assert lake.intents() == []


class TestBesideTables:
    """Routes send some records to a table, some to objects, some to both."""

    def sink(self, lake: Lake) -> SqlSink:
        home = SqlConfig.of(lake.database.url, "orders", key=["id"], schema=json.loads(SCHEMA))
        routes = [
            Route("orders", key=("id",), schema=SCHEMA),
            Route("archive", sink="file:///elsewhere"),
        ]
        config = ObjectConfig.of(f"file://{lake.folder}", "archive")
        TURNS.clear()
        sink = SqlSink(
            home,
            tables=Tables.of(home, routes),
            objects=Objects.of(config, schema=SCHEMA, label="archive"),
        )
        sink.prepare()
        return sink

    def batch(self, *targets: str, start: int = 0) -> RecordBatch:
        ids = range(start, start + len(targets))
        return replace(make_batch(values(*ids), start), targets=targets)

    def test_both_are_settled_in_one_transaction(self, every_lake: Lake) -> None:
        lake, database = every_lake, every_lake.database
        sink = self.sink(lake)
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
        self, lake: Lake, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        sink = self.sink(lake)
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
        assert lake.database.rows("SELECT id FROM orders") == [(0,)]

    def test_a_refused_record_is_a_job_of_its_dataset(self, lake: Lake) -> None:
        batch = replace(make_batch([*values(0), BAD]), targets=("orders", "archive"))
        (settled,) = self.sink(lake).commit([batch])
        assert [failure.target for failure in (*settled.dead, *settled.retry)] == ["archive"]
        assert lake.database.rows("SELECT target FROM ingest_jobs") == [("archive",)]

    def test_a_dataset_may_be_spelt_with_the_default_schema(self, every_lake: Lake) -> None:
        sink = self.sink(every_lake)
        assert sink.objects is not None
        schema = default_schema(every_lake.database.database)
        (dataset,) = sink.objects.datasets
        label = f"{schema}.archive"
        spelt = replace(dataset, config=dataset.config.of_dataset(label), label=label)
        sink = replace(sink, objects=Objects((spelt,)))
        sink.prepare()
        (settled,) = sink.commit([self.batch("archive", label)])
        sink.finish()
        assert settled.by_target["archive"].inserted == 2
        assert every_lake.database.rows("SELECT target FROM ingest_objects") == [("archive",)]

    def test_a_batch_for_tables_only_enters_no_intent(self, lake: Lake) -> None:
        sink = self.sink(lake)
        sink.commit([self.batch("orders", "orders")])
        sink.finish()
        assert (lake.intents(), lake.listed()) == ([], [])


@pytest.mark.parametrize("method", ["create", "read"])
def test_a_store_that_is_away_in_mid_run_is_waited_for(
    lake: Lake, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    sink = lake.sink()
    works = getattr(FolderStore, method)
    faults = iter([SinkUnavailable("the store is away")] * 2)

    def faulty(self: FolderStore, *arguments: object) -> object:
        for fault in faults:
            raise fault
        return works(self, *arguments)

    config = WriteConfig(backoff=Backoff(base=0.001, cap=0.002), outage_budget=10.0)
    with monkeypatch.context() as patch:
        patch.setattr(FolderStore, method, faulty)
        settled, _ = committed_alone(sink, [make_batch(values(0, 1))], config)
        finishing.finish(sink.finish, config.backoff, config.outage_budget)
    assert [result.counts.inserted for result in settled] == [2]
    assert lake.ids() == [0, 1]
    assert lake.intents() == []


def test_a_bucket_is_written_like_a_folder(
    sqlite_database: Database, s3_endpoint: str, bucket: str, s3: S3Client
) -> None:
    config = ObjectConfig.of(f"s3://{bucket}/raw", "events", endpoint_url=s3_endpoint)
    objects = Objects.of(config, schema=SCHEMA)
    sink = SqlSink(SqlConfig(sqlite_database.database, config.label), objects=objects)
    TURNS.clear()
    sink.prepare()
    written_objects(objects, sink.config, "", [make_batch(values(0, 1))])  # and then a crash
    sink.commit([make_batch(values(0, 1)), make_batch(values(2), 2)])
    sink.finish()
    (publisher,) = objects.publishers(sqlite_database.database)
    entries = publisher.entries()
    assert sorted((entry.rows, entry.dataset) for entry in entries) == [
        (1, "events"),
        (2, "events"),
    ]
    keys = [row["Key"] for row in s3.list_objects_v2(Bucket=bucket)["Contents"]]
    assert sorted(keys) == sorted(
        ["raw/_manifest.json", *(f"raw/{entry.name}" for entry in entries)]
    )
    for entry in entries:
        stored = publisher.store.head(entry.name)
        assert stored is not None
        assert (stored.etag, stored.bytes) == (entry.etag, entry.bytes)


def test_a_pipeline_of_beam_ends_with_its_manifest(lake: Lake) -> None:
    with TestPipeline(runner=FnApiRunner()) as pipeline:
        batches = [make_batch(values(0, 1)), make_batch(values(2), 2)]
        pipeline | beam.Create(batches) | WriteToSql(lake.sink())
    assert lake.ids() == [0, 1, 2]


def test_records_without_values_are_not_taken_for_none(lake: Lake) -> None:
    sink = lake.sink()
    with pytest.raises(SinkFailed, match="put Parse before the write"):
        sink.commit([replace(make_batch(values(0)), values=None)])


def test_what_was_not_written_is_not_settled(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    sink = lake.sink()
    monkeypatch.setattr(object_shares, "write", lambda plan, _: Written(plan.intents))
    with pytest.raises(SinkFailed, match="0 records were written as objects, and 2 were to be"):
        sink.commit([make_batch(values(0, 1))])
    assert lake.states() == []


class TestAnotherProcess:
    """What another process has begun a moment ago is left to it, for a while."""

    @pytest.fixture
    def begun(self, lake: Lake) -> ObjectShares:
        """A commit of another process, before its transaction."""
        sink = lake.sink()
        assert sink.objects is not None
        begun = written_objects(sink.objects, sink.config, "", [make_batch(values(0, 1))])
        intents.OWN.clear()
        return begun

    def test_it_settles_what_it_has_begun(
        self, lake: Lake, begun: ObjectShares, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def settle(_: float) -> None:
            with monkeypatch.context() as patch:
                patch.setattr(object_shares, "written_objects", lambda *_: begun)
                lake.sink(prepare=False).commit([make_batch(values(0, 1))])

        monkeypatch.setattr(drain, "wait", settle)
        sink = lake.sink()
        (settled,) = sink.commit([make_batch(values(0, 1, 2))])
        assert (settled.trimmed, settled.counts.inserted) == (2, 1)
        sink.finish()
        assert (lake.ids(), lake.states()) == ([0, 1, 2], ["settled", "settled"])

    def test_it_is_waited_for_with_an_end(
        self, lake: Lake, begun: ObjectShares, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        waits: list[float] = []
        monkeypatch.setattr(drain, "wait", waits.append)
        with pytest.raises(Contention, match="another process keeps writing the same ranges"):
            lake.sink().commit([make_batch(values(0, 1))])
        assert sum(waits) == 2 * intents.GRACE

    def test_what_is_old_is_taken_over_at_once(self, lake: Lake, begun: ObjectShares) -> None:
        lake.database.run("UPDATE ingest_intents SET updated_at = '2026-01-01 00:00:00'")
        sink = lake.sink()
        sink.commit([make_batch(values(0, 1))])
        sink.finish()
        assert lake.ids() == [0, 1]
