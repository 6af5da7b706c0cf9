"""Rights that an ingest needs and its role lacks are told, with the statement that grants them."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest

from sinks.database import tables
from sinks.database.catalogue.figures import Need
from sinks.doctor import rights
from sinks.doctor.scope import Question
from sinks.table.target import Column, Description
from tests.io.sinks.doctor.examined import last_run, said, told, wrong
from tests.io.sinks.runs.test_runs import begun
from tests.io.sinks.tested_database import Database
from transforms.errors import ConfigError


@pytest.fixture
def role(postgres: Database) -> Iterator[str]:
    """A role without any right on the tables, which are there."""
    begun(postgres, options={"key": "id", "on_conflict": "update"})
    name = f"r{uuid.uuid4().hex[:8]}"
    postgres.run(f"CREATE ROLE {name}")
    yield name
    postgres.run(f"DROP OWNED BY {name}", f"DROP ROLE {name}")


def grant_all(database: Database, role: str) -> None:
    database.run(
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {role}",
        f"GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {role}",
        f"GRANT CREATE ON SCHEMA public TO {role}",
    )


def test_the_owner_lacks_nothing(database: Database) -> None:
    begun(database, options={"key": "id"})
    usual = "skipped" if database.kind in ("generic", "mariadb") else "ok"
    assert [item.level for item in said(database, rights.check)] == [usual]


def test_a_role_with_everything_lacks_nothing(postgres: Database, role: str) -> None:
    grant_all(postgres, role)
    assert [item.level for item in said(postgres, rights.check, Question(role=role))] == ["ok"]


@pytest.mark.parametrize(
    ("revoked", "place", "named"),
    [
        ("INSERT ON events", '"events"', "INSERT"),
        ("UPDATE ON events", '"events"', "UPDATE"),
        ("SELECT ON events", '"events"', "SELECT"),
        ("DELETE ON ingest_queue", '"ingest_queue"', "DELETE"),
        ("UPDATE ON ingest_leases", '"ingest_leases"', "UPDATE"),
        ("INSERT ON ingest_dead", '"ingest_dead"', "INSERT"),
        ("DELETE ON ingest_edits", '"ingest_edits"', "DELETE"),
        ("USAGE ON SEQUENCE ingest_jobs_id_seq", '"ingest_jobs"', "USAGE"),
    ],
)
def test_what_is_revoked_is_told(
    postgres: Database, role: str, revoked: str, place: str, named: str
) -> None:
    grant_all(postgres, role)
    postgres.run(f"REVOKE {revoked} FROM {role}")
    (item,) = wrong(postgres, rights.check, Question(role=role))
    assert (item.level, item.where) == ("error", place)
    assert named in item.what
    assert item.todo.startswith(f"run: GRANT {named} ON ")
    postgres.run(item.todo.removeprefix("run: "))
    assert wrong(postgres, rights.check, Question(role=role)) == []


def test_a_right_on_every_column_is_as_good(postgres: Database, role: str) -> None:
    grant_all(postgres, role)
    postgres.run(
        f"REVOKE INSERT ON events FROM {role}",
        f"GRANT INSERT (id, payload) ON events TO {role}",
    )
    assert wrong(postgres, rights.check, Question(role=role)) == []
    postgres.run("ALTER TABLE events ADD COLUMN more text")
    (item,) = wrong(postgres, rights.check, Question(role=role))
    assert item.figures["columns"] == {"INSERT": ["more"]}


def test_temporary_tables_and_new_tables_take_rights_of_their_own(
    postgres: Database, role: str
) -> None:
    grant_all(postgres, role)
    name = postgres.rows("SELECT current_database()")[0][0]
    postgres.run(
        f"REVOKE TEMPORARY ON DATABASE {name} FROM PUBLIC",
        f"REVOKE CREATE ON SCHEMA public FROM PUBLIC, {role}",
    )
    items = wrong(postgres, rights.check, Question(role=role))
    assert [(item.level, item.where) for item in items] == [
        ("error", "database"),
        ("warning", "database"),
    ]
    assert ["TEMPORARY" in items[0].what, "CREATE" in items[1].what] == [True, True]
    postgres.run(*(item.todo.partition("run: ")[2] for item in items))
    assert wrong(postgres, rights.check, Question(role=role)) == []


def test_tables_that_nobody_uses_are_not_asked_about(postgres: Database, role: str) -> None:
    grant_all(postgres, role)
    postgres.run(f"REVOKE ALL ON ingest_manifests FROM {role}")
    assert wrong(postgres, rights.check, Question(role=role)) == []
    postgres.run("INSERT INTO ingest_manifests VALUES ('s3://b', 'i', 1, now(), NULL)")
    (item,) = wrong(postgres, rights.check, Question(role=role))
    assert item.where == '"ingest_manifests"'


def test_a_role_that_is_not_there_is_refused(postgres: Database) -> None:
    postgres.sink(key=["id"])
    with pytest.raises(ConfigError, match="there is no role 'nobody'"):
        said(postgres, rights.check, Question(role="nobody"))


def test_a_file_that_may_not_be_written_is_told(
    sqlite_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    sqlite_database.sink(key=["id"])
    assert wrong(sqlite_database, rights.check) == []
    monkeypatch.setattr("os.access", lambda path, mode: False)
    items = wrong(sqlite_database, rights.check)
    assert ("error", '"events"') in told(iter(items))
    with pytest.raises(ConfigError, match="SQLite has no roles"):
        said(sqlite_database, rights.check, Question(role="nobody"))


def test_what_a_target_needs_depends_on_how_it_is_written() -> None:
    columns = (Column("id", "text"), Column("n", "int"), Column("g", "int", generated=True))
    described = Description(columns, ())
    inserts = [Need("INSERT", "t", "id"), Need("INSERT", "t", "n")]
    ignoring = last_run(options={"key": "id"})
    updating = last_run(options={"key": "id", "on_conflict": "update"})
    assert rights.needs_of_target("t", described, None) == inserts
    assert rights.needs_of_target("t", described, ignoring) == [*inserts, Need("SELECT", "t", "id")]
    assert Need("UPDATE", "t", "n") in rights.needs_of_target("t", described, updating)
    deleting = rights.needs_of_target("t", described, updating, deletes=True)
    assert Need("DELETE", "t") in deleting
    of_message = last_run(options={"key": "id=@key.id"})
    assert Need("SELECT", "t", "id") in rights.needs_of_target("t", described, of_message)


def test_a_run_with_deletes_needs_the_states_of_keys_from_the_start() -> None:
    of_positions, of_expired = (
        Need("DELETE", '"ingest_positions"'),
        Need("UPDATE", '"ingest_expired"', "offset"),
    )
    for options, needed in (
        ({"on_delete": "ignore"}, (False, False)),
        ({"on_delete": "mark:gone"}, (True, False)),
        ({"on_delete": "delete", "retain": ["deletes=9d"]}, (True, True)),
    ):
        needs = rights.needs_of_order([last_run(options=options)])
        assert (of_positions in needs, of_expired in needs) == needed


def test_deletes_take_a_right_of_their_own_on_every_table_of_the_pipeline(
    postgres: Database, role: str
) -> None:
    options = {"key": "id", "on_conflict": "newest:@position", "on_delete": "delete"}
    grant_all(postgres, role)
    postgres.run(f"REVOKE DELETE ON events FROM {role}")
    assert wrong(postgres, rights.check, Question(role=role)) == []
    begun(postgres, "run-of-deletes", options=options)
    (item,) = wrong(postgres, rights.check, Question(role=role))
    assert (item.where, item.todo) == ('"events"', f'run: GRANT DELETE ON "events" TO "{role}"')
    postgres.run(item.todo.removeprefix("run: "))
    assert wrong(postgres, rights.check, Question(role=role)) == []


def test_every_table_of_ours_is_looked_at() -> None:
    assert {*rights.OF_TABLES, *rights.IF_USED, *rights.NONE} == set(
        tables.metadata.tables.values()
    )
