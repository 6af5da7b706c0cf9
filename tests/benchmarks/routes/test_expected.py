"""What must become of the records is what Postgres does with one after the other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import psycopg
import pytest

from benchmarks.routes.event_types import BY_EVENT, EVENT_TYPES, EventType
from benchmarks.routes.expected import (
    UNROUTED,
    Contents,
    Expected,
    dead_differences,
    differences,
    expected,
    sum_differences,
)
from benchmarks.routes.records import (
    BROKEN,
    CHECK,
    LATE,
    NEVER,
    WITHOUT_A_TABLE,
    Plan,
    Record,
    records,
)
from benchmarks.routes.tables import new_database, table_contents

PLAN = Plan(3_000, seed=5, keys=40, broken=0.05, late=0.01, reach=200)
STREAM = list(records(PLAN))
MUST_BE = expected(STREAM, tables=True, objects=True)


@pytest.fixture(scope="module")
def written(postgres_server: str) -> Iterator[psycopg.Connection[Any]]:
    """A database to which each record was offered, under a savepoint of its own."""
    with psycopg.connect(new_database(postgres_server, "one_by_one")) as connection:
        offsets = Counter[int]()
        waiting: list[tuple[Record, int]] = []
        for record in STREAM:
            offset = offsets[record.partition]
            offsets[record.partition] += 1
            if record.row:
                state = offered(connection, record, offset)
                assert (state is None) == (record.kind not in (CHECK, NEVER, LATE)), record
                if record.kind == LATE:
                    waiting.append((record, offset))
        assert waiting
        assert [offered(connection, *each) for each in waiting] == [None] * len(waiting)
        yield connection


def offered(connection: psycopg.Connection[Any], record: Record, offset: int) -> str | None:
    """Insert or update; returns the SQLSTATE of a refusal."""
    kind = BY_EVENT[record.event]
    values = {name: record.row[name] for name in kind.compared}
    if kind.name == "reviews":
        values |= {"origin": "topic", "part": str(record.partition), "place": offset}
    names = list(values)
    statement = (
        f"INSERT INTO {kind.label} AS present ({', '.join(names)}) "
        f"VALUES ({', '.join(['%s'] * len(names))}) ON CONFLICT ({', '.join(kind.key)}) "
        f"DO {rule(kind, names)}"
    )
    try:
        with connection.transaction():
            connection.execute(statement.encode(), list(values.values()))
    except psycopg.Error as error:
        return error.sqlstate
    return None


def rule(kind: EventType, names: Sequence[str]) -> str:
    """What the conflict rule of the type is in SQL."""
    if kind.on_conflict == "ignore":
        return "NOTHING"
    changes = "UPDATE SET " + ", ".join(f"{name} = excluded.{name}" for name in names)
    newest = kind.on_conflict.partition("newest:")[2]
    return f"{changes} WHERE excluded.{newest} > present.{newest}" if newest else changes


@pytest.mark.parametrize("kind", EVENT_TYPES, ids=lambda kind: kind.name)
def test_the_rows_of_a_table_are_those_of_one_record_after_the_other(
    written: psycopg.Connection[Any], kind: EventType
) -> None:
    rows = table_contents(written, kind, whole=False)
    assert rows.total() >= PLAN.keys
    assert differences(kind.label, rows, MUST_BE.tables[kind.name]) == []


def test_every_broken_record_is_dead_once_for_each_target_that_refuses_it() -> None:
    kinds = Counter(record.kind for record in STREAM)
    by_kind = Counter((stage, category) for _, _, _, stage, category in MUST_BE.dead)
    times = {kind: 2 if kind not in (*WITHOUT_A_TABLE, CHECK, NEVER) else 1 for kind in BROKEN}
    right = Counter[tuple[str, str]]()
    for kind, fate in BROKEN.items():
        right[fate] += kinds[kind] * times[kind]
    assert by_kind == right


def test_what_only_the_database_refuses_becomes_an_object() -> None:
    objects = MUST_BE.objects["stock"].total()
    assert objects == sum(record.event == "stock.counted" for record in STREAM)
    assert MUST_BE.sums["app.stock"].dead == sum(record.kind == CHECK for record in STREAM)


def counts_of(must_be: Expected) -> dict[str, dict[str, int]]:
    """Counts as a database would have them: a record is read for its first target."""
    return {
        label: {
            "read": sums.records if label.startswith(("app.", UNROUTED)) else 0,
            "expanded": 0 if label.startswith(("app.", UNROUTED)) else sums.records,
            "inserted": sums.inserted,
            "updated": 1 if sums.records - sums.dead > sums.inserted else 0,
            "duplicates": max(0, sums.records - sums.dead - sums.inserted - 1),
            "dead": sums.dead,
        }
        for label, sums in must_be.sums.items()
    }


def test_right_counts_are_found_right_and_one_that_is_wrong_is_named() -> None:
    counts = counts_of(MUST_BE)
    assert sum_differences(counts, MUST_BE) == []
    for label, numbers in counts.items():
        for name in ("read", "expanded", "inserted", "dead", "duplicates"):
            wrong = {**counts, label: {**numbers, name: numbers[name] + 1}}
            assert any(label in line for line in sum_differences(wrong, MUST_BE)), (label, name)
    assert sum_differences({**counts, "app.other": {"read": 0}}, MUST_BE)


ROWS: Contents = Counter({(1, 11): 1, (2, 22): 2})


@pytest.mark.parametrize(
    ("rows", "named"),
    [
        (Counter({(2, 22): 2}), "missing: records [1]"),
        (Counter({(1, 11): 1, (2, 22): 3}), "too many: records [2]"),
        (Counter({(1, 12): 1, (2, 22): 2}), "with other values: records [1]"),
    ],
)
def test_a_row_that_is_lost_doubled_or_altered_is_named(rows: Contents, named: str) -> None:
    assert any(named in line for line in differences("rows", rows, ROWS))
    assert differences("rows", ROWS, ROWS) == []


def test_a_dead_letter_that_is_lost_doubled_or_elsewhere_is_named() -> None:
    one = 0, 7, "app.stock", "write", "constraint"
    other = 0, 7, "app.orders", "write", "constraint"
    assert dead_differences(Counter([one]), {one}) == []
    assert len(dead_differences(Counter(), {one})) == 1
    assert len(dead_differences(Counter([one, one]), {one})) == 1
    assert len(dead_differences(Counter([other]), {one})) == 2
