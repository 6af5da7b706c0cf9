"""Hidden values are masked in texts that quote them."""

from __future__ import annotations

import pytest

from transforms.parse.hidden.values import without_values

VALUE = 'ä"b\n' + "c" * 200


@pytest.mark.parametrize(
    "quoted", [VALUE, repr(VALUE)[1:-1], VALUE[:100] + "…", '\\u00e4\\"b\\ncccccccccccccc']
)
def test_they_are_masked_as_they_are_spelt_and_if_they_are_cut(quoted: str) -> None:
    assert "cc" not in without_values(f"x {quoted} y", {VALUE})
    assert without_values(f"x {VALUE} y", {VALUE}) == "x *** y"


def test_each_occurrence_is_masked_the_longest_first() -> None:
    assert without_values("ada@x.org, ada@x.org.uk", {"ada@x.org", "ada@x.org.uk"}) == "***, ***"


def test_a_value_that_is_too_short_is_not_looked_for() -> None:
    assert without_values("a b", {"a"}) == "a b"
