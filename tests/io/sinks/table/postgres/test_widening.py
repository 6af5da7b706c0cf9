from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from sinks.table.postgres.widening import misfits, widened
from sinks.table.target import Column


def numeric(precision: int, scale: int) -> int:
    """The modifier of ``numeric(precision, scale)``."""
    return (precision << 16 | scale & 0x7FF) + 4


@pytest.mark.parametrize(
    ("kind", "modifier", "values", "wider"),
    [
        ("int2", -1, [2**15], "bigint"),
        ("int4", -1, [2**31 - 1], None),
        ("int4", -1, [-(2**31) - 1], "bigint"),
        ("int4", -1, [1, 0.5], "numeric"),
        ("int4", -1, ["2147483648"], "bigint"),
        ("int4", -1, [2**31, "abc"], None),
        ("int4", -1, [True], None),
        ("int8", -1, [2**63], "numeric"),
        ("int8", -1, [2**63 - 1], None),
        ("float4", -1, [1e300], "double precision"),
        ("float4", -1, [0.1], None),
        ("float8", -1, [Decimal("1e400")], None),
        ("numeric", -1, [Decimal("1e400")], None),
        ("numeric", numeric(5, 2), [Decimal("999.99")], None),
        ("numeric", numeric(5, 2), [Decimal("999.995")], "numeric(6, 2)"),
        ("numeric", numeric(5, 2), [123456], "numeric(8, 2)"),
        ("numeric", numeric(5, 2), [Decimal("1e2000")], "numeric"),
        ("numeric", numeric(5, 2), [Decimal("1e-2000")], None),
        ("numeric", numeric(2, -3), [99_499], None),
        ("numeric", numeric(2, -3), [99_500], "numeric(3, -3)"),
        ("varchar", 7, ["abc"], None),
        ("varchar", 7, ["abc  "], None),
        ("varchar", 7, ["abcd"], "text"),
        ("varchar", 7, [1234], "text"),
        ("varchar", 7, [[1, 2, 3]], None),
        ("bpchar", 7, ["abcd"], "text"),
        ("varchar", -1, ["abcd"], None),
        ("date", -1, ["soon"], None),
        ("bool", -1, [2], None),
    ],
)
def test_a_type_takes_more_and_loses_nothing(
    kind: str, modifier: int, values: list[Any], wider: str | None
) -> None:
    assert widened(Column("c", kind, modifier=modifier), values) == wider


def test_domains_and_generated_columns_stay() -> None:
    assert widened(Column("c", "int4", fixed=True), [2**31]) is None
    assert widened(Column("c", "int4", generated=True), [2**31]) is None


@pytest.mark.parametrize(
    ("kind", "value", "no"),
    [
        ("int4", 7, False),
        ("int4", "7", False),
        ("int4", "abc", True),
        ("int4", 2**31, True),
        ("int4", "2147483648", True),
        ("int4", "0x10", False),
        ("int4", True, True),
        ("int4", [1], True),
        ("float8", " -Infinity", False),
        ("numeric", float("nan"), False),
        ("bool", True, False),
        ("bool", "maybe", False),
        ("varchar", "abcd", True),
        ("varchar", 1234, True),
        ("varchar", 123, False),
        ("varchar", [1], True),
        ("timestamptz", "soon", False),
        ("text", {"a": 1}, False),
    ],
)
def test_whether_a_type_certainly_does_not_take_a_value(kind: str, value: object, no: bool) -> None:
    assert misfits(Column("c", kind, modifier=7 if kind == "varchar" else -1), value) is no
