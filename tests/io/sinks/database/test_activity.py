"""A program that is at work is noticed, and named."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
import sqlalchemy as sa

from sinks.database import activity
from sinks.database.dialects import dialect_of
from sinks.database.engine import transaction
from sinks.database.tables import leases, progress
from tests.io.sinks.database.migrations.old_tables import create_version_0, restore_version_1
from tests.io.sinks.tested_database import Database
from transforms.errors import ConfigError


def refuse(database: Database) -> None:
    with transaction(database.database, "test", write=False) as connection:
        activity.refuse(connection)


def let_expire(database: Database, seconds: float) -> None:
    """Let the lease of the dump run out in this time."""
    with transaction(database.database, "test") as connection:
        at = dialect_of(connection).now(connection) + timedelta(seconds=seconds)
        connection.execute(sa.update(leases).values(expires_at=at, holder="host:17"))


def let_write(database: Database, seconds: float) -> None:
    """As if the ledger had been written so long ago."""
    with transaction(database.database, "test") as connection:
        at = dialect_of(connection).now(connection) - timedelta(seconds=seconds)
        connection.execute(
            sa.update(progress).where(progress.c.source.like("kafka%")).values(updated_at=at)
        )


@pytest.mark.parametrize("fill", [restore_version_1, create_version_0])
def test_tables_that_nobody_uses_may_change(
    database: Database, fill: Callable[[Database], None]
) -> None:
    fill(database)
    refuse(database)


def test_a_live_lease_is_named_with_its_holder(database: Database) -> None:
    restore_version_1(database)
    let_expire(database, 3_600)
    with pytest.raises(
        ConfigError, match=r"host:17 holds the lease jobs:people:.* 3\d\d\d s;.*--f"
    ):
        refuse(database)


def test_a_lease_that_has_run_out_holds_nobody_off(database: Database) -> None:
    restore_version_1(database)
    let_expire(database, -1)
    refuse(database)


@pytest.mark.parametrize("seconds", [10, -600])
def test_a_ledger_that_was_written_just_now_is_in_use(database: Database, seconds: float) -> None:
    """A time in the future too: the writer's clock is ahead, it is not known by how much."""
    restore_version_1(database)
    let_write(database, seconds)
    with pytest.raises(ConfigError, match=r"ledger was written \d+ s ago; end what .*--force"):
        refuse(database)


def test_a_ledger_at_rest_holds_nobody_off(database: Database) -> None:
    restore_version_1(database)
    let_write(database, activity.QUIET_SECONDS + 5)
    refuse(database)
