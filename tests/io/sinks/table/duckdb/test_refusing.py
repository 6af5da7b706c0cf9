"""Rows that a table certainly refuses are found at once, so that many of them cost little."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import sqlalchemy as sa

from sinks.database.engine import engine_of
from tests.io.sinks.tested_database import Database, counts, make_batch


@pytest.mark.parametrize(
    ("columns", "bad", "why"),
    [
        ("v INTEGER NOT NULL", None, "NOT NULL constraint failed: t.v"),
        ("v INTEGER CHECK (v < 100)", 100, "CHECK constraint failed on table t"),
        ("v INTEGER REFERENCES parents (id)", 404, "(v) does not exist in the table parents"),
    ],
)
def test_many_refused_rows_take_few_statements(
    duckdb_database: Database, columns: str, bad: int | None, why: str
) -> None:
    duckdb_database.run(
        "CREATE TABLE parents (id INTEGER PRIMARY KEY)",
        "INSERT INTO parents VALUES (1)",
        f"CREATE TABLE t (k INTEGER PRIMARY KEY, {columns})",
    )
    sink = duckdb_database.sink("t", key=["k"])
    inserts: list[str] = []

    def note(_c: object, _cursor: object, statement: str, *_: Sequence[object]) -> None:
        if statement.startswith('INSERT INTO "t"'):
            inserts.append(statement)

    sa.event.listen(engine_of(sink.config.database), "before_cursor_execute", note)
    records = [{"k": n, "v": bad if n % 7 == 3 else 1} for n in range(700)]
    (settled,) = sink.commit([make_batch(records)])
    refused = [*settled.dead, *settled.retry]
    assert counts(settled)["inserted"] == 600
    assert [failure.origin.offset for failure in refused] == list(range(3, 700, 7))
    assert why in refused[0].message
    assert len(inserts) == 2
