"""A target has one name in the ledger, however its schema is spelled."""

from __future__ import annotations

import pytest

from sinks.database.engine import transaction
from sinks.database.label import label_of
from tests.io.sinks.tested_database import Database
from transforms.route.table_name import TableName


@pytest.mark.parametrize(
    ("table", "label"), [("events", "events"), ("public.events", "events"), ("app.t", "app.t")]
)
def test_the_default_schema_is_left_out(postgres: Database, table: str, label: str) -> None:
    with transaction(postgres.database, "test", write=False) as connection:
        assert label_of(connection, TableName.parse(table)) == label


def test_a_name_with_a_dot_is_not_taken_for_a_schema(sqlite_database: Database) -> None:
    with transaction(sqlite_database.database, "test", write=False) as connection:
        assert label_of(connection, TableName.parse("main.events")) == "events"
        assert label_of(connection, TableName.parse("other.events")) == "other.events"
