"""Each pipeline has a ledger of its own; those of version 1 go on from the one that they shared."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sinks.ledger import pipelines
from sinks.ledger.accounts import accounts
from sinks.ledger.ledger import SqlLedger
from sinks.table.config import SqlConfig
from tests.io.sinks.tested_database import Database, make_batch, make_failure
from transforms.batch.counts import Counts
from transforms.batch.coverage import Coverage
from transforms.errors import ConfigError
from transforms.route.table_name import UNROUTED

PLACE = ("file:///a", "p")
SETTLED = Coverage(((0, 3),))


@pytest.fixture
def shared(database: Database) -> SqlConfig:
    """A table with a ledger as the migration from version 1 leaves it, and a dead letter."""
    sink = database.sink(key=["id"])
    sink.commit([make_batch([{"id": "1"}, {"id": "2"}], failures=[make_failure(2)], end=3)])
    database.run("UPDATE ingest_pipelines SET prepared_at = NULL")
    database.run("UPDATE ingest_jobs SET read_by = NULL, pipeline = 'people', steps = '[]'")
    return sink.config


def coverage(config: SqlConfig, name: str) -> Coverage | None:
    return SqlLedger(config, name).coverage([PLACE]).get(PLACE)


def test_a_pipeline_without_a_name_has_that_of_its_table(shared: SqlConfig) -> None:
    pipelines.register(shared, "")
    assert coverage(shared, "") == coverage(shared, "events") == SETTLED


def test_a_name_of_version_1_goes_on_and_counts_nothing_twice(shared: SqlConfig) -> None:
    pipelines.register(shared, "orders")
    assert coverage(shared, "orders") == SETTLED
    listed = {account.progress.pipeline: account for account in accounts(shared.database)}
    assert listed["events"].progress.counts == Counts(read=3, inserted=2, dead=1)
    assert listed["orders"].progress.counts == Counts()
    assert all(each.balanced and each.added_up for each in listed.values())


def test_it_does_so_once(shared: SqlConfig, database: Database) -> None:
    pipelines.register(shared, "orders")
    database.run("DELETE FROM ingest_progress WHERE pipeline = 'orders'")
    pipelines.register(shared, "orders")
    assert coverage(shared, "orders") is None


def test_a_new_name_begins_from_nothing_once_the_tables_own_has_run(shared: SqlConfig) -> None:
    pipelines.register(shared, "")
    pipelines.register(shared, "orders")
    assert coverage(shared, "orders") is None


def test_a_name_that_has_jobs_of_version_1_is_not_new(shared: SqlConfig) -> None:
    pipelines.register(shared, "")
    pipelines.register(shared, "people")
    assert coverage(shared, "people") == SETTLED


def test_a_name_stands_for_one_table(shared: SqlConfig, database: Database) -> None:
    pipelines.register(shared, "orders")
    database.sink("others", key=["id"])
    other = database.config("others", key=["id"])
    with pytest.raises(ConfigError, match="pipeline orders writes table events, not others"):
        pipelines.register(other, "orders")
    with pytest.raises(ConfigError, match="pipeline others writes table others, not events"):
        pipelines.register(shared, "others")


def test_what_has_no_table_of_its_own_does_not_get_one_later(shared: SqlConfig) -> None:
    nowhere = replace(shared, table=UNROUTED)
    pipelines.register(nowhere, "router")
    pipelines.register(nowhere, "router")
    with pytest.raises(
        ConfigError, match="router has no table of its own so far; leave --table ev"
    ):
        pipelines.register(shared, "router")
    pipelines.register(shared, "people")
    with pytest.raises(
        ConfigError, match="people writes table events; give --table events besides"
    ):
        pipelines.register(nowhere, "people")
