"""What is produced for ten types of events: the same again, and broken only where it says so."""

from __future__ import annotations

from collections import Counter

import jsonschema_rs
import orjson
import pytest

from benchmarks.routes.event_types import BY_EVENT, EVENT_TYPES
from benchmarks.routes.records import (
    BROKEN,
    GOOD,
    LATE,
    SCHEMA,
    WITHOUT_A_TABLE,
    Plan,
    Record,
    records,
)

PLAN = Plan(20_000, seed=3, keys=300, late=0.005)
STREAM = list(records(PLAN))


def test_the_same_plan_makes_the_same_records_and_another_seed_makes_others() -> None:
    assert list(records(PLAN)) == STREAM
    assert list(records(Plan(100, seed=4))) != STREAM[:100]


def test_there_are_as_many_records_as_planned_of_every_type_and_in_every_partition() -> None:
    assert len(STREAM) == PLAN.records
    assert {record.event for record in STREAM} == {*BY_EVENT, ""}
    assert {record.partition for record in STREAM} == set(range(PLAN.partitions))


def test_one_in_a_hundred_is_broken_in_every_way_equally_often() -> None:
    ways = Counter(record.kind for record in STREAM if record.kind in BROKEN)
    assert set(ways) == set(BROKEN)
    assert max(ways.values()) - min(ways.values()) <= 1
    assert ways.total() == pytest.approx(PLAN.broken * PLAN.records, rel=0.2)


def test_records_of_one_key_are_in_one_partition() -> None:
    homes: dict[tuple[str, object], int] = {}
    for record in STREAM:
        if record.row and record.event != "review.written":
            key = record.event, *(record.row[name] for name in BY_EVENT[record.event].key)
            assert homes.setdefault(key, record.partition) == record.partition


def test_a_line_comes_after_its_order_in_its_partition_unless_it_is_late() -> None:
    orders: list[set[object]] = [set() for _ in range(PLAN.partitions)]
    late: set[tuple[int, object]] = set()
    lines = Counter[str]()
    for record in STREAM:
        there = orders[record.partition]
        if record.event == "order.created" and record.kind == GOOD:
            there.add(record.row["order_id"])
        elif record.event == "order.line" and record.row:
            lines[record.kind] += 1
            assert (record.row["order_id"] in there) is (record.kind == GOOD)
            if record.kind == LATE:
                late.add((record.partition, record.row["order_id"]))
    assert lines[LATE] > 10
    assert all(order in orders[partition] for partition, order in late)


def test_a_record_is_against_the_schema_of_its_type_only_where_that_is_how_it_is_broken() -> None:
    validators = {kind.name: jsonschema_rs.validator_for(kind.schema) for kind in EVENT_TYPES}
    strict = Counter[str]()
    for record in STREAM:
        if record.row:
            kind = BY_EVENT[record.event]
            assert validators[kind.name].is_valid(dict(record.row))
        if record.kind == SCHEMA:
            kind = BY_EVENT[record.event]
            assert kind.strict
            assert not validators[kind.name].is_valid(orjson.loads(record.raw))
            strict[kind.name] += 1
    assert set(strict) == {kind.name for kind in EVENT_TYPES if kind.strict}


def test_a_record_without_a_table_has_no_type_of_ours() -> None:
    for record in STREAM:
        if record.kind in WITHOUT_A_TABLE:
            assert type_of(record) not in BY_EVENT
        else:
            assert type_of(record) == record.event


def type_of(record: Record) -> object:
    """The field ``type`` of its bytes; None if they cannot be read."""
    try:
        return orjson.loads(record.raw).get("type")
    except orjson.JSONDecodeError:
        return None
