"""A connection whose transaction takes too long is cut; others are left alone."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from sinks.database.classify import classify
from sinks.database.engine import engine_of
from sinks.database.watchdog import watched
from tests.io.sinks.tested_database import Database


def test_a_transaction_that_takes_too_long_loses_its_connection(postgres: Database) -> None:
    with engine_of(postgres.database).connect() as connection:
        connection.execute(sa.text("SELECT 1"))
        with pytest.raises(sa.exc.DBAPIError) as lost, watched(connection, 0.1):
            connection.execute(sa.text("SELECT pg_sleep(60)"))
        assert classify(lost.value).kind == "outage"
        connection.invalidate()


def test_a_transaction_that_ends_in_time_keeps_it(database: Database) -> None:
    with engine_of(database.database).connect() as connection:
        for _ in range(2):
            with watched(connection, 60):
                assert connection.scalar(sa.text("SELECT 1")) == 1
