from __future__ import annotations

from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given as drawn
from hypothesis import strategies as st

from sinks.objects.encoding.cells.number_cells import decimals, double_of, doubles, integers
from sinks.objects.encoding.cells.unfit import FAILURES

LONG = pa.decimal128(38, 2)


def test_a_decimal_without_a_fraction_is_an_integer() -> None:
    assert integers([1, None, Decimal("2.0"), 3.0], pa.int64()).to_pylist() == [1, None, 2, 3]


@pytest.mark.parametrize("cell", [1.5, Decimal("1.5"), "1", True, 2**63, float("nan"), [1]])
def test_what_is_not_an_integer_of_64_bits_is_refused(cell: Any) -> None:
    with pytest.raises(FAILURES):
        integers([cell], pa.int64())


def test_a_decimal_has_all_its_digits() -> None:
    cells = [Decimal("1.1"), 5, None, Decimal(10) ** 35 + Decimal("0.25"), 2.5]
    expected = [Decimal("1.10"), Decimal(5), None, Decimal(10) ** 35 + Decimal("0.25"), 2.5]
    assert decimals(cells, LONG).to_pylist() == expected


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        (Decimal("1.234"), "more than 2 after it"),
        (10**36, "more than 36 digits before the point"),
        (Decimal("1E+9999"), "more than 36 digits"),
        (Decimal("NaN"), "not a number"),
        (float("inf"), "not a number"),
        ("1", "not a number"),
        (True, "not a number"),
    ],
)
def test_a_number_with_too_many_digits_is_refused(cell: Any, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        decimals([cell], LONG)


@pytest.mark.parametrize(
    "text",
    [
        *("0", "12.34", "-0.1", "9007199254740992", "1E-7", "1.7976931348623157E+308", "5E-324"),
        *("0.30000000000000004", "0.10000000000000001", "123456789012345"),
    ],
)
def test_a_number_as_programs_write_a_double_is_that_double(text: str) -> None:
    assert doubles([Decimal(text)], pa.float64()).to_pylist() == [float(text)]
    assert double_of(Decimal(text)) == float(text)


@pytest.mark.parametrize(
    "cell",
    [
        *(Decimal("0.12345678901234567890"), Decimal("1E+999"), Decimal("1E-400"), 2**53 + 1),
        *(Decimal("NaN"), Decimal("Infinity"), float("nan"), float("inf"), "1", True),
    ],
)
def test_a_number_that_no_double_has_is_refused(cell: Any) -> None:
    with pytest.raises(FAILURES):
        doubles([cell], pa.float64())
    with pytest.raises(FAILURES):
        doubles([1.5, cell], pa.float64())


def test_an_integer_that_python_does_not_write_out_is_refused() -> None:
    with pytest.raises(FAILURES):
        doubles([2**20_000], pa.float64())


@drawn(st.lists(st.none() | st.floats(allow_nan=False, allow_infinity=False), max_size=20))
def test_doubles_come_back_from_the_texts_that_json_gives_them(cells: list[float | None]) -> None:
    numbers = [None if cell is None else Decimal(repr(cell)) for cell in cells]
    assert doubles(numbers, pa.float64()).to_pylist() == cells
