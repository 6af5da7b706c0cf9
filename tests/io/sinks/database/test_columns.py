"""Types of the columns of the tables beside the target."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import sqlalchemy as sa
from sqlalchemy.dialects import mysql, sqlite

from sinks.database.columns import LOOSE_INSTANT, InstantText, UtcDateTime
from sinks.database.engine import transaction
from tests.io.sinks.tested_database import Database

times = sa.Table("times", sa.MetaData(), sa.Column("at", UtcDateTime))


def test_a_time_comes_back_in_utc_whatever_its_zone_was(database: Database) -> None:
    at = datetime(2026, 3, 1, 23, 30, 0, 123456, tzinfo=timezone(timedelta(hours=-5)))
    with transaction(database.database, "test") as connection:
        times.create(connection)
        connection.execute(sa.insert(times), [{"at": at}, {"at": None}])
        stored = connection.execute(sa.select(times.c.at).where(times.c.at <= at)).scalar_one()
    assert stored == at
    assert stored.tzinfo is UTC


def test_an_instant_in_a_column_of_users_is_what_the_database_takes() -> None:
    at = datetime(2026, 3, 1, 12, tzinfo=timezone(timedelta(hours=2)))
    assert InstantText().process_bind_param(at, None) == "2026-03-01T10:00:00+00:00"
    assert InstantText().process_bind_param(None, None) is None
    assert isinstance(LOOSE_INSTANT.dialect_impl(sqlite.dialect()), InstantText)
    assert isinstance(LOOSE_INSTANT.dialect_impl(mysql.dialect()), UtcDateTime)
