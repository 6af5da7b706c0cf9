"""Failed records as rows of ``ingest_jobs``, and the questions asked about them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from sinks.config import SqlConfig
from sinks.engine import transaction
from sinks.tables import jobs
from transforms.errors import MESSAGE_LIMIT, STACK_LIMIT
from transforms.record import Failure, Format, Headers, Origin

CHUNK = 200


@dataclass(frozen=True, slots=True)
class Job:
    """A stored failure.

    Attributes:
        id: Its number.
        target: The table that the record was meant for, as the ledger names it.
        state: One of Oban's eight states; a dead letter is ``discarded``.
        failure: The record and its last failure; without its stack in a list.
        attempt: How many attempts have been made.
        max_attempts: After how many it is discarded.
        errors: Every attempt's error.
        inserted_at: When it first failed.
        scheduled_at: When it is due, where it is to be tried again.
        discarded_at: When it became a dead letter.
    """

    id: int
    target: str
    state: str
    failure: Failure
    attempt: int
    max_attempts: int
    errors: Sequence[Mapping[str, Any]]
    inserted_at: datetime
    scheduled_at: datetime
    discarded_at: datetime | None


@dataclass(frozen=True, slots=True)
class JobFilter:
    """Which jobs; a field left out does not filter.

    Attributes:
        target: The table.
        state: The state.
        stage: The step that failed.
        category: The word that the failure was filed under.
        source: The record's source.
        exception: The exception's class name.
        text: A text that the raw bytes hold, as UTF-8.
    """

    target: str | None = None
    state: str | None = None
    stage: str | None = None
    category: str | None = None
    source: str | None = None
    exception: str | None = None
    text: str | None = None

    def where(self, dialect: str) -> sa.ColumnElement[bool]:
        """The condition in the database's SQL."""
        conditions = [
            jobs.c[name] == value
            for name in ("target", "state", "stage", "category", "source", "exception")
            if (value := getattr(self, name)) is not None
        ]
        if self.text is not None:
            conditions.append(_holds(dialect, self.text.encode()))
        return sa.and_(sa.true(), *conditions)


def insert_failures(
    connection: sa.Connection,
    target: str,
    failures: Iterable[Failure],
) -> None:
    """Store ``failures``; an origin that is there already adds nothing.

    A transient failure is ``retryable`` and due at once; any other is ``discarded``.
    """
    now = datetime.now(UTC)
    rows = {failure.origin: _values(target, failure, now) for failure in failures}
    values = list(rows.values())
    for start in range(0, len(values), CHUNK):
        _insert(connection, values[start : start + CHUNK])


def list_jobs(config: SqlConfig, which: JobFilter | None = None, *, limit: int = 100) -> list[Job]:
    """The newest jobs first, at most ``limit``.

    Raises:
        SinkUnavailable: The database cannot be reached.
    """
    with transaction(config, write=False) as connection:
        if not exists(connection):
            return []
        query = (
            sa.select(jobs)
            .where((which or JobFilter()).where(connection.dialect.name))
            .order_by(jobs.c.id.desc())
            .limit(limit)
        )
        return [_job(row) for row in connection.execute(query)]


def get_job(config: SqlConfig, job_id: int) -> Job | None:
    """The job with this number, or None.

    Raises:
        SinkUnavailable: The database cannot be reached.
    """
    with transaction(config, write=False) as connection:
        if not exists(connection):
            return None
        row = connection.execute(sa.select(jobs).where(jobs.c.id == job_id)).one_or_none()
        return None if row is None else _job(row)


def count_jobs(
    config: SqlConfig,
    which: JobFilter | None = None,
    by: Sequence[str] = ("state", "stage", "category"),
) -> dict[tuple[str, ...], int]:
    """How many jobs there are for each combination of the columns ``by``.

    Raises:
        SinkUnavailable: The database cannot be reached.
    """
    columns = [jobs.c[name] for name in by]
    with transaction(config, write=False) as connection:
        if not exists(connection):
            return {}
        query = (
            sa.select(*columns, sa.func.count())
            .where((which or JobFilter()).where(connection.dialect.name))
            .group_by(*columns)
            .order_by(*columns)
        )
        return {tuple(row[:-1]): row[-1] for row in connection.execute(query)}


