from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from tests.transforms.mapping.mapped import csv_batch, mapped, mapped_batch
from transforms.mapping.expressions import Expression


@pytest.mark.parametrize(
    ("text", "record", "value"),
    [
        ("join(' ', [a, b])", {"a": "x", "b": "y"}, "x y"),
        ("a.b[0]", {"a": {"b": [5]}}, 5),
        ("a.b.c", {"a": None}, None),
        ("a == `0.1`", {"a": Decimal("0.1")}, True),
        ("a == `0.1`", {"a": 0.1}, True),
        ("a < `0.3`", {"a": Decimal("0.1")}, True),
        ("a == `1`", {"a": Decimal("1.0")}, True),
        ("a == `1`", {"a": "1"}, False),
        ("a > `5`", {"a": None}, None),
        ("a < 'b'", {"a": "a"}, True),
        ("sum(a)", {"a": [1, Decimal("0.1"), 0.2]}, Decimal("1.3")),
        ("sum(a)", {"a": [Decimal("1e40"), 1]}, Decimal(10**40 + 1)),
        ("avg(a)", {"a": [Decimal("0.1"), Decimal("0.3")]}, Decimal("0.2")),
        ("max(a)", {"a": [1, Decimal("1.5")]}, Decimal("1.5")),
        ("to_number(a)", {"a": "1.50"}, Decimal("1.50")),
        ("to_number(a)", {"a": "x"}, None),
        ("to_string(a)", {"a": {"x": Decimal("1.50")}}, '{"x":1.50}'),
        ("type(a)", {"a": Decimal("1.5")}, "number"),
        ("`[0.1]`", {}, [Decimal("0.1")]),
    ],
)
def test_an_expression_is_evaluated_with_exact_numbers(text: str, record: Any, value: Any) -> None:
    result = Expression(text).value_of(record)
    assert result == value
    assert type(result) is type(value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a >", "not JMESPath"),
        ("foo(a)", "no function is called foo"),
        ("join(a)", "takes 2 arguments, not 1"),
        ("not_null()", "takes 1 arguments or more, not 0"),
        ("a[?foo(b)]", "no function is called foo"),
        ("`NaN`", "not JMESPath"),
        ("a" * 20_000, "at most 10,000 characters"),
        ("(" * 5000, "not JMESPath"),
    ],
)
def test_a_mistake_is_seen_before_any_record(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=r"JMESPath|characters") as refusal:
        Expression(text)
    assert message in str(refusal.value)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ("join(' ', [a, b.c])", {"a", "b"}),
        ("a[?x > `1`].y", {"a"}),
        ("a || b && !c", {"a", "b", "c"}),
        ("{x: a, y: b[0].z}", {"a", "b"}),
        ("sort_by(items, &price)[0]", {"items", "price"}),
        ("a | [0]", {"a"}),
        ("keys(@)", None),
        ("*", None),
        ("`1`", set()),
    ],
)
def test_the_fields_that_an_expression_reads_are_known(text: str, fields: set[str] | None) -> None:
    assert Expression(text).fields == fields


def test_a_text_and_a_number_have_no_order() -> None:
    outcomes = mapped([{"filter": "age > `18`"}], {"age": "20"}, {"age": 20}, {"age": Decimal(19)})
    reason = "a text and a number have no order; cast them to one type first"
    assert outcomes == [
        f"filter: age > `18` cannot be evaluated: {reason}",
        {"age": 20},
        {"age": Decimal(19)},
    ]


def test_a_function_that_cannot_take_a_value_refuses_the_record() -> None:
    (outcome,) = mapped([{"compute": {"full": "join(' ', [a, b])"}}], {"a": "x", "b": None})
    assert outcome.startswith("compute full: join(' ', [a, b]) cannot be evaluated: ")


def test_empty_text_in_quotes_is_text_for_functions() -> None:
    batch = csv_batch('x,""', columns=["a", "b"])
    result = mapped_batch([{"compute": {"full": "join('-', [a, b])", "list": "[b]"}}], batch)
    assert result.values == [{"a": "x", "b": "", "full": "x-", "list": [""]}]
    assert [type(part) for part in result.values[0].values()] == [str, str, str, list]
