"""Which jobs were submitted to a cluster, and with what: a savepoint fits only the same pipeline.

A job that resumes from a savepoint reads the splits that are in it, each from where it stood, and
plans no new ones. With other sources, some would never be read; with another table, its first rows
would come from the middle. Flink does not check this, so the database remembers it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import sqlalchemy as sa

from sinks.database.engine import transaction
from sinks.database.label import label_of, pipeline_named
from sinks.database.tables import submissions
from sinks.ledger.ledger import SqlLedger
from transforms.errors import ConfigError
from transforms.secrets import redact

KEPT = 1_000
"""How many submissions of a target are remembered; the savepoints of older ones are refused."""

_INSTEAD = (
    "start without it: the ledger knows where each source continues, so that nothing is lost or "
    "read twice"
)


def note(of: SqlLedger, job: str, sources: Iterable[str]) -> None:
    """Remember what ``job`` was submitted with: its pipeline, its table and its sources.

    Raises:
        SinkUnavailable: The database cannot be reached.
        Contention: It asks for another try.
        SinkFailed: It refuses.
    """
    config = of.config
    with transaction(config.database, "remember what a job was submitted with") as connection:
        target = label_of(connection, config.table_name)
        connection.execute(
            sa.insert(submissions),
            {
                "job": job,
                "target": target,
                "sources": _redacted(sources),
                "submitted_at": datetime.now(UTC),
                "pipeline": pipeline_named(connection, config.table_name, of.pipeline),
            },
        )
        of_target = submissions.c.target == target
        newest = sa.select(submissions.c.submitted_at).where(of_target)
        oldest = connection.scalar(
            newest.order_by(submissions.c.submitted_at.desc()).offset(KEPT - 1).limit(1)
        )
        if oldest is not None:
            gone = sa.delete(submissions).where(of_target, submissions.c.submitted_at < oldest)
            connection.execute(gone)


def check(of: SqlLedger, option: str, job: str | None, sources: Iterable[str]) -> None:
    """Refuse a savepoint that was not made by a job of the same pipeline, table and sources.

    Args:
        of: The ledger of the pipeline.
        option: The option that names the savepoint, and its value.
        job: The id of the job that made it, or the start of that id; None if its name has none.
        sources: The URIs of what is to be read.

    Raises:
        ConfigError: It was made with others, or it is not known with which.
        SinkUnavailable: The database cannot be reached.
    """
    if job is None:
        raise ConfigError(
            f"{option}: its name does not say which job made it (…/JOB/chk-N or …/savepoint-JOB-…), "
            f"hence not whether it fits; {_INSTEAD}"
        )
    config = of.config
    with transaction(config.database, "read which jobs were submitted", write=False) as connection:
        target = label_of(connection, config.table_name)
        pipeline = pipeline_named(connection, config.table_name, of.pipeline)
        submitted: list[_Submission] = []
        if sa.inspect(connection).has_table(submissions.name):
            columns = (submissions.c.pipeline, submissions.c.target, submissions.c.sources)
            query = sa.select(*columns).where(submissions.c.job.startswith(job, autoescape=True))
            submitted = [_Submission(*row) for row in connection.execute(query)]
    if not submitted:
        raise ConfigError(
            f"{option}: this database knows no job {job} that may have made it (another database, "
            f"another program, or one before this version), hence not whether it fits; {_INSTEAD}"
        )
    this = _Submission(pipeline, target, _redacted(sources))
    for other in submitted:
        difference = _difference(other, this)
        if difference is not None:
            raise ConfigError(f"{option} does not fit: {difference}; {_INSTEAD}")


@dataclass(frozen=True, slots=True)
class _Submission:
    """What a job was submitted with; the pipeline is None if it had no ledger of its own yet."""

    pipeline: str | None
    target: str
    sources: list[str]


def _difference(other: _Submission, this: _Submission) -> str | None:
    if other.target != this.target:
        return f"it was made by a job that writes table {other.target}, not {this.target}"
    if other.pipeline not in (None, this.pipeline):
        return f"it was made by a job of pipeline {other.pipeline}, not {this.pipeline}"
    added = [each for each in this.sources if each not in other.sources]
    removed = [each for each in other.sources if each not in this.sources]
    if added and removed:
        return f"it was made with source {_list(removed)}, not with {_list(added)}"
    if added:
        return f"it was made without source {_list(added)}, which would never be read"
    if removed:
        return f"it was made with source {_list(removed)} too, which would stay unread"
    return None


def _redacted(sources: Iterable[str]) -> list[str]:
    return sorted(map(redact, sources))


def _list(names: Sequence[str]) -> str:
    return " and ".join(names)
