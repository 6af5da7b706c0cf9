"""The step from version 5 to version 6, where DDL takes part in no transaction."""

from __future__ import annotations

import uuid
from io import StringIO

import pytest
import sqlalchemy as sa

from sinks.database.engine import transaction
from sinks.database.migrations import to_2, to_3, to_4, to_5, to_6
from sinks.database.migrations.operations import executing, writing
from sinks.database.migrations.present import Present
from sinks.database.migrations.to_6 import MIGRATION
from tests.io.sinks.database.migrations.old_tables import RENAMED, contents, restore_version_1
from tests.io.sinks.tested_database import Database
from transforms.failure_group import fingerprint_of

ADDED = ("ingest_dead", "ingest_fingerprints", "ingest_orders", "ingest_edits")


@pytest.fixture
def old(database: Database) -> Database:
    """A database of version 5."""
    restore_version_1(database)
    with transaction(database.database, "test") as connection:
        for earlier in (to_2, to_3, to_4, to_5):
            for step in earlier.MIGRATION.steps:
                step.change(executing(connection), Present(connection))
    return database


def carry_out(database: Database, *numbers: int) -> None:
    with transaction(database.database, "test") as connection:
        for number in numbers:
            MIGRATION.steps[number].change(executing(connection), Present(connection))


@pytest.mark.parametrize("done", [[], [0], [3, 1, 0, 2]])
def test_what_is_done_already_is_passed_over(old: Database, done: list[int]) -> None:
    carry_out(old, *done)
    carry_out(old, *range(len(MIGRATION.steps)))
    for table in ADDED[2:]:
        assert old.rows(f"SELECT count(*) FROM {table}") == [(0,)]


def test_nothing_of_before_is_changed(old: Database) -> None:
    rows = contents(old, RENAMED)
    carry_out(old, *range(len(MIGRATION.steps)))
    assert contents(old, RENAMED) == rows


def dead_letters(old: Database, *messages: str) -> None:
    """More dead letters, made of one that is there."""
    columns = [name for name in names_of(old) if name not in ("id", "origin", "message")]
    listed = ", ".join(f'"{name}"' for name in columns)
    for number, message in enumerate(messages):
        old.run(
            f"INSERT INTO ingest_jobs (origin, message, {listed}) SELECT "
            f"'{uuid.UUID(int=number)}', '{message}', {listed} FROM ingest_jobs "
            "WHERE state = 'discarded' ORDER BY id LIMIT 1"
        )


def names_of(old: Database) -> list[str]:
    with transaction(old.database, "test", write=False) as connection:
        return [column["name"] for column in sa.inspect(connection).get_columns("ingest_jobs")]


def is_filled(old: Database) -> bool:
    """Whether exactly the dead letters have a row, each of its group."""
    jobs = old.rows(
        "SELECT id, target, stage, category, sqlstate, exception, message FROM ingest_jobs "
        "WHERE state = 'discarded' ORDER BY id"
    )
    groups = {job[0]: fingerprint_of(*job[1:]) for job in jobs}
    rows = old.rows(
        "SELECT d.job, f.id, f.message FROM ingest_dead d "
        "JOIN ingest_fingerprints f ON f.id = d.fingerprint"
    )
    entered = {job: (uuid.UUID(str(number)), message) for job, number, message in rows}
    ((number,),) = old.rows("SELECT count(*) FROM ingest_fingerprints")
    return entered == groups and number == len(set(groups.values()))


def test_dead_letters_of_before_get_their_groups(
    old: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(to_6, "CHUNK", 3)
    dead_letters(old, *(f"order {n} is gone" for n in range(8)), "another reason")
    carry_out(old, *range(len(MIGRATION.steps)))
    assert is_filled(old)
    assert len(old.rows("SELECT * FROM ingest_dead")) >= 10


def test_an_interrupted_one_goes_on(old: Database) -> None:
    dead_letters(old, *(f"order {n} is gone" for n in range(8)), "another reason")
    carry_out(old, *range(len(MIGRATION.steps)))
    half = "SELECT job FROM ingest_dead ORDER BY job LIMIT 4"
    for statement in (
        f"DELETE FROM ingest_dead WHERE job IN ({half})",
        "DELETE FROM ingest_fingerprints WHERE id NOT IN (SELECT fingerprint FROM ingest_dead)",
    ):
        old.run(statement)
    assert not is_filled(old)
    carry_out(old, *range(len(MIGRATION.steps)))
    carry_out(old, *range(len(MIGRATION.steps)))
    assert is_filled(old)


@pytest.mark.parametrize("filled", [False, True])
def test_a_script_has_the_dead_letters_of_now(old: Database, *, filled: bool) -> None:
    dead_letters(old, "order 7 is gone", "the ''x'' is gone")
    if filled:
        carry_out(old, 0, 1)
    out = StringIO()
    with transaction(old.database, "test", write=False) as connection:
        for step in MIGRATION.steps:
            step.change(writing(connection, out), Present(connection))
    for statement in out.getvalue().split(";\n\n"):
        if statement.strip():
            old.run(statement)
    assert is_filled(old)
