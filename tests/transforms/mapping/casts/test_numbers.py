from __future__ import annotations

import math
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given as drawn
from hypothesis import strategies as st

from tests.transforms.mapping.mapped import cast, csv_batch, mapped_batch

NO_INTEGERS = [
    *("", " ", "x", "1.5", "1_000", "1,000", "0x10", "--1", "1e", "NaN", "Infinity", "1 2"),
    *("１２", "٣", "²", "Ⅷ"),  # noqa: RUF001 - digits that are not ASCII are what is tested
]


@pytest.mark.parametrize(
    ("cell", "number"),
    [
        *[("1", 1), ("+1", 1), ("-7", -7), ("007", 7), (" 7 ", 7), ("1.0", 1), ("1e3", 1000)],
        *[(5, 5), (5.0, 5), (Decimal("5.00"), 5), ("9" * 30, int("9" * 30))],
        (Decimal("1E+5000"), Decimal("1E+5000")),
    ],
)
def test_an_integer_is_read_exactly(cell: Any, number: Any) -> None:
    (result,) = cast("integer", cell)
    assert result == number
    assert type(result) is type(number)


@pytest.mark.parametrize("cell", NO_INTEGERS)
def test_a_text_that_is_no_integer_is_refused_with_its_value(cell: str) -> None:
    assert cast("integer", cell) == [f"cast a: {cell!r} is not an integer"]


@pytest.mark.parametrize("to", ["integer", "number", "decimal"])
@pytest.mark.parametrize(
    "cell", [math.nan, math.inf, -math.inf, Decimal("NaN"), Decimal("-Infinity"), True, [1], b"1"]
)
def test_what_is_no_number_is_refused(to: str, cell: Any) -> None:
    (result,) = cast(to, cell)
    assert isinstance(result, str)
    assert result.startswith("cast a: ")


def test_a_fraction_and_a_float_that_rounds_are_no_integers() -> None:
    assert cast("integer", 1.5, Decimal("0.1"), 1e300) == [
        "cast a: 1.5 is not an integer",
        "cast a: 0.1 is not an integer",
        "cast a: 1e+300 is a float too large to be an exact integer",
    ]


def test_null_and_an_absent_field_stay_so() -> None:
    batch = csv_batch("1", columns=["b"])
    assert mapped_batch([{"cast": {"a": "integer"}}], batch).values == [{"b": "1"}]
    assert cast("integer", None) == [None]


def test_an_empty_cell_of_csv_is_null_and_one_in_quotes_is_refused() -> None:
    batch = csv_batch("1,", '2,""', "3,4", columns=["id", "a"])
    result = mapped_batch([{"cast": {"a": "integer"}}], batch)
    assert result.values == [{"id": "1", "a": None}, {"id": "3", "a": 4}]
    assert [failure.message for failure in result.failures] == ["cast a: '' is not an integer"]


@pytest.mark.parametrize(
    ("cell", "number"),
    [("1.200,50", "1200.50"), ("1200", "1200"), ("-1.000.000,00", "-1000000.00"), (",5", ".5")],
)
def test_signs_are_those_of_the_mapping(cell: str, number: str) -> None:
    to = {"to": "decimal", "thousands": ".", "point": ","}
    assert cast(to, cell) == [Decimal(number)]


@pytest.mark.parametrize(
    "cell", ["1.20", "1.5", "12.00,5", "1.200.00", "1 000", ".200", "1,2,3", "1200.300,0", "1,2.3"]
)
def test_groups_that_are_not_of_three_digits_are_no_guess(cell: str) -> None:
    to = {"to": "decimal", "thousands": ".", "point": ","}
    assert cast(to, cell) == [f"cast a: {cell!r} is not a decimal number"]


@drawn(st.decimals(allow_nan=False, allow_infinity=False, places=6))
def test_a_decimal_keeps_every_digit(number: Decimal) -> None:
    (result,) = cast("decimal", f"{number:f}")
    assert result.as_tuple() == Decimal(f"{number:f}").as_tuple()


@drawn(st.integers())
def test_every_integer_comes_back(number: int) -> None:
    assert cast("integer", str(number), number, f"{number}.0") == [number] * 3


@drawn(st.integers(min_value=0, max_value=10**15), st.sampled_from([",", ".", " ", "'", "\u00a0"]))
def test_thousands_are_read_as_they_are_written(number: int, sign: str) -> None:
    point = "," if sign == "." else "."
    text = f"{number:,}".replace(",", sign)
    to = {"to": "integer", "thousands": sign, "point": point}
    assert cast(to, text) == [number]


@drawn(st.text(max_size=12))
def test_a_text_is_a_number_as_json_has_it_or_is_refused(text: str) -> None:
    (result,) = cast("number", text)
    if isinstance(result, str):
        assert result.endswith("is not a number")
    else:
        assert text.isascii() or text.strip().isascii()
        assert result == Decimal(text.strip())


@drawn(st.floats(allow_nan=False, allow_infinity=False))
def test_a_float_becomes_the_decimal_that_it_is_written_as(number: float) -> None:
    (result,) = cast("decimal", number)
    assert float(result) == number
    assert result == Decimal(repr(number))
