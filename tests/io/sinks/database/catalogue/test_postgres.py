"""What PostgreSQL says of itself."""

from __future__ import annotations

import pytest

from sinks.database.catalogue import postgres as catalogue
from sinks.database.catalogue.figures import Need
from sinks.database.engine import transaction
from tests.io.sinks.tested_database import Database, make_batch
from transforms.errors import ConfigError


def test_the_server_says_its_version_and_limits(postgres: Database) -> None:
    with transaction(postgres.database, "test", write=False) as connection:
        server = catalogue.server(connection)
    number = int(postgres.rows("SHOW server_version_num")[0][0])
    assert server.version.startswith(str(number // 10_000))
    assert not server.too_old
    assert server.connections is not None
    assert server.most_connections is not None
    assert 1 <= server.connections <= server.most_connections
    assert server.vacuums is True
    assert server.transactions is not None
    assert 0 < server.transactions < catalogue.MOST_TRANSACTIONS
    assert server.bytes is not None
    assert server.bytes > 1_000_000


def test_sizes_are_about_right_before_and_after_an_analysis(postgres: Database) -> None:
    sink = postgres.sink(key=["id"])
    sink.commit([make_batch([{"id": str(n), "pad": "x" * 500} for n in range(1_000)])])
    for statement in ("SELECT pg_stat_force_next_flush()", "ANALYZE events"):
        postgres.run(statement)
        with transaction(postgres.database, "test", write=False) as connection:
            sizes = catalogue.sizes(connection, ['"events"', '"absent"'])
    assert list(sizes) == ['"events"']
    assert 900 <= sizes['"events"'].rows <= 1_100
    assert (sizes['"events"'].bytes or 0) > 500_000
    assert sizes['"events"'].vacuums is True


def test_the_rights_that_are_missing_are_said_in_their_order(postgres: Database) -> None:
    postgres.sink(key=["id"])
    needs = [
        Need("INSERT", '"events"', "id"),
        Need("DELETE", '"events"'),
        Need("SELECT", '"events"', "payload"),
        Need("INSERT", '"absent"', "id"),
        Need("TEMPORARY"),
        Need("USAGE", '"ingest_jobs"', "id"),
    ]
    with transaction(postgres.database, "test", write=False) as connection:
        assert catalogue.lacking(connection, needs, "") == []
        # A role of every server that has no right on our tables, apart from what everybody has.
        assert catalogue.lacking(connection, needs, "pg_monitor") == [*needs[:3], needs[5]]
        with pytest.raises(ConfigError, match="no role 'nobody'"):
            catalogue.lacking(connection, needs, "nobody")
