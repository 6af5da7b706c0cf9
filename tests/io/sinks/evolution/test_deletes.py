"""Deletes, and rows whose newest change wins, in tables that change with their records."""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.io.sinks.evolution.test_demand import columns
from tests.io.sinks.order.changes import Message, batch_of, event, tombstone
from tests.io.sinks.tested_database import Database

# Whatever comes first, later values of the same name fit: by themselves, or in a wider type.
_VALUES: dict[str, st.SearchStrategy[Any]] = {
    "a": st.integers(0, 9) | st.integers(-(2**62), 2**62),
    'b"b': st.text("aä%'\"", max_size=5),
    "größe": st.lists(st.integers(0, 9), max_size=2),
    "select": st.booleans(),
}
_WIDER: dict[str, st.SearchStrategy[Any]] = {
    **_VALUES,
    "a": _VALUES["a"] | st.integers(2**70, 2**71) | st.sampled_from([0.5, -7.25]),
    "small": st.integers(0, 9) | st.integers(2**20, 2**40),
    "short": st.text("xy", max_size=9),
}
_TABLE = "(id integer PRIMARY KEY, small smallint, short varchar(2), gone boolean)"
_tables = itertools.count()

Rows = dict[int, dict[str, Any]]


@st.composite
def _message(draw: st.DrawFn, values: Mapping[str, st.SearchStrategy[Any]]) -> Message:
    id_, position = draw(st.integers(1, 3)), draw(st.integers(1, 20))
    names = draw(st.lists(st.sampled_from(sorted(values)), unique=True, max_size=3))
    fields = {name: draw(st.none() | values[name]) for name in names}
    op = draw(st.sampled_from("uuuddt"))
    if op == "t":
        return tombstone(id_)
    value, key = event(op, id_, position)
    side = "before" if op == "d" else "after"
    return {**(value or {}), side: {"id": id_, **fields}}, key


def _commits(values: Mapping[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[Any]:
    return st.lists(st.lists(_message(values), min_size=1, max_size=6), min_size=1, max_size=5)


def reference(messages: Sequence[Message], *, keeps: bool) -> tuple[Rows, set[int], set[str]]:
    """The rows without their NULLs, which of them are gone, and the fields that have had a value.

    Args:
        messages: Of one partition.
        keeps: Whether rows that are gone stay.
    """
    rows: Rows = {}
    gone: set[int] = set()
    newest: dict[int, int] = {}
    seen: set[str] = set()
    for value, key in messages:
        id_ = key["id"]
        if value is not None and value["source"]["lsn"] < newest.get(id_, 0):
            continue
        if value is None or value["op"] == "d":
            gone.add(id_)
            if not keeps:
                rows.pop(id_, None)
        else:
            gone.discard(id_)
            row = rows.setdefault(id_, {})
            row |= {name: cell for name, cell in value["after"].items() if name != "id"}
            seen |= {name for name, cell in row.items() if cell is not None}
        if value is not None:
            newest[id_] = value["source"]["lsn"]
    present = {
        id_: {name: cell for name, cell in row.items() if cell is not None}
        for id_, row in rows.items()
    }
    return present, gone & rows.keys(), seen


def _rows_of(database: Database, table: str) -> tuple[Rows, set[int]]:
    names = list(columns(database, table))
    chosen = ", ".join('"' + name.replace('"', '""') + '"' for name in names)
    rows: Rows = {}
    gone = set()
    for cells in database.rows(f"SELECT {chosen} FROM {table}"):
        row = {name: cell for name, cell in zip(names, cells, strict=True) if cell is not None}
        id_ = row.pop("id")
        if row.pop("gone", False):
            gone.add(id_)
        if isinstance(row.get("größe"), str):
            row["größe"] = json.loads(row["größe"])
        if "select" in row:
            row["select"] = bool(row["select"])
        rows[id_] = {
            name: float(cell) if isinstance(cell, Decimal) and cell % 1 else cell
            for name, cell in row.items()
        }
    return rows, gone


def _check(
    database: Database, evolve: str, on_delete: str, commits: Sequence[Sequence[Message]]
) -> None:
    table = f"changes_{next(_tables)}"
    database.run(f"CREATE TABLE {table} {_TABLE}")
    options: dict[str, Any] = {
        "key": ["id"],
        "on_conflict": "newest:@position",
        "on_delete": on_delete,
    }
    sink = database.sink(table, evolve=evolve, schema_wait=60.0, **options)
    start = 0
    for messages in commits:
        (settled,) = sink.commit([batch_of(*messages, start=start, partition=table)])
        assert settled.counts.conserved
        assert (settled.counts.dead, settled.counts.retrying) == (0, 0)
        start += len(messages)
    messages = [message for commit in commits for message in commit]
    rows, gone, seen = reference(messages, keeps=on_delete != "delete")
    assert _rows_of(database, table) == (rows, gone)
    got = set(columns(database, table)) - {"id", "small", "short", "gone"}
    # An older change may ask for a column while the newest waits for its own; a delete asks for none.
    asked = {
        name
        for value, _ in messages
        for name, cell in ((value or {}).get("after") or {}).items()
        if cell is not None
    }
    assert seen - {"small", "short"} <= got <= asked


_settings = settings(
    max_examples=int(os.environ.get("EVOLVING", "3")),
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    deadline=None,
    phases=[Phase.generate],  # an example writes to a database: it takes too long to shrink many
)


@pytest.mark.parametrize("on_delete", ["delete", "mark:gone"])
@_settings
@given(commits=_commits(_VALUES))
def test_the_table_equals_the_reference(
    database: Database, on_delete: str, commits: list[list[Message]]
) -> None:
    _check(database, "add", on_delete, commits)


def test_a_table_that_was_missing_gets_key_mark_and_fields(database: Database) -> None:
    options: dict[str, Any] = {
        "key": ["id"],
        "on_conflict": "newest:@position",
        "on_delete": "mark:gone",
    }
    sink = database.sink(evolve="add", **options)
    sink.commit([batch_of(event("c", 1, 5, size=7), event("d", 2, 6), event("d", 1, 8))])
    assert list(columns(database)) == ["id", "gone", "n", "size"]
    rows = database.rows("SELECT id, gone, n, size FROM events")
    assert [(id_, bool(gone), n, size) for id_, gone, n, size in rows] == [("1", True, 5, 7)]


@pytest.mark.parametrize("on_delete", ["delete", "mark:gone"])
@_settings
@given(commits=_commits(_WIDER))
def test_types_widen_on_the_way(
    postgres: Database, on_delete: str, commits: list[list[Message]]
) -> None:
    _check(postgres, "widen", on_delete, commits)
