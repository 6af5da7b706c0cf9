"""A pipeline's own table has one name, however the user spells it."""

from __future__ import annotations

from pipelines.ingestion.own_table import own_table
from sinks import targets
from sinks.table.config import SqlConfig


def test_its_default_schema_is_left_out_once_the_table_is_prepared(tmp_path: object) -> None:
    config = SqlConfig.of(url=f"sqlite:///{tmp_path}/a.db", table="main.events", key=["id"])
    assert own_table(config) == "main.events"
    targets.prepare(config.database, [config])
    assert own_table(config) == "events"
