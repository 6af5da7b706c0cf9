"""A database in another encoding than UTF-8 holds the right text, or the record is a dead letter."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from typing import Any

import psycopg2
import pytest

from sinks.database.engine import dispose_engines
from sinks.jobs import store as jobs
from sinks.jobs.queue import SqlJobQueue
from sinks.ledger import ledger
from sinks.sql import SqlSink
from sinks.table.config import SqlConfig
from sinks.text.encoding import clean, cleaned
from tests.io.sinks.tested_database import Database, counts, make_batch
from transforms.batch.backoff import Backoff
from transforms.batch.record import Failure, RecordBatch
from transforms.batch.retry_policy import RetryPolicy
from transforms.batch.splits import BatchLimits
from transforms.errors import Reject, RetryLater
from transforms.steps.pipeline_identity import PipelineIdentity

CANNOT = "日本 \\u{65e5} 😀"
"""Text that LATIN1 lacks, with what looks as if it were escaped already."""


@pytest.fixture
def database_in(postgres_server: str) -> Iterator[Callable[[str], Database]]:
    """Creates databases in an encoding."""
    names: list[str] = []

    def administer(statement: str) -> None:
        with closing(psycopg2.connect(postgres_server)) as connection:
            connection.autocommit = True
            connection.cursor().execute(statement)

    def create(encoding: str) -> Database:
        names.append(f"test_{uuid.uuid4().hex[:12]}")
        administer(
            f"CREATE DATABASE {names[-1]} ENCODING '{encoding}' TEMPLATE template0 "
            "LC_COLLATE 'C' LC_CTYPE 'C'"
        )
        return Encoded("postgres", postgres_server.replace("/postgres?", f"/{names[-1]}?"))

    yield create
    dispose_engines()
    for name in names:
        administer(f"DROP DATABASE {name} WITH (FORCE)")


def test_clean_text_is_bounded_and_every_database_can_store_it() -> None:
    assert clean("abc", 2) == "ab"
    text = clean("a\x00b\ud800c", 9)
    assert text.encode().decode() == text
    assert "\x00" not in text
    assert [c for c in text if c.isascii()] == ["a", "b", "c"]


@pytest.mark.parametrize(
    "texts", [[], ["a", "é💥"], ["a", "abc"], ["a\x00"], ["\ud800"], ["\ud83d", "\ude00"]]
)
def test_many_texts_are_cleaned_like_one_at_a_time(texts: list[str]) -> None:
    assert cleaned(texts, 2) == [clean(text, 2) for text in texts]


class Encoded(Database):
    """A database whose texts are read as UTF-8."""

    def connect(self) -> Any:
        connection = super().connect()
        connection.set_client_encoding("UTF8")
        return connection


ROWS = "SELECT id, t FROM events ORDER BY id"


@pytest.mark.parametrize(
    ("encoding", "held", "lacked"),
    [
        ("LATIN1", "café ÿ", "日本"),
        ("WIN1252", "€ café", "Ж"),
        ("EUC_JP", "日本", "café €"),
        ("KOI8R", "Жук", "é"),
    ],
)
def test_text_is_stored_as_it_is_and_what_the_database_lacks_is_dead(
    database_in: Callable[[str], Database], encoding: str, held: str, lacked: str
) -> None:
    database = database_in(encoding)
    database.run("CREATE TABLE events (id int PRIMARY KEY, t text)")
    values = [{"id": 1, "t": held}, {"id": 2, "t": lacked}, {"id": 3, "t": "plain"}]
    (settled,) = database.sink(key=["id"]).commit([make_batch(values)])
    assert counts(settled) == {"read": 3, "inserted": 2, "dead": 1}
    assert database.rows(ROWS) == [(1, held), (3, "plain")]
    (dead,) = jobs.list_jobs(database.database)
    assert (dead.failure.category, dead.failure.sqlstate) == ("data", "22P05")
    assert dead.failure.raw == make_batch(values).raws[1]


def test_sql_ascii_keeps_the_bytes_as_utf8(database_in: Callable[[str], Database]) -> None:
    database = database_in("SQL_ASCII")
    database.run("CREATE TABLE events (id int PRIMARY KEY, t text)")
    (settled,) = database.sink(key=["id"]).commit([make_batch([{"id": 1, "t": CANNOT}])])
    assert counts(settled) == {"read": 1, "inserted": 1}
    assert database.rows("SELECT t FROM events") == [(CANNOT,)]
    assert database.rows("SELECT length(t), octet_length(t) FROM events") == [
        (len(CANNOT.encode()), len(CANNOT.encode()))
    ]


def test_neither_the_environment_nor_the_url_nor_the_role_decides_the_encoding(
    database_in: Callable[[str], Database], monkeypatch: pytest.MonkeyPatch
) -> None:
    database = database_in("LATIN1")
    database.run(
        "CREATE TABLE events (id int PRIMARY KEY, t text)",
        "DO $$ BEGIN EXECUTE format("
        "'ALTER DATABASE %I SET client_encoding = ''SQL_ASCII''', current_database()); END $$",
    )
    monkeypatch.setenv("PGCLIENTENCODING", "LATIN1")
    sink = SqlSink(SqlConfig.of(f"{database.url}&client_encoding=LATIN1", "events", key=["id"]))
    sink.prepare()
    (settled,) = sink.commit([make_batch([{"id": 1, "t": "café"}, {"id": 2, "t": "日本"}])])
    assert counts(settled) == {"read": 2, "inserted": 1, "dead": 1}
    assert database.rows(ROWS) == [(1, "café")]


def _failing(error: Exception) -> RecordBatch:
    """A batch of one record whose every text has characters that LATIN1 lacks."""
    record = make_batch([{"id": 1, "t": CANNOT}], source=CANNOT, partition=CANNOT).record(0)
    failure = Failure.of(record, CANNOT, CANNOT, error)
    object.__setattr__(failure, "headers", ((CANNOT, CANNOT.encode()), ("null", None)))
    object.__setattr__(failure, "stack", CANNOT)
    return make_batch([], source=CANNOT, partition=CANNOT, failures=[failure], final=True)


@pytest.mark.parametrize("encoding", ["LATIN1", "EUC_TW", "SQL_ASCII", "UTF8"])
def test_a_dead_letter_is_stored_and_read_back_whatever_its_texts_hold(
    database_in: Callable[[str], Database], encoding: str
) -> None:
    database = database_in(encoding)
    sink = database.sink(key=["id"])
    batch = _failing(Reject(CANNOT))
    (settled,) = sink.commit([batch])
    assert counts(settled) == {"read": 1, "dead": 1}
    (listed,) = jobs.list_jobs(database.database)
    (expected,) = batch.failures
    job = jobs.get_job(database.database, listed.id)
    assert job is not None
    assert job.failure.origin == expected.origin
    for name in ("raw", "stage", "category", "exception", "message", "stack", "headers", "format"):
        assert getattr(job.failure, name) == getattr(expected, name), name
    assert [error["error"] for error in job.errors] == [expected.message]
    (progress,) = ledger.audit(sink.config.database)
    assert (progress.source, progress.partition) == (CANNOT, CANNOT)
    assert ledger.SqlLedger(sink.config).coverage([(CANNOT, CANNOT)])[CANNOT, CANNOT].complete
    (again,) = sink.commit([batch])
    assert counts(again) == {"trimmed": 1}


def test_a_further_attempt_is_stored_whatever_its_texts_hold(
    database_in: Callable[[str], Database],
) -> None:
    database = database_in("LATIN1")
    policy = RetryPolicy(Backoff(base=0.001, cap=0.001), heals=(CANNOT,))
    pipeline = PipelineIdentity(CANNOT, (CANNOT,))
    sink = SqlSink(database.config(key=["id"]), policy, pipeline=pipeline)
    sink.prepare()
    sink.commit([_failing(RetryLater("at first"))])
    queue = SqlJobQueue(sink.config, pipeline=pipeline)
    lease = queue.lease()
    taken: list[RecordBatch] = []
    while not taken:
        taken = list(queue.claim(lease, BatchLimits()))
    assert (taken[0].span.source, taken[0].span.partition) == (CANNOT, CANNOT)
    record = taken[0].record(0)
    failed = Failure.of(record, CANNOT, CANNOT, RetryLater(CANNOT))
    tried = replace(taken[0], offsets=[], raws=[], values=[], failures=(failed,))
    (settled,) = sink.commit([tried])
    assert counts(settled) == {"retry": 1}
    (job,) = jobs.list_jobs(database.database)
    assert (job.failure.message, job.failure.stage) == (CANNOT, CANNOT)
    assert [error["error"] for error in job.errors] == ["at first", CANNOT]


def test_a_table_keyed_by_origin_takes_records_of_any_source(
    database_in: Callable[[str], Database],
) -> None:
    database = database_in("LATIN1")
    batch = make_batch([{"id": 1}], source=CANNOT, partition="é")
    (settled,) = database.sink().commit([batch])
    assert counts(settled) == {"read": 1, "inserted": 1}
    assert database.rows("SELECT ingest_source, ingest_partition FROM events") == [
        ("\\u{65e5}\\u{672c} \\u{5c}u{65e5} \\u{1f600}", "é")
    ]


def test_the_outbox_takes_changes_of_any_source(database_in: Callable[[str], Database]) -> None:
    database = database_in("LATIN1")
    database.run("CREATE TABLE events (id text PRIMARY KEY, t text)")
    sink = SqlSink(database.config(key=["id"]), outbox=True)
    sink.prepare()
    sink.commit([make_batch([{"id": "é", "t": "é"}], source=CANNOT)])
    assert database.rows("SELECT key, source FROM ingest_outbox") == [
        ('{"id":"é"}', "\\u{65e5}\\u{672c} \\u{5c}u{65e5} \\u{1f600}")
    ]
    assert database.rows("SELECT payload FROM ingest_outbox")[0][0].tobytes() == (
        '{"id":"é","t":"é"}'.encode()
    )
