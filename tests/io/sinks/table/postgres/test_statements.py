"""The statements name things that a table cannot have itself, and say what happened to rows."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sinks.table.config import OnConflict
from sinks.table.postgres.staging_table import table_of
from sinks.table.postgres.statements import insert_statement, updates_first
from sinks.table.target import Column, Interplay, Target
from transforms.route.table_name import TableName

TARGET = Target(
    table=TableName("events"),
    label="events",
    columns=(Column("id", "int4", not_null=True), Column("n", "int4"), Column("at", "date")),
    generated=frozenset(),
    key=("id",),
    origin_key=False,
    whole_payload=False,
    on_conflict=OnConflict("update"),
    unknown_fields="reject",
)


def test_the_staging_tables_own_columns_are_none_of_the_targets() -> None:
    taken = (*TARGET.columns, Column("sluice_ordinal", "int4"), Column("sluice_batch_", "int4"))
    table = table_of(replace(TARGET, columns=taken))
    assert (table.ordinal, table.batch) == ('"sluice_ordinal__"', '"sluice_batch__"')


def test_an_altered_table_gets_another_staging_table() -> None:
    altered = replace(TARGET, columns=(*TARGET.columns, Column("x", "text")))
    assert table_of(TARGET).quoted != table_of(altered).quoted
    assert table_of(TARGET) == table_of(replace(TARGET, on_conflict=OnConflict()))


@pytest.mark.parametrize(
    ("mode", "checked", "names", "expected"),
    [
        ("update", (), ("id", "n"), False),
        ("update", (), ("n",), True),
        ("update", ("at",), ("id", "n"), True),
        ("update", ("at",), ("id", "at"), False),
        ("ignore", ("at",), ("id", "n"), False),
    ],
)
def test_rows_that_lack_a_checked_column_are_updates_first(
    mode: str, checked: tuple[str, ...], names: tuple[str, ...], expected: bool
) -> None:
    interplay = Interplay(checked=frozenset(checked))
    target = replace(TARGET, on_conflict=OnConflict.parse(mode), interplay=interplay)
    assert updates_first(target, names) is expected


@pytest.mark.parametrize("batch", [None, 2])
@pytest.mark.parametrize("mode", ["ignore", "update", "newest:at"])
def test_braces_and_percent_signs_in_names_stay_as_they_are(mode: str, batch: int | None) -> None:
    columns = (*TARGET.columns, Column("{x} %s", "text"))
    target = replace(TARGET, columns=columns, on_conflict=OnConflict.parse(mode))
    statement = insert_statement(
        target, table_of(target), ("id", "{x} %s"), (0, 2), batch=batch, effects=False
    )
    assert 'INSERT INTO "events" AS sluice_target ("id", "{x} %s")' in statement
