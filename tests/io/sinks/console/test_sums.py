"""Sums by pipeline and table."""

from __future__ import annotations

from sinks.console.moment import moment
from sinks.console.sums import dead_letters, records_read, sums
from tests.io.sinks.console.ledgers import add
from tests.io.sinks.tested_database import Database


def test_partitions_add_up_by_pipeline_and_table(database: Database) -> None:
    add(
        database,
        ("q", "s", "1", 0, 5, True),
        ("p", "s", "1", 0, 7, True),
        ("p", "t", "1", 0, 3, True),
    )
    database.run("UPDATE ingest_counts SET dead = 3, purged = 1 WHERE source = 't'")
    with moment(database.database, "test") as connection:
        p, q = sums(connection)
        assert dead_letters(connection) == {("p", "p"): 2}
    assert (p.pipeline, p.target, p.counts.read, p.dead) == ("p", "p", 10, 2)
    assert (q.pipeline, q.target, q.counts.read, q.dead) == ("q", "q", 5, 0)
    assert records_read(database.database) == {"p": 10, "q": 5}
