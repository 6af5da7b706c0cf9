from __future__ import annotations

from typing import Any

from tests.transforms.mapping.mapped import batch_of, csv_batch
from transforms.batch.record import JSON, RecordBatch, Span
from transforms.mapping.objects import ABSENT
from transforms.route.conditions.columns import Columns, of_batch, within
from transforms.route.conditions.condition import Subject

EVENT = Subject("event_type")


def field(*steps: str | int) -> Subject:
    return Subject("field", "", steps)


def column(subject: Subject, *values: Any, **more: Any) -> list[Any]:
    return Columns(batch_of(values, **more)).of(subject)


def test_a_field_that_is_not_there_is_absent_and_null_is_null() -> None:
    values: Any = ({"a": 1}, {}, {"a": None}, "text", None)
    assert column(field("a"), *values) == [1, ABSENT, None, ABSENT, ABSENT]
    assert column(field("a"), {"a": 1}, {"a": 2}) == [1, 2]


def test_a_path_leads_into_objects_and_arrays() -> None:
    values: Any = ({"a": {"b": [1, 2]}}, {"a": {"b": []}}, {"a": 5}, {"a": {"b": {"0": 1}}})
    assert column(field("a", "b", -1), *values) == [2, ABSENT, ABSENT, ABSENT]
    assert within({"a": [3]}, ("a", 0)) == 3


def test_an_empty_cell_of_csv_is_not_there() -> None:
    batch = csv_batch("1,", "2,x", columns=["id", "t"])
    assert Columns(batch).of(field("t")) == [ABSENT, "x"]


def test_the_last_header_of_a_name_counts_and_bytes_stay_bytes() -> None:
    headers = [(("h", b"a"), ("h", b"b")), (), (("h", None),), (("h", b"\xff"),)]
    values: Any = [{}] * 4
    assert column(Subject("header", "h"), *values, headers=headers) == [
        *("b", ABSENT, ABSENT, b"\xff")
    ]
    assert column(Subject("header", "h"), *values) == [ABSENT] * 4
    keys = [b"k", None, b"\xff", b""]
    assert column(Subject("key"), *values, keys=keys) == ["k", ABSENT, b"\xff", ""]
    assert column(Subject("key"), {}) == [ABSENT]


def test_the_type_of_an_event_is_in_a_header_or_in_the_field() -> None:
    values: Any = ({"type": "field"}, {"type": "field"}, {})
    headers = [(("ce_type", b"header"),), (), ()]
    assert column(EVENT, *values, headers=headers) == ["header", "field", ABSENT]


def test_where_a_batch_comes_from_is_the_same_for_all_records() -> None:
    def of(kind: Any, source: str, name: str = "") -> Any:
        return of_batch(Subject(kind, name), RecordBatch(Span(source, "0", 0, 0), JSON, [], []))

    assert of("topic", "kafka://orders") == "orders"
    assert of("topic", "s3://orders") is ABSENT
    assert of("source", "s3://b/k") == "s3://b/k"
    assert of("path", "s3://b/dt=2026/k", "dt") == "2026"
    assert of("path", "s3://b/k", "dt") is ABSENT
