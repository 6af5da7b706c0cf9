from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from sinks.evolution.naming import Names
from sinks.evolution.refusals import Refusals
from sinks.evolution.survey import MOST_AT_ONCE, MOST_COLUMNS, SCHEMA_CHANGE, Survey, as_type
from sinks.table.config import Evolve, SqlConfig
from sinks.table.postgres.writer import PostgresWriter
from sinks.table.rows import Poison, rows_of
from sinks.table.target import Column, Description, Target, target_of
from transforms.errors import Reject

KEY = Column("id", "int8", not_null=True)


def survey(evolve: Evolve, *columns: Column) -> Survey:
    config = SqlConfig.of("postgresql:///x", "events", key=["id"], evolve=evolve)
    description = Description((KEY, *columns), (frozenset({"id"}),))
    target: Target = target_of(config, "events", description, whole_payload=False)
    return Survey(config, target, PostgresWriter(), Names(63, "bytes"), Refusals(), 0.0)


def lacking(of: Survey, records: Sequence[Mapping[str, Any]]) -> list[Poison]:
    """What becomes of records that were refused for their fields."""
    _, poison = rows_of(of.target, records, {})
    return of.of(records, poison)


def refused(index: int) -> Poison:
    return Poison(index, "data", Reject("out of range", "data"), "out of range", "22003")


def test_columns_are_wanted_in_the_order_of_their_fields() -> None:
    looking = survey("add")
    waiting = lacking(looking, [{"id": 1, "b": 1}, {"id": 2, "a": "x", "b": 2**70, "c": None}])
    wanted = looking.wanted
    assert [(column.name, column.type) for column in wanted.columns] == [
        ("b", "numeric"),
        ("a", "text"),
    ]
    assert wanted.first == {"b": 0, "a": 1}
    assert [bad.category for bad in waiting] == [SCHEMA_CHANGE] * 2


def test_a_frozen_table_wants_nothing() -> None:
    looking = survey("freeze")
    (waiting,) = lacking(looking, [{"id": 1, "b": 1}])
    assert not looking.wanted
    assert waiting.message == "table events has no column for field b; add it, or see --evolve"


def test_a_field_that_was_refused_lets_its_records_wait_alone() -> None:
    looking = survey("add")
    looking.refusals.refuse("b", "no right")
    waiting, other = lacking(looking, [{"id": 1, "b": 1, "a": 1}, {"id": 2, "c": 1}])
    assert [column.name for column in looking.wanted.columns] == ["c"]
    assert waiting.message.endswith("field b, a; b was not added: no right")
    assert other.index == 1


def test_a_record_with_too_many_fields_does_not_hold_others_up() -> None:
    looking = survey("add")
    wide = {"id": 1, **{f"w{n}": 1 for n in range(MOST_AT_ONCE + 1)}}
    lacking(looking, [wide, {"id": 2, "a": 1}])
    assert [column.name for column in looking.wanted.columns] == ["a"]
    assert looking.refusals.reason("w0", 0.0), "the commit that comes again does not ask for them"


def test_a_table_has_at_most_so_many_columns() -> None:
    looking = survey("add", *(Column(f"c{n}", "text") for n in range(MOST_COLUMNS - 2)))
    _, second = lacking(looking, [{"id": 1, "a": 1}, {"id": 2, "b": 1}])
    assert [column.name for column in looking.wanted.columns] == ["a"]
    assert "more than 1,500 columns" in second.message


@pytest.mark.parametrize("fields", [{"A": 1, "a": 2}, {"ID": 1}])
def test_capitals_do_not_tell_columns_apart(fields: dict[str, Any]) -> None:
    looking = survey("add")
    (waiting,) = lacking(looking, [{"id": 1, **fields}])
    assert not looking.wanted
    assert "capitals" in waiting.message


def test_only_widen_wants_wider_types() -> None:
    for evolve, wanted in (("widen", {"n": [2**31]}), ("add", {})):
        looking = survey(evolve, Column("n", "int4"), Column("at", "date"))  # type: ignore[arg-type]
        records: list[dict[str, Any]] = [
            {"id": 1, "n": 2**31},
            {"id": 2, "n": "abc"},
            {"id": 3, "at": "soon"},
        ]
        judged = looking.of(records, [refused(n) for n in range(3)])
        assert looking.wanted.widen == wanted
        assert [bad.category for bad in judged] == [SCHEMA_CHANGE, "data", "data"]


def test_types_by_which_the_order_of_records_is_kept_stay() -> None:
    looking = survey("widen", Column("n", "int4"))
    looking.target = replace(looking.target, ordered=True, key=("n",))
    (waiting,) = looking.of([{"id": 1, "n": 2**31}], [refused(0)])
    assert not looking.wanted
    assert waiting.category == SCHEMA_CHANGE


def test_a_type_that_was_refused_is_not_wanted_again_at_once() -> None:
    looking = survey("widen", Column("n", "int4"))
    looking.refusals.refuse(as_type("n"), "a view uses it")
    (waiting,) = looking.of([{"id": 1, "n": 2**31}], [refused(0)])
    assert not looking.wanted
    assert waiting.message.endswith(
        "column n (int4) does not take its value, and was not changed: a view uses it"
    )


@pytest.mark.parametrize("evolve", ["add", "widen"])
@pytest.mark.parametrize("value", ["abc", True, [1], {"a": 1}])
def test_a_value_that_no_wider_type_takes_is_a_bad_value(evolve: Evolve, value: Any) -> None:
    looking = survey(evolve, Column("n", "int4"), Column("m", "int4"))
    # Not even a person's change of the other column would help.
    records = [{"id": 1, "n": value}, {"id": 2, "n": value, "m": 2**31}]
    assert [bad.category for bad in looking.of(records, [refused(0), refused(1)])] == ["data"] * 2
    assert not looking.wanted


def test_a_type_that_the_program_leaves_alone_may_be_changed_by_a_person() -> None:
    looking = survey("widen", Column("n", "int4", fixed=True))
    (waiting,) = looking.of([{"id": 1, "n": 2**31}], [refused(0)])
    assert waiting.category == SCHEMA_CHANGE
    assert not looking.wanted


def test_the_mark_of_a_row_is_not_the_record_s_to_give() -> None:
    looking = survey("widen", Column("gone", "int4"), Column("m", "int4"))
    looking.target = replace(looking.target, mark="gone")
    (waiting,) = looking.of([{"id": 1, "gone": "abc", "m": 2**31}], [refused(0)])
    assert waiting.category == SCHEMA_CHANGE


@pytest.mark.parametrize("evolve", ["add", "freeze"])
@pytest.mark.parametrize("name", ["", "x" * 64, "a\x00b", "\ud800"])
def test_a_field_that_nobody_could_give_a_column_is_dead_at_once(evolve: Evolve, name: str) -> None:
    looking = survey(evolve)
    bad, other = lacking(looking, [{"id": 1, "b": 1, name: 1}, {"id": 2, "b": 1}])
    assert (bad.category, other.category) == ("unknown_field", SCHEMA_CHANGE)
    assert "cannot be added by anybody: its name" in bad.message
