"""Tables of programs before version 1 get what they lack."""

from __future__ import annotations

import pytest

from sinks.database.engine import transaction
from sinks.database.migrations import migrate
from sinks.database.migrations.present import Present
from sinks.database.migrations.to_1 import INDEX
from tests.io.sinks.database.migrations.old_tables import create_version_0, restore_version_1, shape
from tests.io.sinks.tested_database import Database


def indexes(database: Database) -> dict[str, bool]:
    with transaction(database.database, "test", write=False) as connection:
        named = Present(connection).indexes("ingest_queue")
    return {name: complete for name, complete in named.items() if name.startswith("ingest_queue_n")}


def test_the_index_that_claims_use_is_the_new_one_alone(database: Database) -> None:
    create_version_0(database)
    migrate.migrate(database.database, force=False)
    described = shape(database)["ingest_queue"]["indexes"]
    assert described == [(INDEX, ["owner", "due_at"], False)]


@pytest.mark.parametrize("lost", ["ingest_submissions", "ingest_queue"])
def test_a_table_that_is_lacking_is_created(database: Database, lost: str) -> None:
    restore_version_1(database)
    before = shape(database)[lost]
    database.run(f"DROP TABLE {lost}")
    assert migrate.migrate(database.database, force=False) == (0, 2)
    after = shape(database)[lost]
    del before["columns"], after["columns"]  # version 2 has more
    assert after == before


def test_what_an_interrupted_build_of_the_index_has_left_is_built_anew(postgres: Database) -> None:
    create_version_0(postgres)
    postgres.run(
        "ALTER TABLE ingest_queue ADD COLUMN owner uuid",
        f"CREATE INDEX {INDEX} ON ingest_queue (owner)",
        f"UPDATE pg_index SET indisvalid = false WHERE indexrelid = '{INDEX}'::regclass",
    )
    assert indexes(postgres) == {INDEX: False}
    migrate.migrate(postgres.database, force=False)
    assert indexes(postgres) == {INDEX: True}
    assert shape(postgres)["ingest_queue"]["indexes"] == [(INDEX, ["owner", "due_at"], False)]
