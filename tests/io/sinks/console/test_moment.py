"""A screen reads one state of the database, and only tables of this version."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from sinks.console.moment import moment
from sinks.database.tables import pipelines
from tests.io.sinks.tested_database import Database
from transforms.errors import ConfigError


@pytest.mark.without_tables
def test_a_database_without_tables_is_refused_with_a_line(database: Database) -> None:
    with (
        pytest.raises(ConfigError, match="nothing was ingested"),
        moment(database.database, "test"),
    ):
        pass


def test_all_statements_see_the_same_state(postgres: Database) -> None:
    postgres.sink()
    query = sa.select(sa.func.count()).select_from(pipelines)
    with moment(postgres.database, "test") as connection:
        before = connection.scalar(query)
        postgres.run("DELETE FROM ingest_pipelines")
        assert connection.scalar(query) == before == 1
