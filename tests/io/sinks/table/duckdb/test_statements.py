"""The statements that write a table, as text: what they change, and when."""

from __future__ import annotations

import pytest

from sinks.table.config import OnConflict
from sinks.table.duckdb.statements import statements_of
from sinks.table.target import Column, Target
from transforms.route.table_name import TableName

CHANGE = 'UPDATE SET "at" = excluded."at"'


def target(mode: str) -> Target:
    return Target(
        table=TableName("t"),
        label="t",
        columns=(Column("k", "uuid"), Column("n", "integer"), Column("at", "timestamp")),
        generated=frozenset(),
        key=("k",),
        origin_key=False,
        whole_payload=False,
        on_conflict=OnConflict.parse(mode),
        unknown_fields="reject",
    )


@pytest.mark.parametrize(
    ("mode", "names", "change"),
    [
        ("ignore", ("k", "n"), ""),
        ("update", ("k",), ""),
        ("update", ("k", "n"), 'UPDATE SET "n" = excluded."n"'),
        (
            "newest:at",
            ("k", "n"),
            'UPDATE SET "n" = excluded."n" WHERE sluice_target."at" IS NULL',
        ),
        (
            "newest:at",
            ("k", "at"),
            f"""{CHANGE} WHERE sluice_target."at" IS NULL OR excluded."at" > sluice_target."at\"""",
        ),
    ],
)
def test_a_row_that_is_there_changes_as_the_mode_says(
    mode: str, names: tuple[str, ...], change: str
) -> None:
    statements = statements_of(target(mode), names)
    assert statements.insert.endswith('ON CONFLICT ("k") DO NOTHING')
    assert statements.upsert.partition(" DO ")[2] == change
    assert 'CAST("k" AS uuid)' in statements.insert  # from text
