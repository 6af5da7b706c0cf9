"""The staging table has room for every table, and its lines mean what the target's would."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from sinks.table.postgres.lines import Lines
from sinks.table.postgres.staging_table import MOST_COLUMNS, numbered, table_of
from sinks.table.records import Records
from sinks.table.target import Column
from tests.io.sinks.table.events_target import EVENTS
from tests.io.sinks.tested_database import Database, counts, make_batch


def wide(count: int, **options: Any) -> Any:
    others = tuple(Column(f"c{i}", "text") for i in range(count - 1))
    return replace(EVENTS, columns=(*EVENTS.columns, *others), **options)


def test_columns_are_packed_only_where_there_is_no_room() -> None:
    assert table_of(wide(MOST_COLUMNS - 2)).packed == ()
    assert table_of(wide(MOST_COLUMNS - 1)).packed == ("c1596", "c1597")
    assert table_of(wide(MOST_COLUMNS)).packed == ("c1596", "c1597", "c1598")


def test_what_statements_look_at_is_not_packed() -> None:
    keyed = wide(MOST_COLUMNS, key=("c1598",))
    assert table_of(keyed).packed == ("c1595", "c1596", "c1597")


def test_a_packed_cell_is_read_as_the_composite_types_part() -> None:
    target = wide(MOST_COLUMNS - 1)
    text = '1\t\\\\a"\\t\t\\N'
    lines = Lines(("id", "c1596", "c1597"), [text], [0])
    (staged,) = numbered(lines, 7, Records([], {}, [0]), target, table_of(target)).texts
    assert staged == '1\t("\\\\\\\\a""\\t",)\t7\t0'


@pytest.mark.integration
@pytest.mark.parametrize("count", [1_598, 1_599, 1_600])
@pytest.mark.parametrize("mode", ["ignore", "update", "newest:c2"])
def test_a_table_of_most_columns_is_written(postgres: Database, count: int, mode: str) -> None:
    last = f"c{count - 2}"
    columns = ", ".join(f"c{i} integer" for i in range(count - 2))
    postgres.run(
        f"CREATE TABLE events (id integer PRIMARY KEY, {columns}, {last} text)",
        "INSERT INTO events (id, c2) VALUES (1, 5)",
    )
    full = {f"c{i}": i for i in range(count - 2)}
    values: list[dict[str, Any]] = [
        {"id": 1, "c2": 6, last: "b"},
        {"id": 2, **full, last: 'a "b", \\c\t(d)\n'},
        {"id": 3, **full, "c2": 9, last: None},
        {"id": 4, "c1": "x"},
        {"id": 2, "c2": 7, f"c{count - 3}": 1},
    ]
    (settled,) = postgres.sink(key=["id"], on_conflict=mode).commit([make_batch(values)])
    (dead,) = settled.dead
    assert (dead.origin.offset, dead.sqlstate) == (3, "22P02")
    ignoring = mode == "ignore"
    changed = {"duplicates": 2} if ignoring else {"updated": 2}
    assert counts(settled) == {"read": 5, "inserted": 2, "dead": 1, **changed}
    assert postgres.rows(f"SELECT id, c2, c{count - 3}, {last} FROM events ORDER BY id") == [
        (1, 5, None, None) if ignoring else (1, 6, None, "b"),
        (2, 2 if ignoring else 7, count - 3 if ignoring else 1, 'a "b", \\c\t(d)\n'),
        (3, 9, count - 3, None),
    ]
