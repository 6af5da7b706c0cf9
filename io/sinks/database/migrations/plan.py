"""What brings tables of one version to the latest: acts in order, and which of them share a transaction."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from typing import TYPE_CHECKING

import sqlalchemy as sa

from sinks.database.columns import UtcDateTime
from sinks.database.migrations.migration import Migration, Step
from sinks.database.migrations.present import Present
from sinks.database.tables import versions

if TYPE_CHECKING:
    from alembic.operations import Operations


@dataclass(frozen=True, slots=True)
class Act:
    """A step at its place.

    Attributes:
        step: What it does.
        version: The version that the tables have while it runs.
    """

    step: Step
    version: int


def due(version: int) -> tuple[Migration, ...]:
    """The migrations that tables of ``version`` lack."""
    from sinks.database.migrations import sequence  # takes time, which current tables do not need

    return tuple(migration for migration in sequence.MIGRATIONS if migration.version > version)


def acts(version: int) -> Iterator[Act]:
    """Everything that is done to tables of ``version``."""
    # First, so that an interrupted migration is known by it where DDL takes part in no transaction.
    yield Act(Step(partial(_note, version)), version)
    for migration in due(version):
        for step in migration.steps:
            yield Act(step, migration.version - 1)
        yield Act(Step(partial(_reach, migration.version)), migration.version - 1)


def groups(version: int, *, builds_beside: bool) -> Iterator[tuple[bool, list[Act]]]:
    """The acts, in groups; of each, whether it runs outside of a transaction.

    Args:
        version: That the tables have.
        builds_beside: As in ``Dialect``.
    """
    for beside, group in groupby(acts(version), lambda act: builds_beside and act.step.beside):
        yield beside, list(group)


def _note(version: int, op: Operations, present: Present) -> None:
    """Write which version the tables have, if nothing says so yet."""
    if present.has(versions.name):
        return
    op.create_table(
        versions.name,
        sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("migrated_at", UtcDateTime, nullable=False),
    )
    now = {"version": version, "migrated_at": sa.func.current_timestamp()}
    op.execute(sa.insert(versions).values(now))


def _reach(version: int, op: Operations, _: Present) -> None:
    now = {"version": version, "migrated_at": sa.func.current_timestamp()}
    op.execute(sa.update(versions).values(now))
