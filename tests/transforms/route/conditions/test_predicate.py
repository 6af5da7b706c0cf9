from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from tests.transforms.mapping.mapped import batch_of, csv_batch
from transforms.batch.record import JSON, RecordBatch, Span
from transforms.errors import Reject
from transforms.mapping.reading.document import part_of
from transforms.route.conditions.columns import Columns
from transforms.route.conditions.condition import condition_of
from transforms.route.conditions.predicate import bound, reduced


def outcomes(when: Any, batch: RecordBatch, *, hidden: bool = False) -> list[bool]:
    condition = condition_of(part_of(when, "here"))
    csv = batch.format.name == "csv"
    predicate = bound(condition, "r", csv=csv, hidden=hidden)(Columns(batch))
    return [predicate(index) for index in range(len(batch.raws))]


def holds(when: Any, *values: Any, **more: Any) -> list[bool]:
    return outcomes(when, batch_of(values, **more))


class TestValues:
    def test_a_text_is_a_text_and_a_number_a_number(self) -> None:
        values = [{"a": value} for value in ("5", 5, Decimal("5.0"), 5.0, True, None, [5])]
        assert holds({"field": "a", "is": 5}, *values) == [
            *(False, True, True, True, False, False, False)
        ]
        assert holds({"field": "a", "is": "5"}, *values) == [True, *[False] * 6]

    def test_true_is_not_one(self) -> None:
        values = ({"a": True}, {"a": 1}, {"a": "true"})
        assert holds({"field": "a", "is": True}, *values) == [True, False, False]
        assert holds({"field": "a", "is": 1}, *values) == [False, True, False]

    def test_a_fraction_is_compared_as_it_is_written(self) -> None:
        values = ({"a": 0.1}, {"a": Decimal("0.1")}, {"a": Decimal("0.10")})
        assert holds({"field": "a", "is": Decimal("0.1")}, *values) == [True] * 3

    def test_a_cell_of_csv_is_compared_as_text(self) -> None:
        batch = csv_batch("5,true", "05,TRUE", columns=["n", "b"])
        assert outcomes({"field": "n", "is": 5}, batch) == [True, False]
        assert outcomes({"field": "b", "is": True}, batch) == [True, False]

    def test_what_exists_is_there_and_not_null(self) -> None:
        values: Any = ({"a": 0}, {"a": None}, {}, {"a": False})
        assert holds({"field": "a", "exists": True}, *values) == [True, False, False, True]
        assert holds({"field": "a", "exists": False}, *values) == [False, True, True, False]

    def test_a_pattern_matches_whole_texts_only(self) -> None:
        values = ({"a": "order_v1"}, {"a": "my order_v1"}, {"a": 5})
        assert holds({"field": "a", "matches": "order_v[0-9]"}, *values) == [True, False, False]

    def test_a_star_in_a_key_or_event_type(self) -> None:
        keys = [b"eu-1", b"us-1", None]
        assert holds({"key": "eu-*"}, {}, {}, {}, keys=keys) == [True, False, False]
        types = ({"type": "order.created"}, {"type": "user.created"})
        assert holds({"event_type": ["order.*", "x"]}, *types) == [True, False]


class TestTogether:
    def test_all_any_and_not(self) -> None:
        values: Any = ({"a": 1, "b": 1}, {"a": 1}, {"b": 1}, {})
        a, b = {"field": "a", "exists": True}, {"field": "b", "exists": True}
        assert holds({"all": [a, b]}, *values) == [True, False, False, False]
        assert holds({"any": [a, b]}, *values) == [True, True, True, False]
        assert holds({"not": a}, *values) == [False, False, True, True]

    def test_a_test_keeps_records_from_an_expression_that_is_not_meant_for_them(self) -> None:
        when = {"field": "type", "is": "n", "condition": "a > `5`"}
        assert holds(when, {"type": "n", "a": 6}, {"type": "t", "a": "text"}) == [True, False]

    def test_an_expression_that_cannot_be_evaluated_refuses_the_record(self) -> None:
        with pytest.raises(Reject, match=r"^route r: condition: a > `5` cannot") as r:
            holds("a > `5`", {"a": "text"})
        assert r.value.category == "condition"

    def test_no_message_shows_what_is_hidden(self) -> None:
        with pytest.raises(Reject, match=r"abs\(a\) cannot be evaluated$") as refusal:
            outcomes("abs(a)", batch_of([{"a": "s3cret"}]), hidden=True)
        assert "s3cret" not in str(refusal.value)


class TestReduced:
    @pytest.mark.parametrize(
        ("when", "left"),
        [
            ({"topic": "orders"}, True),
            ({"topic": "or*"}, True),
            ({"topic": "users"}, False),
            ({"not": {"topic": "orders"}}, False),
            ({"source": "kafka://orders"}, True),
            ({"path": "dt", "exists": False}, True),
            ({"all": [{"topic": "orders"}, {"path": "dt", "is": "x"}]}, False),
            ({"any": [{"topic": "users"}, {"topic": "orders"}, {"key": "a"}]}, True),
            ({"any": [{"topic": "users"}, {"topic": "x"}]}, False),
        ],
    )
    def test_what_the_source_decides_is_decided(self, when: Any, left: bool) -> None:
        assert self.reduced(when) is left

    def test_what_a_record_decides_is_left(self) -> None:
        key = condition_of(part_of({"key": "a"}, "here"))
        assert self.reduced({"topic": "orders", "key": "a"}) == key
        assert self.reduced({"any": [{"topic": "x"}, {"key": "a"}]}) == key

    @staticmethod
    def reduced(when: Any) -> Any:
        batch = RecordBatch(Span("kafka://orders", "0", 0, 0), JSON, [], [])
        return reduced(condition_of(part_of(when, "here")), batch)
