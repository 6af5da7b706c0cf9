from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.parse.numbers import MAX_DIGITS, exact


@given(st.decimals(allow_nan=False, allow_infinity=False))
def test_a_number_is_what_was_written(number: Decimal) -> None:
    assert str(exact(str(number))) == str(number)


@pytest.mark.parametrize("text", ["1E10000", "-1E-10000", "9." + "9" * (MAX_DIGITS - 1)])
def test_the_bounds_themselves_pass(text: str) -> None:
    assert exact(text) == Decimal(text)


@pytest.mark.parametrize(
    "text", ["1E10001", "1E-10001", "0E999999999", "0E-999999999", "9." + "9" * MAX_DIGITS]
)
def test_beyond_the_bounds_is_refused(text: str) -> None:
    with pytest.raises(ArithmeticError):
        exact(text)
