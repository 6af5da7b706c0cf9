"""Arrays of PostgreSQL have the cells that rows have."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest
import sqlalchemy as sa

from sinks.database.backends import grouped
from sinks.database.backends.generic import Generic
from sinks.database.dialect import Group
from sinks.database.engine import transaction
from sinks.text import encoding as text_encoding
from sinks.text.stored_text import StoredText
from tests.io.sinks.tested_database import Database

things = sa.Table(
    "things",
    sa.MetaData(),
    sa.Column("id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("kind", StoredText, nullable=False),
    sa.Column("raw", sa.LargeBinary, nullable=False),
    sa.Column("key", sa.LargeBinary),
    sa.Column("text", StoredText),
    sa.Column("at", sa.Double),
    sa.Column("run", sa.String(36), nullable=False),
    sa.Column("number", sa.Integer),
)
TEXTS = (
    "",
    "NULL",
    "null",
    'a"b',
    "back\\slash",
    "{x,y}",
    " , ",
    "line\nfeed\ttab",
    "日€💥",
    "\\N",
)
BYTES = (b"", b"\x00", b"\\x00", b"NULL", b'"', bytes(range(256)), b"{,}")
SHARED = (things.c.kind, things.c.text.is_not(None))
CELLS = (
    *(things.c.id, things.c.raw, things.c.key, things.c.text, things.c.at),
    *(things.c.run, things.c.number + 1, sa.func.coalesce(things.c.text, things.c.run)),
)


def all_rows() -> list[dict[str, Any]]:
    """Every text with every value of bytes; of one kind there is none that is not null."""
    rows: list[dict[str, Any]] = [
        {
            "kind": f"kind {place % 3}",
            "raw": raw,
            "key": None if place % 4 == 0 else raw,
            "text": None if place % 5 == 0 else text,
            "at": (None, 2.5, -0.0, 1e300, float("inf"))[place % 5],
            "run": text,
            "number": None if place % 7 == 0 else place,
        }
        for place, (text, raw) in enumerate(product(TEXTS, BYTES))
    ]
    nothing = {"key": None, "text": None, "at": None, "number": None}
    rows += [{"kind": "日", "raw": b"%d" % place, "run": "r", **nothing} for place in range(3)]
    return [{"id": 1_000 - place, **row} for place, row in enumerate(rows)]


def as_rows(groups: list[Group]) -> dict[tuple[Any, ...], list[tuple[Any, ...]]]:
    """The rows of each group, those of one number once; bytes are compared as such."""
    assert len({group.shared for group in groups}) == len(groups), "each group is there once"
    return {
        group.shared: sorted(
            tuple(bytes(cell) if isinstance(cell, memoryview) else cell for cell in row)
            for row in zip(*group.cells, strict=True)
        )
        for group in groups
    }


@pytest.mark.parametrize("encoding", ["UTF8", "LATIN1"])
def test_arrays_have_the_cells_of_rows(postgres: Database, encoding: str) -> None:
    with transaction(postgres.database, "test") as connection:
        things.create(connection)
        if encoding != "UTF8":  # as if the database had it: what it lacks is stored escaped
            text_encoding.learn(connection.dialect, encoding)
        rows = all_rows()
        connection.execute(sa.insert(things), rows)
        numbers = [row["id"] for row in rows[:-1]]
        generic = Generic().groups(connection, things.c.id, numbers, SHARED, CELLS)
        arrays = grouped.groups(connection, things.c.id.in_(numbers), SHARED, CELLS)
        assert as_rows(arrays) == as_rows(list(generic))
        assert sum(len(group.cells[0]) for group in arrays) == len(numbers)
        kinds = {group.shared[0] for group in arrays}
        assert "日" in kinds


def test_of_no_rows_there_is_no_group(postgres: Database) -> None:
    with transaction(postgres.database, "test") as connection:
        things.create(connection)
        assert grouped.groups(connection, things.c.id == 1, SHARED, CELLS) == []
