"""Records of which steps make several: rows, counts, jobs of their own, and what becomes of these."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sinks.jobs.actions import carry_out
from sinks.jobs.filter import JobFilter
from sinks.jobs.first.origin import origin_of
from sinks.jobs.orders import Order
from sinks.jobs.queue import SqlJobQueue
from sinks.jobs.store import list_jobs
from sinks.ledger.accounts import accounts
from sinks.outbox.queue import SqlOutboxQueue
from sinks.sql import SqlSink
from tests.fakes import apply
from tests.io.sinks.tested_database import Database, counts
from tests.waiting import wait_until
from transforms.batch.backoff import Backoff
from transforms.batch.expansion import Branch
from transforms.batch.job_states import ADOPT, REPLAY
from transforms.batch.record import JSON, Origin, Record, RecordBatch, Span
from transforms.batch.retry_policy import RetryPolicy
from transforms.batch.several import CHANGED
from transforms.batch.splits import BatchLimits
from transforms.errors import Reject, RetryLater, SinkFailed
from transforms.settle.sink import Settled
from transforms.steps.pipeline_identity import PipelineIdentity

PIPELINE = PipelineIdentity("events", ("Check", "Lines", "Each", "Words", "Last"))
AT_ONCE = RetryPolicy(Backoff(0.001, 0.001), max_attempts=20)

Step = Callable[[Record], Any]


@dataclass
class Steps:
    """The steps of a pipeline. A document becomes its lines, and a line its words.

    Attributes:
        asked: What the steps in between do with a record, by their labels.
        lines: Makes the lines of a document.
        words: Makes the words of a line.
    """

    asked: Mapping[str, Step] = field(default_factory=dict)
    lines: Step = lambda record: [record.with_value(line) for line in record.value["lines"]]
    words: Step = lambda record: [record.with_value(word) for word in record.value["words"]]

    def applied(self, batch: RecordBatch) -> RecordBatch:
        batch = replace(batch, values=[json.loads(raw) for raw in batch.raws])
        for label in PIPELINE.steps:
            own = {"Lines": self.lines, "Words": self.words}
            step = own.get(label) or self.asked.get(label) or (lambda record: record)
            batch = apply(batch, step, label)
        return batch


def words(*ids: int) -> dict[str, Any]:
    return {"words": [{"id": number} for number in ids]}


def documents(*lines: Sequence[dict[str, Any]], start: int = 0) -> RecordBatch:
    """Documents of such lines, as they were read."""
    raws = [json.dumps({"lines": list(each)}).encode() for each in lines]
    offsets = list(range(start, start + len(raws)))
    return RecordBatch(Span("file:///d", "v", start, start + len(raws)), JSON, offsets, raws)


@pytest.fixture
def sink(database: Database) -> SqlSink:
    database.run("CREATE TABLE events (id integer PRIMARY KEY)")
    return ready(database, key=["id"])


def ready(database: Database, **options: Any) -> SqlSink:
    sink = replace(database.sink(**options), retry=AT_ONCE, pipeline=PIPELINE, run="first")
    sink.prepare()
    return sink


def due(sink: SqlSink) -> Sequence[RecordBatch]:
    """All jobs that wait, claimed."""
    queue = SqlJobQueue(sink.config, pipeline=PIPELINE)
    wait_until(lambda: (queue.due_in() or 0) <= 0, "a job that is due")
    return queue.claim(queue.lease(), BatchLimits())


def attempt(sink: SqlSink, steps: Steps) -> list[Settled]:
    """One attempt at all jobs that wait, each batch in a commit of its own."""
    return [sink.commit([steps.applied(batch)])[0] for batch in due(sink)]


def failing(*ids: int, error: Exception | None = None) -> Step:
    """A step that fails the words, or the lines with a word, of such ids."""

    def step(record: Record) -> Record:
        value = record.value
        present = {word["id"] for word in value.get("words", [value])}
        if present & set(ids):
            raise error or RetryLater("away")
        return record

    return step


def replay(database: Database) -> int:
    order = Order.of(REPLAY, JobFilter(state="discarded"))
    return carry_out(database.database, order, actor="me", reason="repaired").count


def balance(database: Database) -> dict[str, int]:
    """The counts of the ledger, which agree with its tables and with the jobs."""
    (account,) = accounts(database.database)
    assert account.balanced
    assert account.added_up
    assert account.progress.counts.conserved
    return {name: number for name, number in account.progress.counts if number}


def rows(database: Database) -> list[int]:
    return [id_ for (id_,) in database.rows("SELECT id FROM events ORDER BY id")]


def jobs(database: Database) -> list[tuple[Any, ...]]:
    columns = '"offset", expansion, state, category'
    return database.rows(f'SELECT {columns} FROM ingest_jobs ORDER BY "offset", id')


TWO_LINES = (words(1, 2, 3), words(4, 5))


class TestCounts:
    def test_what_is_beyond_the_first_of_a_record_is_expanded(
        self, database: Database, sink: SqlSink
    ) -> None:
        (settled,) = sink.commit([Steps().applied(documents(TWO_LINES, (), (words(6),)))])
        assert counts(settled) == {"read": 3, "expanded": 4, "inserted": 6, "filtered": 1}
        assert balance(database) == {"read": 3, "expanded": 4, "inserted": 6, "filtered": 1}
        assert rows(database) == [1, 2, 3, 4, 5, 6]

    def test_a_batch_that_comes_again_is_left_out_as_a_whole(
        self, database: Database, sink: SqlSink
    ) -> None:
        batch = Steps({"Last": failing(2)}).applied(documents(TWO_LINES))
        sink.commit([batch])
        (settled,) = sink.commit([batch])
        assert counts(settled) == {"trimmed": 5}
        assert len(jobs(database)) == 1

    def test_the_order_of_writes_is_that_of_the_values(self, database: Database) -> None:
        database.run("CREATE TABLE events (id integer PRIMARY KEY, n integer)")
        sink = ready(database, key=["id"], on_conflict="update")
        numbered = [{"id": 1, "n": n} for n in range(5)]
        sink.commit([Steps().applied(documents(({"words": numbered},)))])
        assert database.rows("SELECT id, n FROM events") == [(1, 4)]


class TestJobsOfSeveral:
    def test_one_of_several_has_a_job_with_the_bytes_of_the_whole(
        self, database: Database, sink: SqlSink
    ) -> None:
        read = documents(TWO_LINES)
        sink.commit([Steps({"Last": failing(1, 3), "Each": failing(4)}).applied(read)])
        assert rows(database) == [2]
        assert jobs(database) == [
            (0, "1/2:Lines", "retryable", "retry_later"),
            (0, "0/2:Lines,0/3:Words", "retryable", "retry_later"),
            (0, "0/2:Lines,2/3:Words", "retryable", "retry_later"),
        ]
        listed = list_jobs(database.database)
        assert {job.failure.raw for job in listed} == {read.raws[0]}
        assert listed[0].failure.origin.expansion == (Branch(0, 2, "Lines"), Branch(2, 3, "Words"))
        # The second line is one record until it has become words.
        assert balance(database) == {"read": 1, "expanded": 3, "inserted": 1, "retrying": 3}

    def test_several_of_one_offset_are_tried_again_in_one_claim_each_by_itself(
        self, database: Database, sink: SqlSink
    ) -> None:
        sink.commit([Steps({"Last": failing(1, 3)}).applied(documents(TWO_LINES))])
        (batch,) = due(sink)
        assert (batch.offsets, batch.ahead) == ([0, 0], [2, 2])
        applied = Steps({"Last": failing(3)}).applied(batch)
        assert applied.values == [{"id": 1}]
        (settled,) = sink.commit([applied])
        assert counts(settled) == {"inserted": 1, "retry": 1}
        assert (settled.attempts, settled.failed_again) == (2, (0, 1))
        assert [state for _, _, state, _ in jobs(database)] == ["completed", "retryable"]
        attempt(sink, Steps())
        assert rows(database) == [1, 2, 3, 4, 5]
        assert balance(database) == {"read": 1, "expanded": 4, "inserted": 5}

    def test_a_job_whose_step_makes_another_number_now_is_dead(
        self, database: Database, sink: SqlSink
    ) -> None:
        sink.commit([Steps({"Last": failing(3)}).applied(documents(TWO_LINES))])
        twice = Steps(words=lambda record: [record, record])
        (settled,) = attempt(sink, twice)
        assert settled.failed_again == (1, 0)
        assert jobs(database) == [(0, "0/2:Lines,2/3:Words", "discarded", CHANGED)]
        ((message,),) = database.rows("SELECT message FROM ingest_jobs")
        assert message == (
            "this was record 2 of the 3 that step 'Words' made of one; now the step makes 2 of it, not 3"
        )
        assert balance(database) == {"read": 1, "expanded": 4, "inserted": 4, "dead": 1}
        assert replay(database) == 1
        attempt(sink, Steps())
        assert rows(database) == [1, 2, 3, 4, 5]
        assert balance(database) == {"read": 1, "expanded": 4, "inserted": 5}

    def test_a_job_whose_steps_make_no_several_any_more_is_dead(
        self, database: Database, sink: SqlSink
    ) -> None:
        sink.commit([Steps({"Last": failing(3)}).applied(documents(TWO_LINES))])
        (batch,) = due(sink)
        sink.commit([replace(batch, values=[{"id": 99}])])
        assert rows(database) == [1, 2, 4, 5]
        assert [row[2:] for row in jobs(database)] == [("discarded", CHANGED)]
        assert balance(database) == {"read": 1, "expanded": 4, "inserted": 4, "dead": 1}

    def test_a_job_that_fails_before_its_branch_stays_the_same_job(
        self, database: Database, sink: SqlSink
    ) -> None:
        sink.commit([Steps({"Last": failing(1, 3)}).applied(documents(TWO_LINES))])

        def away(record: Record) -> Record:
            raise RetryLater("away")

        (settled,) = attempt(sink, Steps({"Check": away}))
        assert settled.failed_again == (0, 2)
        assert [row[1] for row in jobs(database)] == ["0/2:Lines,0/3:Words", "0/2:Lines,2/3:Words"]
        attempt(sink, Steps())
        assert rows(database) == [1, 2, 3, 4, 5]

    def test_what_the_database_refuses_is_one_of_several(self, database: Database) -> None:
        database.run("CREATE TABLE events (id integer PRIMARY KEY, CHECK (id <> 3))")
        sink = ready(database, key=["id"])
        sink.commit([Steps().applied(documents(TWO_LINES))])
        assert [row[:3] for row in jobs(database)] == [(0, "0/2:Lines,2/3:Words", "discarded")]
        assert balance(database) == {"read": 1, "expanded": 4, "inserted": 4, "dead": 1}


class TestAdoption:
    def test_a_renamed_step_takes_the_place_of_the_one_before(
        self, database: Database, sink: SqlSink
    ) -> None:
        sink.commit([Steps({"Last": failing(3)}).applied(documents(TWO_LINES))])
        renamed = PipelineIdentity("events", ("Check", "Rows", "Each", "Words", "Last"))
        order = Order.of(ADOPT, JobFilter(), every_state=True, adopter=renamed)
        assert carry_out(database.database, order, actor="me", reason="renamed").count == 1
        assert [row[1] for row in jobs(database)] == ["0/2:Rows,2/3:Words"]
        expansion = (Branch(0, 2, "Rows"), Branch(2, 3, "Words"))
        origin = origin_of("events", Origin("file:///d", "v", 0, None, expansion))
        ((stored,),) = database.rows("SELECT origin FROM ingest_jobs")
        as_bytes = isinstance(stored, bytes)  # in MariaDB
        assert (UUID(bytes=stored) if as_bytes else UUID(str(stored))) == origin

    def test_steps_of_another_number_keep_the_names(
        self, database: Database, sink: SqlSink
    ) -> None:
        sink.commit([Steps({"Last": failing(3)}).applied(documents(TWO_LINES))])
        order = Order.of(ADOPT, JobFilter(), adopter=PipelineIdentity("events", ("Rows",)))
        carry_out(database.database, order, actor="me", reason="changed")
        assert [row[1] for row in jobs(database)] == ["0/2:Lines,2/3:Words"]


class TestJobsThatBecomeSeveral:
    def failed_whole(self, sink: SqlSink) -> None:
        """A document whose first attempt ends before it is one of several."""

        def away(record: Record) -> Record:
            raise RetryLater("away")

        sink.commit([Steps({"Check": away}).applied(documents(TWO_LINES))])

    def test_they_are_settled_and_the_job_is_completed(
        self, database: Database, sink: SqlSink
    ) -> None:
        self.failed_whole(sink)
        assert balance(database) == {"read": 1, "retrying": 1}
        (settled,) = attempt(sink, Steps())
        assert counts(settled) == {"expanded": 4, "inserted": 5}
        assert (settled.attempts, settled.failed_again) == (1, (0, 0))
        assert [row[1:3] for row in jobs(database)] == [(None, "completed")]
        assert balance(database) == {"read": 1, "expanded": 4, "inserted": 5}

    def test_another_run_counts_the_job_as_read_and_the_rest_as_expanded(
        self, database: Database, sink: SqlSink
    ) -> None:
        self.failed_whole(sink)
        (settled,) = attempt(replace(sink, run="second"), Steps({"Last": failing(2)}))
        assert counts(settled) == {"read": 1, "expanded": 4, "inserted": 4, "retry": 1}
        assert settled.counts.conserved

    def test_those_that_fail_have_jobs_of_their_own(
        self, database: Database, sink: SqlSink
    ) -> None:
        self.failed_whole(sink)
        attempt(sink, Steps({"Last": failing(2), "Each": failing(5, error=Reject("bad"))}))
        assert jobs(database) == [
            (0, None, "completed", "retry_later"),
            (0, "1/2:Lines", "discarded", "rejected"),
            (0, "0/2:Lines,1/3:Words", "retryable", "retry_later"),
        ]
        assert balance(database) == {
            "read": 1,
            "expanded": 3,
            "inserted": 2,
            "dead": 1,
            "retrying": 1,
        }
        whole = list_jobs(database.database)[-1]
        assert [error["error"] for error in whole.errors] == [
            "away",
            "step Lines made 2 records of it; 2 failed: each has its own job",
        ]
        attempt(sink, Steps())
        assert replay(database) == 1
        attempt(sink, Steps())
        assert rows(database) == [1, 2, 3, 4, 5]
        assert balance(database) == {"read": 1, "expanded": 4, "inserted": 5}

    def test_if_all_fail_the_job_is_completed_all_the_same(
        self, database: Database, sink: SqlSink
    ) -> None:
        self.failed_whole(sink)
        attempt(sink, Steps({"Last": failing(1, 2, 3, 4, 5)}))
        states = [state for _, _, state, _ in jobs(database)]
        assert states == ["completed", *["retryable"] * 5]
        assert balance(database) == {"read": 1, "expanded": 4, "retrying": 5}

    def test_the_ledger_of_the_pipeline_that_read_the_job_counts_them(
        self, database: Database, sink: SqlSink
    ) -> None:
        self.failed_whole(sink)
        database.run("UPDATE ingest_jobs SET read_by = 'reader'")
        for table in ("ingest_progress", "ingest_counts"):
            database.run(f"UPDATE {table} SET pipeline = 'reader'")
        attempt(sink, Steps({"Last": failing(2)}))
        assert balance(database) == {"read": 1, "expanded": 4, "inserted": 4, "retrying": 1}
        readers = "SELECT DISTINCT read_by FROM ingest_jobs"
        assert database.rows(readers) == [("reader",)]

    def test_a_batch_whose_claim_was_lost_settles_none_of_them(
        self, database: Database, sink: SqlSink
    ) -> None:
        self.failed_whole(sink)
        (batch,) = due(sink)
        applied = Steps({"Last": failing(2)}).applied(batch)
        sink.commit([applied])
        (settled,) = sink.commit([applied])
        assert counts(settled) == {"trimmed": 5}
        assert balance(database) == {"read": 1, "expanded": 4, "inserted": 4, "retrying": 1}


@pytest.mark.parametrize("limit", [1, 40, 1 << 20])
def test_many_that_share_large_bytes_are_stored_a_few_at_a_time(
    database: Database, sink: SqlSink, monkeypatch: pytest.MonkeyPatch, limit: int
) -> None:
    monkeypatch.setattr("sinks.jobs.first.insert.CHUNK_BYTES", limit)
    sink.commit([Steps({"Last": failing(*range(5))}).applied(documents((words(*range(5)),)))])
    assert len(jobs(database)) == 5
    assert balance(database) == {"read": 1, "expanded": 4, "retrying": 5}


ORIGIN = "SELECT ingest_offset, ingest_element FROM events ORDER BY 1, 2"


class TestOrigin:
    def test_one_of_several_has_its_number_in_a_table_without_a_key(
        self, database: Database
    ) -> None:
        sink = ready(database, elements=True)
        one_line = Steps(words=lambda record: record)
        sink.commit([one_line.applied(documents(TWO_LINES, (words(6),)))])
        assert database.rows(ORIGIN) == [(0, 0), (0, 1), (1, 0)]

    def test_one_that_two_steps_made_is_dead(self, database: Database) -> None:
        sink = ready(database, elements=True)
        (settled,) = sink.commit([Steps().applied(documents((words(1), words(2, 3))))])
        assert counts(settled) == {"read": 1, "expanded": 2, "inserted": 1, "dead": 2}
        assert database.rows(ORIGIN) == [(0, 0)]
        assert {row[3] for row in jobs(database)} == {"ambiguous_origin"}

    def test_a_table_without_the_column_is_refused(self, database: Database) -> None:
        sink = ready(database)
        with pytest.raises(SinkFailed, match=r"several records of one record of file:///d would"):
            sink.commit([Steps().applied(documents((words(1, 2),)))])


def test_a_change_in_the_outbox_names_the_expansion(database: Database, sink: SqlSink) -> None:
    replace(sink, outbox=True).commit([Steps().applied(documents(TWO_LINES, (words(6),)))])
    stored = database.rows('SELECT "offset", expansion FROM ingest_outbox ORDER BY id')
    assert stored[0] == (0, "0/2:Lines,0/3:Words")
    assert stored[-2:] == [(0, "1/2:Lines,1/2:Words"), (1, None)]
    batch, _ = SqlOutboxQueue(database.database).read(0, 1, BatchLimits(), ())
    assert batch is not None
    assert batch.headers is not None
    assert ("expansion", b"1/2:Lines,1/2:Words") in batch.headers[-2]
    assert "expansion" not in dict(batch.headers[-1])


def test_a_job_that_is_stored_already_is_not_stored_again(
    database: Database, sink: SqlSink
) -> None:
    batch = Steps({"Last": failing(1, 3)}).applied(documents(TWO_LINES))
    sink.commit([batch])
    database.run("DELETE FROM ingest_progress", "DELETE FROM ingest_counts")
    sink.commit([batch])
    assert database.rows("SELECT count(*) FROM ingest_jobs") == [(2,)]


shapes = st.lists(st.lists(st.integers(0, 3), max_size=3), min_size=1, max_size=4)
"""How many words each line of each document has."""


class TestLaw:
    @pytest.fixture
    def sqlite_sink(self, sqlite_database: Database) -> SqlSink:
        sqlite_database.run("CREATE TABLE events (id integer PRIMARY KEY)")
        return ready(sqlite_database, key=["id"])

    @settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(shapes, st.randoms(use_true_random=False), st.integers(1, 4))
    def test_holds_over_expansions_failures_filters_and_replays(
        self,
        sqlite_database: Database,
        sqlite_sink: SqlSink,
        shape: list[list[int]],
        chance: Any,
        rounds: int,
    ) -> None:
        # Claims too: numbers of jobs are given again, and an example may have ended at any point.
        tables = (
            *("events", "ingest_jobs", "ingest_queue", "ingest_claims", "ingest_leases"),
            *("ingest_progress", "ingest_counts"),
        )
        sqlite_database.run(*(f"DELETE FROM {table}" for table in tables))
        ids = iter(range(1_000))
        lines = [[words(*(next(ids) for _ in range(n))) for n in sizes] for sizes in shape]

        def troubled(record: Record) -> Record:
            outcome = chance.choice(["good", "good", "later", "bad"])
            if outcome == "later":
                raise RetryLater("away")
            if outcome == "bad":
                raise Reject("bad")
            return record

        def dropping(record: Record) -> Record | None:
            return None if record.value.get("id", 1) % 5 == 0 else record

        bad = {"Check": troubled, "Each": troubled, "Last": troubled}
        sink = sqlite_sink
        (settled,) = sink.commit([Steps(bad).applied(documents(*lines))])
        assert settled.counts.conserved
        for number in range(rounds):
            balance(sqlite_database)
            if chance.random() < 0.7:
                replay(sqlite_database)
            trying = replace(sink, run=chance.choice(["first", f"run {number}"]))
            for result in attempt(trying, Steps(bad)):
                assert result.counts.conserved
        # At last all is well: every word is there once, save those that a step leaves out.
        while replay(sqlite_database) or balance(sqlite_database).get("retrying"):
            attempt(sink, Steps({"Last": dropping}))
        balance(sqlite_database)
        present = set(rows(sqlite_database))
        everything = {
            word["id"] for document in lines for line in document for word in line["words"]
        }
        assert present >= {number for number in everything if number % 5}
        assert present <= everything
        states = sqlite_database.rows("SELECT DISTINCT state FROM ingest_jobs")
        assert states in ([], [("completed",)])
