"""Filters: each names exactly the jobs it says, whatever characters are in it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import sqlalchemy as sa

from sinks.database.dialects import dialect_of
from sinks.database.engine import transaction
from sinks.database.tables import jobs
from sinks.jobs.filter import JobFilter
from sinks.table.config import SqlConfig
from tests.io.sinks.jobs.stored_jobs import FAILED_AT, prepared, store
from tests.io.sinks.tested_database import Database
from transforms.batch.job_states import JOB_STATES
from transforms.batch.record import Headers
from transforms.parse.json_text import encode_decimal_text

HOSTILE = "'; DROP TABLE ingest_jobs; --"


def found(config: SqlConfig, which: JobFilter) -> list[int]:
    """The offsets of the jobs that ``which`` names."""
    with transaction(config.database, "test", write=False) as connection:
        where = which.where(dialect_of(connection))
        query = sa.select(jobs.c.offset).where(where).order_by(jobs.c.id)
        return list(connection.execute(query).scalars())


def test_each_field_narrows(database: Database) -> None:
    config = prepared(database)
    store(
        config,
        {"stage": "parse", "raw": b"\xff\x00a needle\x00"},
        {"state": "retryable", "exception": "Other", "raw": b"100 %_"},
        {"category": HOSTILE, "sqlstate": "23503", "raw": HOSTILE.encode()},
    )
    expected = [
        (JobFilter(), [0, 1, 2]),
        (JobFilter(target="events"), [0, 1, 2]),
        (JobFilter(target="other"), []),
        (JobFilter(state="retryable"), [1]),
        (JobFilter(stage="parse"), [0]),
        (JobFilter(category=HOSTILE), [2]),
        (JobFilter(exception="Other"), [1]),
        (JobFilter(sqlstate="23503"), [2]),
        (JobFilter(stage="parse", state="retryable"), []),
        (JobFilter(text="needle"), [0]),
        (JobFilter(text="NEEDLE"), []),
        (JobFilter(text="%"), [1]),
        (JobFilter(text="_"), [1, 2]),
        (JobFilter(text=HOSTILE), [2]),
        (JobFilter(text="\xff"), []),
    ]
    assert [(which, found(config, which)) for which, _ in expected] == expected


def test_keys_and_headers_of_messages_narrow(database: Database) -> None:
    config = prepared(database)
    headers: list[Headers] = [
        (("trace", b"1"), ("x%_?[", b"\xff\x00")),
        (("trace", b"12"), ('q"\\', None)),
        (("other", b'["trace",'), ("a", b"b=c")),
        (),
    ]
    keys = [b"order-7\x00", b"\xff\xfeorder-8", None, b""]
    store(
        config,
        *(
            {"key": key, "headers": encode_decimal_text(of).decode() if of else None}
            for key, of in zip(keys, headers, strict=True)
        ),
    )
    expected = [
        (JobFilter(key="order-"), [0, 1]),
        (JobFilter(key="order-8"), [1]),
        (JobFilter(key="%"), []),
        (JobFilter(header="trace"), [0, 1]),
        (JobFilter(header="trac"), []),
        (JobFilter(header="Trace"), []),
        (JobFilter(header="tr*"), [0, 1]),
        (JobFilter(header="trace=1"), [0]),
        (JobFilter(header="trace="), []),
        (JobFilter(header="a=b=c"), [2]),
        (JobFilter(header="x%_?["), [0]),
        (JobFilter(header='q"\\'), [1]),
        (JobFilter(header="%"), []),
        (JobFilter(key="order-7", header="trace"), [0]),
    ]
    assert [(which, found(config, which)) for which, _ in expected] == expected


def test_each_state_names_its_own(database: Database) -> None:
    config = prepared(database)
    store(config, *({"state": each} for each in JOB_STATES))
    offsets = {state: found(config, JobFilter(state=state)) for state in JOB_STATES}
    assert offsets == {state: [offset] for offset, state in enumerate(JOB_STATES)}


def test_a_source_is_exact_or_has_stars(database: Database) -> None:
    config = prepared(database)
    every = ["s3://b/a_1.json", "s3://b/aX1.json", "s3://b/A/[x]?.json", "s3://c/100%"]
    for offset, stored_source in enumerate(every):
        store(config, {"offset": offset}, source=stored_source)
    expected = {
        "s3://b/a_1.json": ["s3://b/a_1.json"],
        "s3://b/a_1": [],
        "s3://b/*": ["s3://b/a_1.json", "s3://b/aX1.json", "s3://b/A/[x]?.json"],
        "s3://b/a_*": ["s3://b/a_1.json"],
        "s3://b/a*": ["s3://b/a_1.json", "s3://b/aX1.json"],
        "s3://b/*[x]?*": ["s3://b/A/[x]?.json"],
        "*/[a]*": [],
        "*/a?1*": [],
        "*%*": ["s3://c/100%"],
        "*!*": [],
        "*\\*": [],
        "*" + HOSTILE: [],
    }
    matches = {
        source: [every[offset] for offset in found(config, JobFilter(source=source))]
        for source in expected
    }
    assert matches == expected


def test_numbers_name_jobs(database: Database) -> None:
    config = prepared(database)
    first, _, third = store(config, {}, {}, {})
    assert found(config, JobFilter(ids=(first, third, third + 100))) == [0, 2]


def test_times_are_a_range_without_its_end(database: Database) -> None:
    config = prepared(database)
    hours = [FAILED_AT + timedelta(hours=hour) for hour in range(3)]
    store(config, *({"inserted_at": at} for at in hours))
    assert found(config, JobFilter(since=hours[1])) == [1, 2]
    assert found(config, JobFilter(until=hours[1])) == [0]
    elsewhere = hours[1].astimezone(timezone(timedelta(hours=5, minutes=30)))
    assert found(config, JobFilter(since=elsewhere, until=hours[2])) == [1]


def test_as_json_has_what_filters_and_nothing_else() -> None:
    at = datetime(2026, 3, 1, 13, tzinfo=timezone(timedelta(hours=1)))
    assert JobFilter().as_json() == {}
    which = JobFilter(target="t", text="a'b", ids=(1, 2), since=at)
    assert which.as_json() == {
        "target": "t",
        "text": "a'b",
        "ids": (1, 2),
        "since": datetime(2026, 3, 1, 12, tzinfo=UTC).isoformat(),
    }
