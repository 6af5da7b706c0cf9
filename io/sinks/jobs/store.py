"""Failed records as rows of ``ingest_jobs``: queued, listed and counted."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa

from sinks.database.database import Database
from sinks.database.dialects import dialect_of
from sinks.database.engine import dialect_for, transaction
from sinks.database.migrations import version
from sinks.database.tables import jobs, queue
from sinks.jobs import owner as job_owner
from sinks.jobs.audit_trail import Reveal
from sinks.jobs.filter import JobFilter
from sinks.jobs.first.origin import origin_of
from sinks.jobs.state import CURRENT, QUEUED, Execution, executions
from sinks.ledger import hidden_fields
from sinks.ledger.hidden_fields import HiddenFields
from transforms.batch.expansion import expansion_of
from transforms.batch.job_states import EXECUTING, WAITING_STATES
from transforms.batch.record import Failure, Format, Headers, Origin
from transforms.errors import ConfigError, SluiceError
from transforms.parse.hidden.preview import Preview, preview
from transforms.steps.pipeline_identity import PipelineIdentity

_BESIDE = 256 << 10
"""Bytes of a statement that stores a job, besides its record: its key, headers and message."""


def check_room(database: Database, largest: int) -> None:
    """Refuse a database that could not store a failed record of ``largest`` bytes.

    Raises:
        ConfigError: It takes shorter statements only.
        SinkUnavailable: It cannot be reached.
    """
    limit = dialect_for(database).statement_limit
    if not limit:
        return
    with transaction(database, "ask for its limits", write=False) as connection:
        most = int(connection.exec_driver_sql(limit).scalar_one())
    needed = 2 * largest + _BESIDE  # any byte may need another one in front of it
    if most < needed:
        raise ConfigError(
            f"{database} takes statements of {most:,} bytes, and a dead letter of up to --max_record_bytes "
            f"{largest:,} may need {needed:,}: set max_allowed_packet there to that or more, or "
            f"--max_record_bytes to {max((most - _BESIDE) // 2, 1)} or less"
        )


@dataclass(frozen=True, slots=True)
class Job:
    """A stored failure.

    Attributes:
        id: The number of the job.
        target: The table that the record was meant for, as ``label_of`` names it.
        state: One of Oban's eight states; a dead letter is ``discarded``.
        failure: The record and its last failure.
        attempt: How many attempts were made or begun since the last replay.
        max_attempts: The number of attempts after which the job is discarded.
        errors: The error of each attempt, oldest first.
        replays: How often the job was replayed.
        inserted_at: When the record failed first.
        scheduled_at: When the job is, or was last, due.
        attempted_by: The lease under which it was tried last.
        attempted_at: When it was tried last.
        completed_at: When it succeeded.
        cancelled_at: When it was cancelled.
        discarded_at: When it became a dead letter.
        pipeline: The pipeline that may try it again, with the version that tried it last, or
            None.
        preview: How much of the record is there: fields that a pipeline of the table hides are
            masked in ``failure`` and ``errors``, unless they were to be revealed.
    """

    id: int
    target: str
    state: str
    failure: Failure
    attempt: int
    max_attempts: int
    errors: Sequence[Mapping[str, Any]]
    replays: int
    inserted_at: datetime
    scheduled_at: datetime
    attempted_by: str | None
    attempted_at: datetime | None
    completed_at: datetime | None
    cancelled_at: datetime | None
    discarded_at: datetime | None
    pipeline: PipelineIdentity | None
    preview: Preview


def list_jobs(
    database: Database,
    which: JobFilter | None = None,
    *,
    limit: int = 100,
    reveal: Reveal | None = None,
) -> list[Job]:
    """The newest jobs that match ``which``, at most ``limit``.

    Hidden fields are masked, except for a ``reveal``, which is entered in the audit trail.

    Raises:
        SinkUnavailable: The database cannot be reached.
    """
    write = reveal is not None
    with transaction(database, "read failed records", write=write) as connection:
        if not exists(connection):
            return []
        query = (
            sa.select(*_SHOWN)
            .where((which or JobFilter()).where(dialect_of(connection)))
            .order_by(jobs.c.id.desc())
            .limit(limit)
        )
        listed = _jobs(connection, query, hides=reveal is None)
        if reveal is not None and listed:
            reveal.enter(connection, (which or JobFilter()).as_json(), len(listed))
        return listed


def get_job(database: Database, job_id: int, *, reveal: Reveal | None = None) -> Job | None:
    """The job with this number, or None; hidden fields as in ``list_jobs``.

    Raises:
        SinkUnavailable: The database cannot be reached.
    """
    jobs_of_id = list_jobs(database, JobFilter(ids=(job_id,)), limit=1, reveal=reveal)
    return jobs_of_id[0] if jobs_of_id else None


def job_number(database: Database, read_by: str, origin: Origin) -> int | None:
    """The number of the job of a record that a pipeline has read, for the log.

    None if it has none, or if the database cannot tell now.
    """
    query = sa.select(jobs.c.id).where(jobs.c.origin == origin_of(read_by, origin))
    try:
        with transaction(database, "find a failed record", write=False) as connection:
            number: int | None = connection.scalar(query)
            return number
    except SluiceError:
        return None


def count_jobs(
    database: Database,
    which: JobFilter | None = None,
    by: Sequence[str] = ("state", "stage", "category"),
) -> dict[tuple[str, ...], int]:
    """How many jobs there are for each combination of the columns ``by``.

    Raises:
        SinkUnavailable: The database cannot be reached.
    """
    with transaction(database, "read failed records", write=False) as connection:
        if not exists(connection):
            return {}
        entry = (
            sa.select(*_SHOWN)
            .where((which or JobFilter()).where(dialect_of(connection)))
            .subquery()
        )
        columns = [entry.c[name] for name in by]
        query = sa.select(*columns, sa.func.count()).group_by(*columns).order_by(*columns)
        return {tuple(row[:-1]): row[-1] for row in connection.execute(query)}


def enqueue(connection: sa.Connection, which: sa.ColumnElement[bool]) -> None:
    """Put those of the jobs ``which`` into the queue that wait and are not in it."""
    size = sa.func.length(jobs.c.raw)
    waiting = sa.select(jobs.c.id, jobs.c.target, size, jobs.c.scheduled_at, jobs.c.owner).where(
        which, jobs.c.state.in_(WAITING_STATES), sa.not_(QUEUED)
    )
    columns = ["job", "target", "bytes", "due_at", "owner"]
    connection.execute(sa.insert(queue).from_select(columns, waiting))


def exists(connection: sa.Connection) -> bool:
    """Whether the table of jobs has been created.

    Raises:
        ConfigError: It has another version than this program.
    """
    if not sa.inspect(connection).has_table(jobs.name):
        return False
    version.check(connection)
    return True


_SHOWN = (*(column for column in jobs.c if column.name != "state"), CURRENT)


def _jobs(connection: sa.Connection, query: sa.Select[Any], *, hides: bool) -> list[Job]:
    rows = connection.execute(query).all()
    hidden = hidden_of(connection, rows) if hides else None
    any_executing = any(row.state == EXECUTING for row in rows)
    executing = executions(connection) if any_executing else {}
    return [_job(row, executing.get(row.id), hidden(row) if hidden else _IN_CLEAR) for row in rows]


_IN_CLEAR = HiddenFields()


def hidden_of(connection: sa.Connection, rows: Sequence[Any]) -> Callable[[Any], HiddenFields]:
    """What is hidden of a job: by pipelines of its table, by its reader and by its owner."""
    names = {row.read_by or row.target for row in rows} | {row.pipeline for row in rows}
    fields = hidden_fields.of_jobs(connection, {row.target for row in rows}, names - {None})

    def of_row(row: Any) -> HiddenFields:
        return fields.of(row.target, row.read_by or row.target, row.pipeline)

    return of_row


def _job(row: Any, execution: Execution | None, hidden: HiddenFields) -> Job:
    seen = preview(failure_of(row), row.version, row.errors, hidden.paths, hidden.versions)
    return Job(
        id=row.id,
        target=row.target,
        state=row.state,
        failure=seen.failure,
        attempt=row.attempt + (row.state == EXECUTING),
        max_attempts=row.max_attempts,
        errors=seen.errors,
        replays=row.replays,
        inserted_at=row.inserted_at,
        scheduled_at=row.scheduled_at,
        attempted_by=row.attempted_by if execution is None else execution.lease,
        attempted_at=row.attempted_at if execution is None else execution.at,
        completed_at=row.completed_at,
        cancelled_at=row.cancelled_at,
        discarded_at=row.discarded_at,
        pipeline=job_owner.owner_of(row.pipeline, row.steps, row.version, row.mapped),
        preview=seen,
    )


def failure_of(row: Any) -> Failure:
    """The failure that a row of ``ingest_jobs`` keeps, with everything in clear."""
    return Failure(
        origin=Origin(
            *(row.source, row.partition, row.offset, row.element, expansion_of(row.expansion))
        ),
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
    )
