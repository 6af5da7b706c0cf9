"""Operations are carried out, or written as the SQL that does the same."""

from __future__ import annotations

from io import StringIO

import sqlalchemy as sa
from alembic.operations import Operations

from sinks.database.engine import transaction
from sinks.database.migrations.operations import executing, writing
from tests.io.sinks.tested_database import Database


def change(op: Operations) -> None:
    op.create_table("notes", sa.Column("id", sa.Integer, primary_key=True))
    op.add_column("notes", sa.Column("partition", sa.Text))
    op.alter_column("notes", "partition", new_column_name="part", existing_type=sa.Text())
    notes = sa.table("notes", sa.column("id", sa.Integer), sa.column("part", sa.Text))
    op.execute(sa.insert(notes).values(id=1, part="it's"))


def test_they_are_carried_out_on_each_database(database: Database) -> None:
    with transaction(database.database, "test") as connection:
        change(executing(connection))
    assert database.rows("SELECT id, part FROM notes") == [(1, "it's")]


def test_what_is_written_does_the_same_and_nothing_by_itself(database: Database) -> None:
    script = StringIO()
    with transaction(database.database, "test") as connection:
        change(writing(connection, script))
        assert not sa.inspect(connection).has_table("notes")
    statements = [text for text in script.getvalue().split(";\n") if text.strip()]
    assert len(statements) == 4
    database.run(*statements)
    assert database.rows("SELECT id, part FROM notes") == [(1, "it's")]
