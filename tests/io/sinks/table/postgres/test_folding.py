"""Rows of one key are folded only where the result is the same as one by one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from sinks.table.config import OnConflict
from sinks.table.postgres.folding import can_fold
from sinks.table.rows import Rows
from sinks.table.target import Column, Interplay, Target
from tests.io.sinks.tested_database import Database, counts, make_batch
from transforms.route.table_name import TableName

TARGET = Target(
    table=TableName("events"),
    label="events",
    columns=(Column("id", "int4"), Column("n", "int4"), Column("parent", "int4")),
    generated=frozenset(),
    key=("id",),
    origin_key=False,
    whole_payload=False,
    on_conflict=OnConflict("update"),
    unknown_fields="reject",
    interplay=Interplay(checked=frozenset({"n"}), references=frozenset({"parent"}), checks=()),
)
ROW = {"id": 1, "n": 1, "parent": 1}


@pytest.mark.parametrize(
    ("second", "expected"),
    [
        ({"n": 2}, True),
        ({"parent": 2}, False),
        ({"other": 3}, False),
        ({"n": "9" * 3_000}, False),
    ],
    ids=["alike", "another-parent", "other-fields", "long"],
)
def test_rows_fold_if_the_database_would_accept_all_or_none(
    second: dict[str, Any], expected: bool
) -> None:
    rows = Rows([ROW, ROW | second], [0, 1])
    assert can_fold(TARGET, rows, [0, 1]) is expected


def test_rows_without_a_checked_column_do_not_fold() -> None:
    rows = Rows([{"id": 1}, {"id": 1}], [0, 1])
    assert not can_fold(TARGET, rows, [0, 1])
    free = replace(TARGET, interplay=replace(TARGET.interplay, checked=frozenset()))
    assert can_fold(free, rows, [0, 1])


def test_nothing_folds_where_more_than_conditions_decides() -> None:
    unknown = replace(TARGET, interplay=Interplay(checks=None))
    assert not can_fold(unknown, Rows([ROW, ROW], [0, 1]), [0, 1])
    assert can_fold(unknown, Rows([ROW], [0]), [0])


@pytest.mark.parametrize("there", [False, True], ids=["new", "there"])
def test_folded_rows_count_as_updates_and_a_refused_one_alone(
    postgres: Database, there: bool
) -> None:
    postgres.run("CREATE TABLE events (id integer PRIMARY KEY, n integer CHECK (n >= 0))")
    sink = postgres.sink(key=["id"], on_conflict="update")
    if there:
        postgres.run("INSERT INTO events VALUES (0, 0), (1, 0)")
    # Twenty rounds of two keys; the last row of key 1 is refused, so the one before it wins.
    values = [{"id": i % 2, "n": i} for i in range(39)] + [{"id": 1, "n": -1}]
    (settled,) = sink.commit([make_batch(values)])
    inserted = {} if there else {"inserted": 2}
    updated = 39 if there else 37
    assert counts(settled) == {"read": 40, **inserted, "updated": updated, "dead": 1}
    assert postgres.rows("SELECT id, n FROM events ORDER BY id") == [(0, 38), (1, 37)]
    assert settled.dead[0].origin.offset == 39
