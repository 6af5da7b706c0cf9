"""Records of random shapes, commit after commit, against a table that is kept in memory."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping, Sequence
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sinks.sql import SqlConfig, SqlSink
from tests.io.sinks.tested_database import Database, make_batch

_NAMES = st.sampled_from(["a", "b", 'we"ird', "größe", "%s", "select", "x y"])
# Whatever comes first, later values of the same name fit: each name has values of one kind.
_VALUES: dict[str, st.SearchStrategy[Any]] = {
    "a": st.integers(-(2**63), 2**63 - 1),
    "b": st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=5),
    'we"ird': st.booleans(),
    "größe": st.lists(st.integers(0, 9), max_size=2),
    "%s": st.dictionaries(st.sampled_from("kl"), st.integers(0, 9), max_size=2),
    "select": st.sampled_from(["2026-01-01", "12", "true", ""]),
    "x y": st.integers(0, 9),
}


@st.composite
def _record(draw: st.DrawFn) -> dict[str, Any]:
    names = draw(st.lists(_NAMES, unique=True, max_size=4))
    return {name: draw(st.none() | _VALUES[name]) for name in names}


COMMITS = st.lists(st.lists(_record(), min_size=1, max_size=4), min_size=1, max_size=4)
_tables = itertools.count()


def reference(commits: Sequence[Sequence[Mapping[str, Any]]]) -> list[dict[str, Any]]:
    """The rows without their NULLs, in the order of their keys."""
    rows = [record for commit in commits for record in commit]
    return [{name: value for name, value in row.items() if value is not None} for row in rows]


@settings(
    max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
@given(commits=COMMITS)
def test_the_table_equals_the_reference(
    database: Database, commits: list[list[dict[str, Any]]]
) -> None:
    table = f"shapes_{next(_tables)}"
    database.run(f"CREATE TABLE {table} (id integer PRIMARY KEY)")
    sink = SqlSink(SqlConfig.of(database.url, table, key=["id"], evolve="add"))
    sink.prepare()
    number = 0
    for commit in commits:
        values = [{"id": number + place, **record} for place, record in enumerate(commit)]
        (settled,) = sink.commit([make_batch(values, number)])
        assert settled.counts.inserted == len(commit)
        number += len(commit)
    names = sorted({name for row in reference(commits) for name in row})
    query = ", ".join(["id", *('"' + name.replace('"', '""') + '"' for name in names)])
    rows = database.rows(f"SELECT {query} FROM {table} ORDER BY id")
    assert [_read(dict(zip(names, row[1:], strict=True))) for row in rows] == reference(commits)


def _read(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row as the records have it: SQLite gives JSON as text, and booleans as numbers."""
    present = {name: value for name, value in row.items() if value is not None}
    for name in ("größe", "%s"):
        if isinstance(present.get(name), str):
            present[name] = json.loads(present[name])
    if 'we"ird' in present:
        present['we"ird'] = bool(present['we"ird'])
    return present
