"""A right that is lacking is named, together with the statement that grants it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
import sqlalchemy as sa

from sinks.sql import SqlSink
from sinks.table.config import OnConflict
from sinks.table.postgres.rights import needed
from tests.io.sinks.table.events_target import EVENTS
from tests.io.sinks.tested_database import Database, make_batch
from transforms.errors import SinkFailed

OURS = (
    "INSERT, SELECT, UPDATE, DELETE ON ingest_progress, ingest_counts, ingest_jobs, ingest_queue, "
    "ingest_claims, ingest_dead, ingest_fingerprints"
)


@pytest.fixture
def role(postgres: Database) -> Iterator[str]:
    """A role that may write everything but the table, which its owner has prepared."""
    name = f"writer_{postgres.url.partition('test_')[2][:12]}"
    postgres.run(
        f"CREATE ROLE {name} LOGIN",
        "CREATE TABLE events (id integer PRIMARY KEY, a text, b text)",
    )
    postgres.sink(key=["id"])
    postgres.run(
        f"GRANT {OURS} TO {name}", f"GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {name}"
    )
    yield name
    postgres.run(f"DROP OWNED BY {name}", f"DROP ROLE {name}")


def sink(database: Database, role: str, **options: str) -> SqlSink:
    url = sa.make_url(database.url).set(username=role).render_as_string(hide_password=False)
    return SqlSink(Database("postgres", url).config(key=["id"], **options))


@pytest.mark.parametrize(
    ("granted", "mode", "lacking"),
    [
        ("SELECT", "ignore", "INSERT"),
        ("SELECT, INSERT (id, a)", "ignore", 'INSERT ("b")'),
        ("SELECT, INSERT", "update", "UPDATE"),
        ("SELECT, INSERT, UPDATE (a)", "update", 'UPDATE ("b")'),
        ("INSERT", "ignore", "SELECT"),
    ],
)
def test_the_message_names_what_is_lacking(
    postgres: Database, role: str, granted: str, mode: str, lacking: str
) -> None:
    postgres.run("INSERT INTO events VALUES (1)", f"GRANT {granted} ON events TO {role}")
    with pytest.raises(SinkFailed) as raised:
        sink(postgres, role, on_conflict=mode).commit(
            [make_batch([{"id": i, "a": "x", "b": "y"} for i in range(3)])]
        )
    message = f'role {role} lacks {lacking} on table events; run: GRANT {lacking} ON "events" TO '
    assert str(raised.value).startswith(message)
    assert postgres.rows("SELECT count(*) FROM ingest_jobs") == [(0,)]


def test_a_write_needs_only_what_it_does() -> None:
    assert needed(EVENTS, ["id"]) == [("INSERT", "id"), ("SELECT", "id")]


@pytest.mark.parametrize("mode", ["ignore", "update"])
def test_the_row_that_row_level_security_refuses_is_dead(
    postgres: Database, role: str, mode: str
) -> None:
    postgres.run(
        "ALTER TABLE events ENABLE ROW LEVEL SECURITY",
        "CREATE POLICY own ON events USING (true) WITH CHECK (a = 'mine')",
        f"GRANT ALL ON events TO {role}",
    )
    rows = [{"id": 1, "a": "mine"}, {"id": 2, "a": "yours"}, {"id": 3, "a": "mine"}]
    (settled,) = sink(postgres, role, on_conflict=mode).commit([make_batch(rows)])
    (dead,) = settled.dead
    assert (dead.origin.offset, dead.category, dead.sqlstate) == (1, "constraint", "42501")
    assert postgres.rows("SELECT id FROM events ORDER BY id") == [(1,), (3,)]


def test_a_field_that_is_missing_is_no_row_that_security_refuses(
    postgres: Database, role: str
) -> None:
    postgres.run(
        "INSERT INTO events VALUES (1, 'mine', 'old')",
        "ALTER TABLE events ENABLE ROW LEVEL SECURITY",
        "CREATE POLICY own ON events USING (true) WITH CHECK (a = 'mine')",
        f"GRANT ALL ON events TO {role}",
    )
    changes = [make_batch([{"id": 1, "b": "new"}])]
    (settled,) = sink(postgres, role, on_conflict="update").commit(changes)
    assert settled.counts.updated == 1
    assert postgres.rows("SELECT * FROM events") == [(1, "mine", "new")]


def test_only_update_needs_the_right_to_update() -> None:
    rights = needed(replace(EVENTS, on_conflict=OnConflict("update")), ["id", "a"])
    assert rights == [("INSERT", "id"), ("INSERT", "a"), ("SELECT", "id"), ("UPDATE", "a")]
