"""The runs of pipelines, table ``ingest_runs``: who ran what, when, and how it ended."""

from __future__ import annotations

import getpass
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import sqlalchemy as sa

from sinks.database.database import Database
from sinks.database.dialects import dialect_of
from sinks.database.engine import retried, transaction
from sinks.database.label import TargetTable, label_of, pipeline_named
from sinks.database.leases import process_name
from sinks.database.tables import runs, workers
from transforms.secrets import redact

KEPT = 1_000
"""How many runs of a pipeline are kept; when one more begins, the oldest is deleted."""

MESSAGE_LENGTH = 4_000
"""How many characters of the error that ended a run are kept."""

Outcome = Literal["completed", "stopped", "failed", "paused"]
"""How a run ended: by itself, because a signal asked it to, by an error, or as an operator held it."""


@dataclass(frozen=True, slots=True)
class Run:
    """A run that begins.

    Attributes:
        id: As ``SqlSink.run``: 36 characters at most.
        config: The table that it writes, and its database.
        pipeline: The pipeline's name; empty for the label of the table.
        runner: The runner's name.
        version: Of this program.
        options: The options that the user gave, by name, without secrets.
        streaming: Whether it goes on after everything has been read.
        pipeline_version: A hash of the pipeline's steps, mapping and options; empty if not known.
    """

    id: str
    config: TargetTable
    pipeline: str
    runner: str
    version: str
    options: Mapping[str, Any] = field(default_factory=dict)
    streaming: bool = False
    pipeline_version: str = ""

    def begin(self) -> None:
        """Enter the run, and delete the oldest runs beyond those that are kept.

        Raises:
            SinkUnavailable: The database cannot be reached.
            Contention: It kept asking for another try.
            SinkFailed: It refuses.
        """
        retried(self._begin)

    def _begin(self) -> None:
        with transaction(self.config.database, "enter a run") as connection:
            pipeline = pipeline_named(connection, self.config.table_name, self.pipeline)
            row = {
                "id": self.id,
                "pipeline": pipeline,
                "target": label_of(connection, self.config.table_name),
                "runner": self.runner,
                "program": program_name(),
                "version": self.version,
                "options": dict(self.options),
                "streaming": self.streaming,
                "started_at": dialect_of(connection).now(connection),
                "pipeline_version": self.pipeline_version or None,
            }
            connection.execute(sa.insert(runs), row)
            _delete_old(connection, pipeline)

    def submitted(self, job: str) -> None:
        """Note the id that a cluster gave the job.

        Raises:
            SinkUnavailable: The database cannot be reached.
            Contention: It asks for another try.
        """
        with transaction(self.config.database, "note the job of a run") as connection:
            connection.execute(sa.update(runs).where(runs.c.id == self.id).values(job=job[:64]))

    def end(self, outcome: Outcome, message: str = "") -> None:
        """Note how the run ended.

        Args:
            outcome: How.
            message: The error's line; empty if there is none.

        Raises:
            SinkUnavailable: The database cannot be reached: the run will be shown as lost.
            Contention: It asks for another try.
        """
        with transaction(self.config.database, "note the end of a run") as connection:
            values = {
                "ended_at": dialect_of(connection).now(connection),
                "outcome": outcome,
                "message": redact(message)[:MESSAGE_LENGTH] or None,
            }
            connection.execute(sa.update(runs).where(runs.c.id == self.id).values(values))


def end_job(database: Database, job: str) -> int:
    """Note that a job of a cluster was ended by hand; returns how many runs that ends: 0 or 1.

    Args:
        database: Where the run was entered.
        job: The job's id in the cluster.

    Raises:
        SinkUnavailable: The database cannot be reached: the run will be shown as lost.
        Contention: It asks for another try.
    """
    with transaction(database, "note the end of a run") as connection:
        now = dialect_of(connection).now(connection)
        its = sa.update(runs).where(runs.c.job == job[:64], runs.c.outcome.is_(None))
        return connection.execute(its.values(ended_at=now, outcome="stopped")).rowcount


def program_name() -> str:
    """Who started this process, and which it is: ``user@host:pid``."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        user = "unknown"
    return f"{user[:64]}@{process_name()}"


def _delete_old(connection: sa.Connection, pipeline: str) -> None:
    of_pipeline = runs.c.pipeline == pipeline
    started = sa.select(runs.c.started_at).where(of_pipeline).order_by(runs.c.started_at.desc())
    oldest = connection.scalar(started.offset(KEPT - 1).limit(1))
    if oldest is None:
        return
    old = sa.select(runs.c.id).where(of_pipeline, runs.c.started_at < oldest)
    gone = connection.execute(old).scalars().all()
    for run in gone:
        connection.execute(sa.delete(workers).where(workers.c.run == run))
        connection.execute(sa.delete(runs).where(runs.c.id == run))
