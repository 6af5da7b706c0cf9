"""The pipelines that write into a database, table ``ingest_pipelines``: each has its own ledger."""

from __future__ import annotations

import logging

import sqlalchemy as sa

from sinks.database.dialects import dialect_of
from sinks.database.engine import retried, transaction
from sinks.database.label import TargetTable, label_of, pipeline_named
from sinks.database.tables import jobs, pipelines, progress
from sinks.ledger.hidden_fields import HiddenFields
from transforms.batch.counts import COUNTS
from transforms.errors import ConfigError
from transforms.parse.hidden.paths import Hidden
from transforms.route.table_name import UNROUTED

_log = logging.getLogger(__name__)


def register(
    config: TargetTable, name: str, hidden: Hidden = (), version: str | None = None
) -> None:
    """Enter a pipeline that begins to run.

    In version 1 of the tables, a ledger belonged to its table, and pipelines of all names shared
    it. So a pipeline of that time goes on from a copy of that ledger. The copy counts nothing,
    since its records are counted in the ledger of the table.

    Args:
        config: The table that it writes, and its database.
        name: Its name; empty for the label of the table.
        hidden: The paths in its records that it hides.
        version: Its version.

    Raises:
        ConfigError: A pipeline of this name writes another table, or the database refuses.
        SinkUnavailable: The database cannot be reached.
        Contention: The database kept asking for another try.
    """
    retried(lambda: _register(config, name, HiddenFields.of(hidden, version)))


def _register(config: TargetTable, name: str, hidden: HiddenFields) -> None:
    with transaction(config.database, "register a pipeline", refused=ConfigError) as connection:
        dialect = dialect_of(connection)
        dialect.lock(connection, [("", "prepare")])
        label = label_of(connection, config.table_name)
        pipeline = pipeline_named(connection, config.table_name, name)
        at = dialect.now(connection)
        entry = sa.select(pipelines.c.target, pipelines.c.hidden)
        row = connection.execute(entry.where(pipelines.c.name == pipeline)).one_or_none()
        if row is None:
            if pipeline != label and _is_of_version_1(connection, label, pipeline):
                _copy(connection, label, pipeline)
                _log.warning(
                    "pipeline %s goes on from the ledger of table %s, which all pipelines shared "
                    "before each had its own",
                    *(pipeline, label),
                )
            values = {"name": pipeline, "target": label, "prepared_at": at}
            connection.execute(sa.insert(pipelines), {**values, "hidden": hidden.as_text()})
        elif row.target != label:
            raise ConfigError(_another_table(pipeline, row.target, label))
        else:
            named = pipelines.c.name == pipeline
            # What was hidden once stays hidden: failed records of that time are still there.
            all_hidden = HiddenFields.from_text(row.hidden) | hidden
            values = {"prepared_at": at, "hidden": all_hidden.as_text()}
            connection.execute(sa.update(pipelines).where(named).values(values))


def _another_table(pipeline: str, before: str, now: str) -> str:
    """What to say where a pipeline has another table of its own than when it began."""
    if before == UNROUTED:
        return f"pipeline {pipeline} has no table of its own so far; leave --table {now} out"
    if now == UNROUTED:
        return (
            f"pipeline {pipeline} writes table {before}; give --table {before} besides the routes"
        )
    return (
        f"pipeline {pipeline} writes table {before}, not {now}, and what it has settled is never read "
        "again; give each table a pipeline of its own (--pipeline NAME)"
    )


def _is_of_version_1(connection: sa.Connection, label: str, pipeline: str) -> bool:
    """Whether ``pipeline`` used the ledger of the table ``label`` in version 1, as far as is known.

    Its jobs prove it. Without jobs it is assumed, unless a pipeline called ``label`` has run since:
    then that one has the ledger, and ``pipeline`` is new.
    """
    shared = sa.select(pipelines.c.prepared_at).where(pipelines.c.name == label)
    row = connection.execute(shared).one_or_none()
    if row is None:
        return False
    owned = sa.select(jobs.c.id).where(
        jobs.c.target == label, jobs.c.pipeline == pipeline, jobs.c.read_by.is_(None)
    )
    return row.prepared_at is None or connection.execute(owned.limit(1)).first() is not None


def _copy(connection: sa.Connection, label: str, pipeline: str) -> None:
    """Let ``pipeline`` begin with all that is settled for ``label``."""
    spans = sa.select(
        sa.literal(pipeline),
        *(progress.c[name] for name in _SPAN),
        *(sa.literal(0) for _ in COUNTS),
        progress.c.updated_at,
    ).where(progress.c.pipeline == label)
    columns = ["pipeline", *_SPAN, *COUNTS, "updated_at"]
    connection.execute(sa.insert(progress).from_select(columns, spans))


_SPAN = ("source", "partition", "start_offset", "end_offset", "final", "content")
