"""When an outcome is what a case expects, and what is said if not."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from pipelines.testing.case_file import Case, ExpectedFailure
from pipelines.testing.trial import Outcome, Sample
from pipelines.testing.verdict import MOST_DIFFERENCES, differences
from transforms.batch.record import JSON, Failure, Origin

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def case(*rows: Any, failure: ExpectedFailure | None = None) -> Case:
    return Case("n", "a:1:1", Sample(b"{}"), {"": rows}, failure)


def failed(stage: str = "map", category: str = "mapping", message: str = "no number") -> Outcome:
    origin = Origin("file:///a", "0", 0)
    return Outcome((), (Failure(origin, b"", JSON, stage, category, "Reject", message, ""),))


@pytest.mark.parametrize(
    ("expected", "value"),
    [
        (1, 1),
        (1, Decimal("1.0")),
        (Decimal("0.1"), 0.1),
        (Decimal("12.5"), Decimal("12.50")),
        ("x", "x"),
        (None, None),
        (True, True),
        ("2026-01-01", date(2026, 1, 1)),
        ("2026-01-01T13:00:00+01:00", NOON),
        ("aGk=", b"hi"),
        ([1, {"a": "b"}], [1, {"a": "b"}]),
    ],
)
def test_a_value_that_reads_the_same_is_as_expected(expected: Any, value: Any) -> None:
    assert differences(case({"a": expected}), Outcome(({"a": value},))) == []


@pytest.mark.parametrize(
    ("expected", "value", "line"),
    [
        (1, 2, "row, a: expected 1, got 2"),
        (1, "1", 'row, a: expected 1, got "1"'),
        ("1", 1, 'row, a: expected "1", got 1'),
        (1, True, "row, a: expected 1, got true"),
        (None, "", 'row, a: expected null, got ""'),
        (
            "2026-01-01T12:00:00",
            NOON,
            'row, a: expected "2026-01-01T12:00:00", got "2026-01-01T12:00:00Z"',
        ),
        ("noon", NOON, 'row, a: expected "noon", got "2026-01-01T12:00:00Z"'),
        ([1], [1, 2], "row, a: expected [1], got [1,2]"),
        ([1, 2], [1, 3], "row, a[1]: expected 2, got 3"),
        ({"b": 1}, {"c": 1}, "row, a, b: expected 1, but it is absent"),
    ],
)
def test_a_value_that_differs_is_shown_with_its_place(expected: Any, value: Any, line: str) -> None:
    assert line in differences(case({"a": expected}), Outcome(({"a": value},)))


def test_a_field_that_nobody_expects_is_shown() -> None:
    lines = differences(case({}), Outcome(({"a": 1},)))
    assert lines == ["row, a: not expected, but it is 1"]


def test_rows_are_counted_and_what_is_too_much_is_shown() -> None:
    lines = differences(case({"a": 1}), Outcome(({"a": 1}, {"a": 2})))
    assert lines == ["expected one row, got 2 rows", 'row 2: {"a":2}']
    assert differences(case({"a": 1}), Outcome()) == ["expected one row, got no row"]


def test_a_failure_that_nobody_expects_is_shown() -> None:
    lines = differences(case(), failed())
    assert lines == ["it failed at map (mapping): no number"]


def test_a_failure_fits_if_all_that_is_said_of_it_does() -> None:
    expected = ExpectedFailure("map", "mapping", "no num", retried=False)
    assert differences(case(failure=expected), failed()) == []
    assert differences(case(failure=ExpectedFailure()), failed()) == []


@pytest.mark.parametrize(
    ("expected", "line"),
    [
        (ExpectedFailure(stage="parse"), "failure, stage: expected parse, got map"),
        (ExpectedFailure(category="schema"), "failure, category: expected schema, got mapping"),
        (ExpectedFailure(message="id"), "failure, message: expected 'id' in 'no number'"),
        (
            ExpectedFailure(retried=True),
            "failure, retried: expected true; it would not be tried again",
        ),
    ],
)
def test_what_does_not_fit_of_a_failure_is_shown(expected: ExpectedFailure, line: str) -> None:
    assert differences(case(failure=expected), failed()) == [line]


def test_a_record_that_does_not_fail_as_expected_is_shown() -> None:
    assert differences(case(failure=ExpectedFailure()), Outcome()) == ["it did not fail"]


def test_differences_are_bounded() -> None:
    outcome = Outcome(({str(number): number for number in range(1_000)},))
    lines = differences(case({}), outcome)
    assert len(lines) == MOST_DIFFERENCES + 1
    assert lines[-1] == "and more"


def test_rows_are_compared_table_by_table() -> None:
    expected = Case("n", "a:1:1", Sample(b"{}"), {"orders": ({"a": 1},), "lines": ()}, None)
    same = Outcome(({"a": 1},), tables=("orders",))
    assert differences(expected, same) == []
    other = Outcome(({"a": 2}, {"b": 1}), tables=("orders", "lines"))
    assert differences(expected, other) == [
        "lines: expected no row, got one row",
        'lines: row 1: {"b":1}',
        "orders: row, a: expected 1, got 2",
    ]


def test_a_failure_may_have_to_be_of_a_table() -> None:
    failure = replace(failed().failures[0], target="orders")
    expected = case(failure=ExpectedFailure(table="lines"))
    (line,) = differences(expected, Outcome((), (failure,)))
    assert line == "failure, table: expected lines, got orders"
    assert differences(case(failure=ExpectedFailure(table="orders")), Outcome((), (failure,))) == []


def test_of_a_delete_the_expected_fields_count() -> None:
    expected = Case("n", "a:1:1", Sample(b""), {}, None, {"": ({"id": 7},)})
    assert differences(expected, Outcome(deleted=({"id": 7, "name": "Ann"},))) == []
    assert differences(expected, Outcome(deleted=({"id": 8, "name": "Ann"},))) == [
        "delete, id: expected 7, got 8"
    ]
    assert differences(expected, Outcome(deleted=({"name": "Ann"},))) == [
        "delete, id: expected 7, but it is absent"
    ]
    assert differences(expected, Outcome(rows=({"id": 7},))) == [
        "expected no row, got one row",
        'row 1: {"id":7}',
        "expected one delete, got no delete",
    ]


def test_a_delete_that_nobody_expects_is_shown_with_its_table() -> None:
    gone = Outcome(deleted=({"id": 7},), deleted_from=("orders",))
    assert differences(case(), gone) == [
        "orders: expected no delete, got one delete",
        'orders: delete 1: {"id":7}',
    ]
