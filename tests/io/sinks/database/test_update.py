"""Many rows are changed at once, each to values of its own."""

from __future__ import annotations

import sqlalchemy as sa

from sinks.database.engine import transaction
from sinks.database.update import update_each
from tests.io.sinks.tested_database import Database

people = sa.Table(
    "people",
    sa.MetaData(),
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("name", sa.Text),
    sa.Column("notes", sa.JSON),
)


def test_each_row_gets_its_own_values(database: Database) -> None:
    with transaction(database.database, "test") as connection:
        people.create(connection)
        start = [{"id": n, "name": "old", "notes": [n]} for n in (1, 2, 3)]
        connection.execute(sa.insert(people), start)
        update_each(connection, people, [{"id": 3, "name": "c"}, {"id": 1, "name": "a"}])
        update_each(connection, people, [{"id": 2, "notes": ["x"]}, {"id": 9, "notes": []}])
        update_each(connection, people, [])
        rows = connection.execute(sa.select(people).order_by(people.c.id)).all()
    assert rows == [(1, "a", [1]), (2, "old", ["x"]), (3, "c", [3])]
