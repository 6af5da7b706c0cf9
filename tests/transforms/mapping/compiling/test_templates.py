from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given as drawn
from hypothesis import strategies as st

from tests.transforms.mapping.mapped import csv_batch, mapped, mapped_batch


@pytest.mark.parametrize(
    ("operation", "before", "after"),
    [
        ({"select": ["b", "x"]}, {"a": 1, "b": 2}, {"b": 2}),
        ({"drop": ["a", "x"]}, {"a": 1, "b": 2}, {"b": 2}),
        ({"hide": ["a"]}, {"a": 1, "b": 2}, {"b": 2}),
        ({"rename": {"a": "c", "x": "y"}}, {"a": 1, "b": 2}, {"b": 2, "c": 1}),
        ({"rename": {"a": "b", "b": "a"}}, {"a": 1, "b": 2}, {"a": 2, "b": 1}),
        ({"rename": {"a": "b", "b": "c"}}, {"a": 1, "b": 2}, {"b": 1, "c": 2}),
        ({"rename": {"a": "a"}}, {"a": None}, {"a": None}),
        ({"set": {"a": "x", "c": None}}, {"a": 1}, {"a": "x", "c": None}),
        ({"default": {"a": 1, "b": 2, "c": 3}}, {"a": None, "b": ""}, {"a": 1, "b": "", "c": 3}),
        (
            {"trim": ["a", "b", "c"]},
            {"a": " x\t", "b": 5, "c": None},
            {"a": "x", "b": 5, "c": None},
        ),
        ({"case": {"a": "upper", "b": "lower"}}, {"a": "ß", "b": "ÄX"}, {"a": "SS", "b": "äx"}),
        ({"cast": {"a": "integer", "x": "date"}}, {"a": None}, {"a": None}),
    ],
)
def test_an_operation_changes_what_it_names_and_leaves_what_is_not_there(
    operation: dict[str, Any], before: Any, after: Any
) -> None:
    assert mapped([operation], before) == [after]


@pytest.mark.parametrize(
    "record", [{"a": 1, "b": 2}, {"a": None, "b": None}, {"A": 1, "b": 2}, {"a": 1, "A": 2}]
)
def test_two_fields_that_get_one_name_are_refused(record: Any) -> None:
    (outcome,) = mapped([{"rename": {"a": "b", "A": "b"}}], record)
    assert outcome.endswith("to b: the record already has a field b")


def test_operations_follow_one_another() -> None:
    operations: list[dict[str, Any]] = [
        {"rename": {"a": "b"}},
        {"compute": {"c": "b", "d": "c"}},
        {"drop": ["b"]},
        {"rename": {"c": "b"}},
    ]
    assert mapped(operations, {"a": 1}) == [{"b": 1, "d": 1}]


def test_an_empty_cell_of_csv_takes_the_default_and_one_in_quotes_is_text() -> None:
    batch = csv_batch("1,", '2,""', columns=["id", "a"])
    result = mapped_batch([{"default": {"a": "DE"}}], batch)
    assert result.values == [{"id": "1", "a": "DE"}, {"id": "2", "a": ""}]


def test_the_record_of_before_is_not_changed() -> None:
    record = {"a": "1", "u": {"x": 1}}
    mapped([{"cast": {"a": "integer"}}, {"flatten": "u"}, {"set": {"b": 1}}], record)
    assert record == {"a": "1", "u": {"x": 1}}


NAMES = st.text(min_size=1, max_size=8)


@drawn(st.dictionaries(NAMES, st.integers(), max_size=6), st.dictionaries(NAMES, NAMES, min_size=1))
def test_any_names_are_renamed_at_once_or_refused(
    record: dict[str, int], names: dict[str, str]
) -> None:
    (outcome,) = mapped([{"rename": names}], record)
    moved = [names.get(name, name) for name in record]
    if len(set(moved)) < len(moved):
        assert "the record already has a field" in outcome
    else:
        assert outcome == dict(zip(moved, record.values(), strict=True))