def exists(connection: sa.Connection) -> bool:
    """Whether the table of jobs has been created."""
    return sa.inspect(connection).has_table(jobs.name)


def _holds(dialect: str, text: bytes) -> sa.ColumnElement[bool]:
    needle = sa.literal(text, sa.LargeBinary)
    if dialect == "postgresql":
        return sa.func.position(needle.op("IN")(jobs.c.raw)) > 0
    return sa.func.instr(jobs.c.raw, needle) > 0


def _insert(connection: sa.Connection, rows: list[dict[str, Any]]) -> None:
    origin = ["target", "source", "partition", "offset"]
    if connection.dialect.name == "postgresql":
        connection.execute(
            postgresql.insert(jobs).on_conflict_do_nothing(index_elements=origin), rows
        )
    elif connection.dialect.name == "sqlite":
        connection.execute(sqlite.insert(jobs).on_conflict_do_nothing(index_elements=origin), rows)
    else:
        place = [jobs.c[name] for name in origin]
        query = sa.select(*place).where(
            jobs.c.target == rows[0]["target"],
            jobs.c.source.in_({row["source"] for row in rows}),
            jobs.c.offset.in_({row["offset"] for row in rows}),
        )
        there = {tuple(row) for row in connection.execute(query)}
        fresh = [row for row in rows if tuple(row[name] for name in origin) not in there]
        if fresh:
            connection.execute(sa.insert(jobs), fresh)


def _values(target: str, failure: Failure, now: datetime) -> dict[str, Any]:
    message = clean(failure.message, MESSAGE_LIMIT)
    return {
        "target": target,
        "source": failure.origin.source,
        "partition": failure.origin.partition,
        "offset": failure.origin.offset,
        "state": "retryable" if failure.transient else "discarded",
        "stage": clean(failure.stage, 255),
        "category": clean(failure.category, 255),
        "sqlstate": failure.sqlstate,
        "exception": clean(failure.exception, 255),
        "message": message,
        "stack": clean(failure.stack[-STACK_LIMIT:], STACK_LIMIT),
        "raw": failure.raw,
        "format": msgspec.json.encode(failure.format).decode(),
        "event_time": failure.event_time,
        "key": failure.key,
        "headers": msgspec.json.encode(failure.headers).decode() if failure.headers else None,
        "attempt": 1,
        "max_attempts": 1,
        "errors": [{"attempt": 1, "at": now.isoformat(), "error": message}],
        "inserted_at": now,
        "scheduled_at": now,
        "attempted_at": now,
        "discarded_at": None if failure.transient else now,
    }


def clean(text: str, limit: int) -> str:
    """``text`` as every database stores it: bounded, without NUL and lone surrogates."""
    cut = text[:limit].replace("\x00", "\ufffd")
    return cut.encode("utf-8", "surrogatepass").decode("utf-8", "replace")


def _job(row: Any) -> Job:
    return Job(
        id=row.id,
        target=row.target,
        state=row.state,
        failure=Failure(
            origin=Origin(row.source, row.partition, row.offset),
            raw=bytes(row.raw),
            format=msgspec.json.decode(row.format, type=Format),
            stage=row.stage,
            category=row.category,
            exception=row.exception,
            message=row.message,
            stack=row.stack,
            sqlstate=row.sqlstate,
            transient=row.state == "retryable",
            event_time=row.event_time,
            key=None if row.key is None else bytes(row.key),
            headers=msgspec.json.decode(row.headers, type=Headers) if row.headers else (),
        ),
        attempt=row.attempt,
        max_attempts=row.max_attempts,
        errors=row.errors,
        inserted_at=row.inserted_at,
        scheduled_at=row.scheduled_at,
        discarded_at=row.discarded_at,
    )
