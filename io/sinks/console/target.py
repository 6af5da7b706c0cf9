"""A table: who writes it, what became of the records meant for it, and what its columns are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from sinks.console.coverage import Summary, pipelines_of, summaries
from sinks.console.moment import moment
from sinks.database.database import Database
from sinks.database.label import is_table
from sinks.database.tables import counts, pipelines, progress, targets
from transforms.batch.counts import COUNTS, Counts
from transforms.errors import ConfigError
from transforms.route.table_name import TableName

MOST_SOURCES = 200
"""How many sources are listed, by pipeline and name."""


@dataclass(frozen=True, slots=True)
class SourceRow:
    """What a pipeline has read from a source for the table.

    Attributes:
        pipeline: The pipeline.
        source: As in the ledger.
        counts: What became of the records that were meant for the table.
        purged: Dead letters among them that were deleted by hand.
        summary: The partitions of the source, whatever table their records were meant for.
    """

    pipeline: str
    source: str
    counts: Counts
    purged: int
    summary: Summary


@dataclass(frozen=True, slots=True)
class ColumnRow:
    """A column as the database has it.

    Attributes:
        name: Its name.
        type: Its type in SQL.
        nullable: Whether it may be null.
        key: Whether it is part of the primary key.
    """

    name: str
    type: str
    nullable: bool
    key: bool


@dataclass(frozen=True, slots=True)
class Target:
    """A table, or a dataset of objects.

    Attributes:
        name: As in the ledger.
        layout: ``fields`` or ``record``; None if this program has not seen to it.
        own: The pipelines whose own table it is.
        pipelines: All that write it.
        counts: What became of all records that were meant for it.
        dead: The dead letters that are there.
        sources: What was read, by pipeline and source: the first ``MOST_SOURCES``.
        more_sources: Whether there are others.
        columns: As the database has them; empty if there is no such table, or it is a dataset of objects.
    """

    name: str
    layout: str | None
    own: Sequence[str]
    pipelines: Sequence[str]
    counts: Counts
    dead: int
    sources: Sequence[SourceRow]
    more_sources: bool
    columns: Sequence[ColumnRow]


def target(database: Database, name: str) -> Target | None:
    """What is known of a table; None if nothing is.

    Raises:
        ConfigError: The tables are missing, or have another version.
        SinkUnavailable: The database cannot be reached.
    """
    with moment(database, "read what is known of a table") as connection:
        layout = connection.scalar(sa.select(targets.c.layout).where(targets.c.target == name))
        names = pipelines_of(connection, name)
        if layout is None and not names:
            return None
        own = sa.select(pipelines.c.name).where(pipelines.c.target == name)
        owners = list(connection.scalars(own.order_by(pipelines.c.name)))
        sources = _sources(connection, name, names)
        columns = _columns(connection, name)
    total = sum((row.counts for row in sources), Counts())
    return Target(
        name=name,
        layout=layout,
        own=owners,
        pipelines=names,
        counts=total,
        dead=total.dead - sum(row.purged for row in sources),
        sources=sources[:MOST_SOURCES],
        more_sources=len(sources) > MOST_SOURCES,
        columns=columns,
    )


def _sources(connection: sa.Connection, name: str, names: Sequence[str]) -> list[SourceRow]:
    place = (counts.c.pipeline, counts.c.source)
    numbers = (sa.func.sum(counts.c[column]) for column in (*COUNTS, "purged"))
    query = (
        sa.select(*place, *numbers)
        .where(counts.c.pipeline.in_(names), counts.c.target == name)
        .group_by(*place)
    )
    partitions = summaries(connection, [progress.c.pipeline.in_(names)], "pipeline", "source")
    rows = [
        SourceRow(
            pipeline,
            source,
            Counts(*map(int, of_counts)),
            int(purged),
            partitions.get((pipeline, source), Summary()),
        )
        for pipeline, source, *of_counts, purged in connection.execute(query)
    ]
    return sorted(rows, key=lambda row: (row.pipeline, row.source))


def _columns(connection: sa.Connection, name: str) -> list[ColumnRow]:
    if not is_table(name):
        return []
    try:
        table = TableName.parse(name)
    except ConfigError:
        return []
    inspector = sa.inspect(connection)
    if not inspector.has_table(table.name, schema=table.schema):
        return []
    key = inspector.get_pk_constraint(table.name, schema=table.schema)["constrained_columns"]
    return [
        ColumnRow(
            column["name"],
            _type_name(column["type"], connection.dialect),
            bool(column["nullable"]),
            column["name"] in key,
        )
        for column in inspector.get_columns(table.name, schema=table.schema)
    ]


def _type_name(kind: sa.types.TypeEngine[object], dialect: sa.Dialect) -> str:
    try:
        return kind.compile(dialect)
    except sa.exc.CompileError:  # a type that only this database has
        return str(kind)
