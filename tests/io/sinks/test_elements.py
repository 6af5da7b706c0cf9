"""Records that share an offset because they are elements of one message: rows, jobs, ledger, outbox."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from sinks.jobs.queue import SqlJobQueue
from sinks.ledger.accounts import accounts
from sinks.sql import SqlSink
from tests.io.sinks.tested_database import Database, counts
from tests.waiting import wait_until
from transforms.batch.backoff import Backoff
from transforms.batch.record import JSON, Failure, Origin, RecordBatch, Span
from transforms.batch.retry_policy import RetryPolicy
from transforms.batch.splits import BatchLimits
from transforms.errors import ConfigError, SinkFailed
from transforms.steps.pipeline_identity import PipelineIdentity

PIPELINE = PipelineIdentity("events", ())
AT_ONCE = RetryPolicy(Backoff(0.001, 0.001))
ORIGIN = "ingest_source, ingest_partition, ingest_offset"


def sink_of(database: Database, **options: Any) -> SqlSink:
    sink = replace(
        database.sink(elements=True, **options), retry=AT_ONCE, pipeline=PIPELINE, run="first"
    )
    sink.prepare()
    return sink


def messages(*sizes: int, start: int = 0, failing: Sequence[tuple[int, int]] = ()) -> RecordBatch:
    """Messages of so many elements each, some of which may succeed later."""
    places = [(start + n, element) for n, size in enumerate(sizes) for element in range(size)]
    good = [place for place in places if place not in failing]
    return RecordBatch(
        span=Span("kafka://t", "0@ID", start, start + len(sizes)),
        format=JSON,
        offsets=[offset for offset, _ in good],
        raws=[raw_of(*place) for place in good],
        values=[json.loads(raw_of(*place)) for place in good],
        failures=tuple(failure(*place) for place in failing),
        filtered=tuple(start + n for n, size in enumerate(sizes) if size == 0),
        elements=[element for _, element in good],
    )


def raw_of(offset: int, element: int) -> bytes:
    return json.dumps({"id": 100 * offset + element}).encode()


def failure(offset: int, element: int) -> Failure:
    origin = Origin("kafka://t", "0@ID", offset, element)
    return Failure(
        origin=origin,
        raw=raw_of(offset, element),
        format=JSON,
        stage="Ask",
        category="retry_later",
        exception="RetryLater",
        message="away",
        stack="",
        transient=True,
    )


def due(sink: SqlSink) -> RecordBatch:
    """The due jobs, which have to be one batch, as the parser leaves them."""
    queue = SqlJobQueue(sink.config, pipeline=PIPELINE)
    wait_until(lambda: (queue.due_in() or 0) <= 0, "a job that is due")
    (batch,) = queue.claim(queue.lease(), BatchLimits())
    return replace(batch, values=[json.loads(raw) for raw in batch.raws])


def balance(database: Database) -> dict[str, int]:
    (account,) = accounts(database.database)
    assert account.balanced
    assert account.added_up
    assert account.progress.counts.conserved
    return {name: number for name, number in account.progress.counts if number}


class TestOrigin:
    def test_the_number_is_part_of_the_key_of_a_table_that_is_created(
        self, database: Database
    ) -> None:
        sink = sink_of(database)
        (settled,) = sink.commit([messages(2, 0, 1)])
        assert counts(settled) == {"read": 3, "expanded": 1, "inserted": 3, "filtered": 1}
        places = "SELECT ingest_offset, ingest_element FROM events ORDER BY 1, 2"
        assert database.rows(places) == [(0, 0), (0, 1), (2, 0)]

    def test_a_record_that_is_a_whole_message_has_0(self, database: Database) -> None:
        whole = replace(messages(1), elements=None)
        sink_of(database).commit([whole, replace(messages(1, start=1), elements=[None])])
        rows = database.rows("SELECT ingest_offset, ingest_element FROM events ORDER BY 1")
        assert rows == [(0, 0), (1, 0)]

    def test_a_table_that_has_the_column_is_used_with_it_by_other_input_too(
        self, database: Database
    ) -> None:
        sink_of(database)
        database.sink().commit([replace(messages(1), elements=None)])
        assert database.rows("SELECT ingest_element FROM events") == [(0,)]

    def test_a_table_without_the_column_is_refused(self, database: Database) -> None:
        database.sink()
        with pytest.raises(ConfigError, match=r"no column ingest_element.*give --key FIELD"):
            sink_of(database)

    def test_a_column_that_is_not_part_of_the_unique_constraint_is_refused(
        self, database: Database
    ) -> None:
        types = "ingest_source text, ingest_partition text, ingest_offset bigint"
        database.run(
            f"CREATE TABLE events ({types}, ingest_element bigint, id bigint, UNIQUE ({ORIGIN}))"
        )
        with pytest.raises(ConfigError, match=r"no unique constraint on exactly .*ingest_element"):
            sink_of(database)

    def test_a_write_that_was_not_told_of_elements_does_not_take_them_for_duplicates(
        self, database: Database
    ) -> None:
        sink = database.sink()
        with pytest.raises(SinkFailed, match=r"several records of one message of kafka://t"):
            sink.commit([messages(2)])
        assert database.rows("SELECT count(*) FROM events") == [(0,)]

    def test_with_a_key_the_table_needs_no_column(self, database: Database) -> None:
        database.run("CREATE TABLE events (id integer PRIMARY KEY)")
        (settled,) = sink_of(database, key=["id"]).commit([messages(3)])
        assert counts(settled) == {"read": 1, "expanded": 2, "inserted": 3}


class TestLedger:
    def test_a_batch_that_comes_again_is_left_out_as_a_whole(self, database: Database) -> None:
        sink = sink_of(database)
        sink.commit([messages(3, 2)])
        (settled,) = sink.commit([messages(3, 2)])
        assert counts(settled) == {"trimmed": 5}
        assert balance(database) == {"read": 2, "expanded": 3, "inserted": 5}

    def test_what_overlaps_is_left_out_by_whole_messages(self, database: Database) -> None:
        sink = sink_of(database)
        sink.commit([messages(3, 2, failing=[(1, 1)])])
        (settled,) = sink.commit([messages(2, 4, start=1, failing=[(1, 1), (2, 3)])])
        assert counts(settled) == {
            "read": 1,
            "expanded": 3,
            "inserted": 3,
            "retry": 1,
            "trimmed": 2,
        }
        assert balance(database) == {"read": 3, "expanded": 6, "inserted": 7, "retrying": 2}


class TestJobs:
    def test_elements_of_one_message_have_jobs_of_their_own(self, database: Database) -> None:
        sink = sink_of(database)
        sink.commit([messages(4, failing=[(0, 1), (0, 3)])])
        places = 'SELECT "offset", element FROM ingest_jobs ORDER BY element'
        assert database.rows(places) == [(0, 1), (0, 3)]
        assert balance(database) == {"read": 1, "expanded": 3, "inserted": 2, "retrying": 2}

    def test_they_come_back_and_are_settled_one_by_one(self, database: Database) -> None:
        sink = sink_of(database)
        sink.commit([messages(4, 2, failing=[(0, 1), (0, 3), (1, 0)])])
        batch = due(sink)
        assert list(zip(batch.offsets, batch.elements or (), strict=True)) == [
            *((0, 1), (0, 3)),
            (1, 0),
        ]
        again = batch.keep([0, 2], [{"id": 1}, {"id": 100}], failures=[failure(0, 3)])
        (settled,) = replace(sink, run="second").commit([again])
        assert counts(settled) == {"read": 3, "inserted": 2, "retry": 1}
        assert balance(database) == {"read": 2, "expanded": 4, "inserted": 5, "retrying": 1}
        states = 'SELECT state FROM ingest_jobs ORDER BY "offset", element'
        assert database.rows(states) == [("completed",), ("retryable",), ("completed",)]

    def test_a_job_that_is_stored_already_is_not_stored_again(self, database: Database) -> None:
        sink = sink_of(database)
        batch = messages(2, failing=[(0, 1)])
        sink.commit([batch])
        database.run("DELETE FROM ingest_progress", "DELETE FROM ingest_counts")
        sink.commit([batch])
        assert database.rows("SELECT count(*) FROM ingest_jobs") == [(1,)]


class TestOutbox:
    def test_a_change_names_the_element(self, database: Database) -> None:
        sink = replace(sink_of(database), outbox=True)
        sink.commit([messages(2)])
        rows = database.rows('SELECT "offset", element, key FROM ingest_outbox ORDER BY id')
        assert [(offset, element) for offset, element, _ in rows] == [(0, 0), (0, 1)]
        keys = [json.loads(key)["ingest_element"] for *_, key in rows]
        assert keys == [0, 1]
