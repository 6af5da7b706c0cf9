"""What figures see while others write."""

from __future__ import annotations

import sqlalchemy as sa

from sinks.database.tables import progress
from sinks.figures.moment import one_moment
from tests.io.sinks.tested_database import Database, make_batch


def test_what_is_written_meanwhile_is_not_seen(postgres: Database) -> None:
    sink = postgres.sink(key=["id"])
    sink.commit([make_batch([{"id": "1"}])])
    ranges = sa.select(sa.func.sum(progress.c.read))
    with one_moment(postgres.database, "kafka://*") as (connection, labels):
        before = connection.scalar(ranges)
        sink.commit([make_batch([{"id": "2"}], 1)])
        assert (before, connection.scalar(ranges)) == (1, 1)
        assert labels.of("kafka://topic") == "kafka://topic"
    with one_moment(postgres.database, "kafka://*") as (connection, _):
        assert connection.scalar(ranges) == 2
