"""docs/tables.md has every table and column, with what it means."""

from __future__ import annotations

import re

import sqlalchemy as sa

from sinks.database.tables import metadata
from tests.reference.tables import DATABASES, meaning, page
from transforms.batch.counts import COUNTS


def test_every_table_and_column_has_a_meaning() -> None:
    for table in metadata.sorted_tables:
        assert {"row", "written_by"} == table.info.keys(), table.name
        for column in table.c:
            assert len(meaning(column)) > 2, f"{table.name}.{column.name}"


def test_a_count_is_described_by_its_class_alone() -> None:
    columns = [column for table in metadata.sorted_tables for column in table.c]
    counts = [column for column in columns if column.name in COUNTS]
    assert {column.name for column in counts} == set(COUNTS)
    assert [column for column in counts if column.name != "deleted" and column.doc] == []
    assert "whose key was there" in meaning(sa.Column("duplicates"))


def test_the_page_lists_the_columns_of_each_table_in_their_order() -> None:
    sections = re.split(r"^## (ingest_\w+)$", page(), flags=re.MULTILINE)[1:]
    listed = {
        name: re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE)
        for name, text in zip(sections[::2], sections[1::2], strict=True)
    }
    assert listed == {name: table.c.keys() for name, table in metadata.tables.items()}


def test_meanings_are_no_part_of_the_database() -> None:
    """A comment in the database would tell new databases from those that were migrated."""
    for table in metadata.sorted_tables:
        assert table.comment is None
        assert [column.name for column in table.c if column.comment is not None] == []
        statement = str(sa.schema.CreateTable(table).compile(dialect=DATABASES["PostgreSQL"]))
        assert table.info["row"] not in statement
