"""Records that fail and may succeed later: attempts, waits, ends, and what a crash leaves."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import apache_beam as beam
import pytest
import sqlalchemy as sa
from apache_beam.runners.portability.fn_api_runner import FnApiRunner

from sinks.database.engine import transaction
from sinks.jobs.queue import SqlJobQueue
from sinks.jobs.store import Job, list_jobs
from sinks.ledger import ledger
from sinks.ledger.ledger import SqlLedger
from sinks.sql import SqlConfig, SqlSink, WriteToSql
from sources.files.source import FilesSource
from sources.jobs.source import JobsSource
from transforms import metrics
from transforms.batch.backoff import Backoff
from transforms.batch.record import Record
from transforms.batch.retry_policy import RetryPolicy
from transforms.errors import RetryLater, Snooze
from transforms.parse.parse import Parse
from transforms.read import drain
from transforms.read.read import ReadSplits
from transforms.read.readers import READERS
from transforms.steps.each_record import EachRecord
from transforms.steps.pipeline_identity import PipelineIdentity
from transforms.steps.retry import Retry

pytestmark = pytest.mark.slow

PIPELINE = PipelineIdentity("events", ("enrich",))
SEEN: Counter[int] = Counter()
_lock = threading.Lock()


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    SEEN.clear()
    drain.reset()
    metrics.reset()
    yield
    READERS.close()


def enrich(record: Record) -> Record:
    """Every 10th record succeeds at its third attempt, every 10th plus one never."""
    number = record.value["id"]
    with _lock:
        SEEN[number] += 1
    if number % 10 == 0 and SEEN[number] < 3:
        raise RetryLater(f"the service is away, call {SEEN[number]}")
    if number % 10 == 1:
        raise RetryLater("the service never answers for this one")
    return record


@dataclass
class Ingest:
    """A pipeline with a step that fails, and what it left behind."""

    url: str
    folder: Path
    policy: RetryPolicy
    run_name: str = "run-1"

    def __post_init__(self) -> None:
        self.config = SqlConfig.of(self.url, "events", key=["id"])
        with transaction(self.config.database, "test") as connection:
            connection.exec_driver_sql(
                "CREATE TABLE IF NOT EXISTS events (id integer PRIMARY KEY, name text)"
            )

    def run(self, step: Any, *, retry_wait: float = 30.0, own: RetryPolicy | None = None) -> None:
        sink = SqlSink(self.config, self.policy, run=self.run_name, pipeline=PIPELINE)
        sink.prepare()
        jobs = JobsSource(SqlJobQueue(self.config, pipeline=PIPELINE), retry_wait=retry_wait)
        files = FilesSource(f"{self.folder}/*.jsonl", walk=True)
        pipeline = beam.Pipeline(runner=FnApiRunner())
        batches = (
            pipeline
            | ReadSplits([files, jobs], SqlLedger(self.config))
            | Parse()
            | EachRecord(step, "enrich")
        )
        if own is not None:
            batches = batches | Retry(own)
        batches | WriteToSql(sink)
        pipeline.run().wait_until_finish()

    def jobs(self) -> Sequence[Job]:
        return list_jobs(self.config.database, limit=100_000)

    def rows(self) -> int:
        with transaction(self.config.database, "test", write=False) as connection:
            return int(connection.exec_driver_sql("SELECT count(*) FROM events").scalar_one())

    def counts(self) -> dict[str, int]:
        (verdict,) = ledger.audit(self.config.database)
        assert verdict.counts.conserved
        return {
            name: number
            for name in ("read", "inserted", "dead", "retrying")
            if (number := getattr(verdict.counts, name))
        }


def write(folder: Path, count: int) -> Path:
    folder.mkdir()
    lines = (json.dumps({"id": n, "name": f"n{n}"}) + "\n" for n in range(count))
    (folder / "a.jsonl").write_text("".join(lines))
    return folder


def waits(job: Job) -> list[tuple[float, float, float]]:
    """Of each failed attempt but the last: when, how long it was to wait, how long it waited."""
    times = [
        (datetime.fromisoformat(e["at"]), e["due"] and datetime.fromisoformat(e["due"]))
        for e in job.errors
    ]
    return [
        (at.timestamp(), (due - at).total_seconds(), (after - at).total_seconds())
        for (at, due), (after, _) in pairwise(times)
    ]


POLICY = RetryPolicy(Backoff(base=0.2, cap=0.6), max_attempts=4)


def test_what_heals_is_written_and_what_does_not_is_discarded(sink: str, tmp_path: Path) -> None:
    ingest = Ingest(sink, write(tmp_path / "in", 200), POLICY)
    ingest.run(enrich)
    assert ingest.rows() == 180
    assert ingest.counts() == {"read": 200, "inserted": 180, "dead": 20}
    assert {job.state for job in ingest.jobs()} == {"completed", "discarded"}
    for job in ingest.jobs():
        if job.state == "completed":
            assert [error["attempt"] for error in job.errors] == [1, 2]
        else:
            assert [error["attempt"] for error in job.errors] == [1, 2, 3, 4]
            assert job.errors[-1]["due"] is None
        for number, (_, planned, waited) in enumerate(waits(job), 1):
            ceiling = POLICY.backoff.ceiling(number)
            assert ceiling / 2 - 0.001 <= planned <= ceiling + 0.001
            assert waited >= planned, "never before it is due"
    assert {SEEN[n] for n in range(1, 200, 10)} == {4}, "exactly so many attempts"
    assert {SEEN[n] for n in range(2, 200, 10)} == {1}
    tally = metrics.tally()
    assert (tally["read"], tally["inserted"], tally["dead"], tally["retrying"]) == (200, 180, 20, 0)


def test_what_is_due_later_is_left_for_the_next_run(sink: str, tmp_path: Path) -> None:
    folder = write(tmp_path / "in", 20)
    late = RetryPolicy(Backoff(base=40, cap=40), max_attempts=4)
    Ingest(sink, folder, late).run(enrich, retry_wait=1)
    ingest = Ingest(sink, folder, late, run_name="run-2")
    assert ingest.counts() == {"read": 20, "inserted": 16, "retrying": 4}
    with transaction(ingest.config.database, "test") as connection:
        connection.execute(sa.text("UPDATE ingest_queue SET due_at = '2020-01-01 00:00:00'"))
    metrics.reset()
    ingest.run(enrich, retry_wait=1)
    tally = metrics.tally()
    assert (tally["read"], tally["retrying"], tally["attempts"]) == (4, 4, 4), "taken over"
    assert ingest.counts() == {"read": 20, "inserted": 16, "retrying": 4}


def test_a_snoozed_record_uses_no_attempt(sink: str, tmp_path: Path) -> None:
    def snooze(record: Record) -> Record:
        SEEN[record.value["id"]] += 1
        if SEEN[record.value["id"]] < 6:
            raise Snooze("not yet", 0.05)
        return record

    ingest = Ingest(sink, write(tmp_path / "in", 3), RetryPolicy(max_attempts=2))
    ingest.run(snooze)
    assert ingest.rows() == 3
    assert {tuple(e["attempt"] for e in job.errors) for job in ingest.jobs()} == {(1,) * 5}


def test_a_steps_own_policy_comes_first(sink: str, tmp_path: Path) -> None:
    own = RetryPolicy(Backoff(0.01, 0.01), max_attempts=2)
    ingest = Ingest(sink, write(tmp_path / "in", 20), POLICY)
    ingest.run(enrich, own=own)
    assert ingest.counts() == {"read": 20, "inserted": 16, "dead": 4}
    assert {job.max_attempts for job in ingest.jobs()} == {2}


def test_a_row_waits_for_its_parent(sink: str, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "a.jsonl").write_text(
        "".join(json.dumps({"id": n, "parent": n % 2}) + "\n" for n in range(10))
    )
    config = SqlConfig.of(sink, "events", key=["id"])
    with transaction(config.database, "test") as connection:
        connection.exec_driver_sql("CREATE TABLE parents (id integer PRIMARY KEY)")
        connection.exec_driver_sql("INSERT INTO parents VALUES (0)")
        connection.exec_driver_sql(
            "CREATE TABLE events (id integer PRIMARY KEY, parent integer REFERENCES parents (id))"
        )
    ingest = Ingest(sink, folder, RetryPolicy(Backoff(0.3, 0.3), max_attempts=20))

    def arrive(record: Record) -> Record:
        SEEN[record.value["id"]] += 1
        if SEEN[record.value["id"]] == 3 and record.value["parent"] == 1:
            with transaction(config.database, "test") as connection:
                connection.execute(sa.text("INSERT INTO parents VALUES (1) ON CONFLICT DO NOTHING"))
        return record

    ingest.run(arrive)
    assert ingest.rows() == 10
    assert ingest.counts() == {"read": 10, "inserted": 10}
    assert {job.failure.category for job in ingest.jobs()} == {"foreign_key"}
    assert {len(job.errors) for job in ingest.jobs()} <= {2, 3}
