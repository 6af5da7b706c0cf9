"""SQLAlchemy's dialect of DuckDB: what it creates and returns."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from sinks.database.engine import transaction
from tests.io.sinks.tested_database import Database

NUMBERED = sa.Table(
    "order",
    sa.MetaData(),
    sa.Column("id", sa.BigInteger, primary_key=True, autoincrement=True),
    sa.Column("at", sa.Text, unique=True),
    sa.Column("bytes", sa.LargeBinary),
    sa.Index("some", "at", postgresql_where=sa.text("at IS NULL")),
)


def test_numbers_are_given_and_names_may_be_reserved_words(duckdb_database: Database) -> None:
    with transaction(duckdb_database.database, "test") as connection:
        NUMBERED.metadata.create_all(connection)
        NUMBERED.metadata.create_all(connection)
        result = connection.execute(sa.insert(NUMBERED).values(at="a", bytes=b"\x00\xff"))
        assert result.inserted_primary_key == (1,)
        connection.execute(sa.insert(NUMBERED), [{"at": "b"}, {"at": "c"}])
        rows = connection.execute(
            sa.select(
                NUMBERED.c.id, sa.func.length(NUMBERED.c.bytes), sa.func.length(NUMBERED.c.at)
            )
            .order_by("id")
            .with_for_update()
        ).all()
    assert [tuple(row) for row in rows] == [(1, 2, 1), (2, None, 1), (3, None, 1)]


def test_a_savepoint_undoes_its_part(duckdb_database: Database) -> None:
    with transaction(duckdb_database.database, "test") as connection:
        NUMBERED.create(connection)
        with connection.begin_nested():
            connection.execute(sa.insert(NUMBERED).values(id=1, at="a"))
        with pytest.raises(sa.exc.IntegrityError), connection.begin_nested():
            connection.execute(sa.insert(NUMBERED).values(id=2, at="a"))
        connection.execute(sa.insert(NUMBERED).values(id=3, at="c"))
    assert duckdb_database.rows('SELECT id FROM "order"') == [(1,), (3,)]
