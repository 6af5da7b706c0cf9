"""Whether versions fit: of the tables, of the database, and of the programs that run now."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, timedelta

import sqlalchemy as sa

from sinks.database.catalogue.figures import Server
from sinks.database.dialects import dialect_of
from sinks.database.migrations.version import MIGRATE
from sinks.database.tables import VERSION, runs, workers
from sinks.doctor.item import Item
from sinks.doctor.scope import Scope
from sinks.runs.history import LOST_SECONDS

SOON = timedelta(days=90)
"""How long before its makers end their support a version is warned of."""

_CHECK = "versions"


def tables(version: int) -> Item:
    """The verdict on the version of the tables named ``ingest_``."""
    figures = {"version": version, "program": VERSION}
    if version == VERSION:
        return Item(_CHECK, "ok", f"the ingest_ tables have version {version}", figures=figures)
    what = f"the ingest_ tables have version {version}, and this program knows version {VERSION}"
    todo = (
        f"run {MIGRATE}, or an ingest; until then most checks cannot be made"
        if version < VERSION
        else "install the version of Sluice that has migrated them, or a later one"
    )
    return Item(_CHECK, "error", what, "ingest_schema", todo, figures)


def server(of: Server, today: date) -> Item:
    """The verdict on the version of the database."""
    called, figures = f"{of.name} {of.version}", {"version": of.version}
    if of.too_old:
        todo = "upgrade it: this version is not supported"
        return Item(_CHECK, "error", called, "database", todo, figures)
    if of.supported_until is not None and today + SOON > of.supported_until:
        end = "is no longer supported by its makers since"
        if today <= of.supported_until:
            end = "will no longer be supported by its makers from"
        what = f"{called} {end} {of.supported_until}"
        return Item(_CHECK, "warning", what, "database", "upgrade it", figures)
    return Item(_CHECK, "ok", called, "database", figures=figures)


def programs(versions: Mapping[str, int], program: str) -> Item:
    """The verdict on the programs that run now.

    Args:
        versions: How many runs go on of each version.
        program: The version of this program.
    """
    listed = ", ".join(f"{version} ({number})" for version, number in sorted(versions.items()))
    figures = {"versions": dict(versions), "program": program}
    if len(versions) > 1:
        what = f"runs of several versions go on at once: {listed}"
        todo = "let the older ones end (`sluice runs list`), and start them again"
        return Item(_CHECK, "warning", what, "ingest_runs", todo, figures)
    if versions and program not in versions:
        what = f"the runs that go on have version {listed}, and this program is version {program}"
        todo = "use one version for both"
        return Item(_CHECK, "warning", what, "ingest_runs", todo, figures)
    return Item(_CHECK, "ok", f"running versions: {listed or 'none'}", figures=figures)


def check(connection: sa.Connection, scope: Scope) -> Iterator[Item]:
    """Look at the database and at the programs."""
    yield server(dialect_of(connection).server(connection), scope.now.date())
    alive = scope.now - timedelta(seconds=LOST_SECONDS)
    heard = sa.exists().where(
        workers.c.run == runs.c.id, workers.c.heartbeat_at >= alive, workers.c.ended_at.is_(None)
    )
    query = sa.select(runs.c.version, sa.func.count()).where(heard).group_by(runs.c.version)
    versions = [tuple(row) for row in connection.execute(query)]
    yield programs(dict(versions), scope.question.program)
