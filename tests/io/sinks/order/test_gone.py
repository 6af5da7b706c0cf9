"""Rows that are deleted or marked by their keys."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa

from sinks.database.columns import InstantText
from sinks.database.engine import transaction
from sinks.order.gone import Mark, mark_of, remove, values_of
from sinks.order.keys import key_form
from sinks.table.target import Column, Target
from tests.io.sinks.order.test_keys import target
from tests.io.sinks.tested_database import Database
from transforms.errors import ConfigError

ID = Column("id", "integer")


class TestMark:
    @pytest.mark.parametrize(
        ("type_", "typed", "instant", "kind"),
        [
            ("bool", True, False, sa.Boolean),
            ("boolean", False, False, sa.Boolean),
            ("timestamptz", True, True, sa.DateTime),
            ("datetime", True, True, sa.DateTime),
            ("text", False, True, InstantText),
        ],
    )
    def test_columns_that_can_tell(
        self, type_: str, typed: bool, instant: bool, kind: type[sa.types.TypeEngine[Any]]
    ) -> None:
        mark = mark_of(self.of(Column("gone", type_)), "gone", typed=typed)
        assert mark.instant == instant
        assert isinstance(mark.type, kind)
        assert mark.present is (None if instant else False)
        assert mark.gone()

    @pytest.mark.parametrize("column", [Column("gone", "text"), Column("gone", "int4")])
    def test_columns_that_cannot(self, column: Column) -> None:
        with pytest.raises(ConfigError, match="needs a boolean or a timestamp"):
            mark_of(self.of(column), "gone", typed=True)

    @pytest.mark.parametrize("name", ["id", "other"])
    def test_no_such_column(self, name: str) -> None:
        with pytest.raises(ConfigError, match=f"no column {name}"):
            mark_of(self.of(Column("gone", "bool")), name, typed=True)

    def of(self, column: Column) -> Target:
        return replace(target(ID), columns=(ID, column))


@pytest.mark.parametrize("mark", [None, Mark("gone", False, sa.Boolean())])
def test_many_rows_are_removed_and_one_that_is_held_stays(
    database: Database, mark: Mark | None
) -> None:
    database.run(
        "CREATE TABLE t (id integer PRIMARY KEY, gone boolean CHECK (id <> 7 OR gone IS NULL))",
        "CREATE TABLE held (id integer REFERENCES t (id))",
        *(f"INSERT INTO t (id) VALUES ({number})" for number in range(700)),
        "INSERT INTO held VALUES (7)",
    )
    of = target(ID)
    form = key_form(of, typed=False)
    refused: list[int] = []
    with transaction(database.database, "test") as connection:
        remove(
            *(connection, of, form, mark, [(number,) for number in range(5, 705)]),
            lambda position, error: refused.append(position),
            blames_contention=False,
        )
    left = "SELECT id FROM t" if mark is None else "SELECT id FROM t WHERE gone IS NULL"
    assert refused == [2]
    assert [id_ for (id_,) in database.rows(f"{left} ORDER BY id")] == [0, 1, 2, 3, 4, 7]


def test_values_are_told_by_key(database: Database) -> None:
    database.run(
        "CREATE TABLE t (id integer PRIMARY KEY, n integer)", "INSERT INTO t VALUES (1, 5)"
    )
    of = target(ID)
    with transaction(database.database, "test", write=False) as connection:
        rows = values_of(connection, of, key_form(of, typed=False), "n", [(1,), (2,)])
        assert list(rows) == [((1,), 5)]
