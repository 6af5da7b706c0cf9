from __future__ import annotations

from typing import Any

import pytest

from pipelines.proposal.sampling.kinds import Kind
from tests.pipelines.proposal.sampling.columns import ABSENT, cells, column


def test_it_counts_kinds_and_remembers_where_each_came_first() -> None:
    seen = cells("a", "1", "u", "", "-12", None, "v")
    assert seen.kinds == {Kind.INTEGER: 2, Kind.TEXT: 2, Kind.EMPTY: 1, Kind.NULL: 1}
    assert seen.first == {Kind.INTEGER: 0, Kind.TEXT: 1, Kind.EMPTY: 2, Kind.NULL: 4}
    assert seen.valued == {Kind.INTEGER, Kind.TEXT}
    assert (seen.present, seen.count(Kind.EMPTY, Kind.NULL)) == (6, 2)
    assert (seen.digits, seen.lowest, seen.highest, seen.longest) == (2, -12, 1, 1)


def test_it_says_whether_a_value_is_the_first_of_its_kind() -> None:
    seen = column("a", [])
    assert seen.add("x", 0, cell=True)
    assert not seen.add("z", 1, cell=True)
    assert seen.add("7", 2, cell=True)


def test_it_counts_decimals_and_words_for_nothing() -> None:
    seen = cells("a", "1.5", "1.250", "NA", "NA", "-")
    assert seen.decimals == {1, 3}
    assert seen.absences == {"NA": 2, "-": 1}


@pytest.mark.parametrize(
    ("values", "unique"),
    [
        ([1, 2, 3], True),
        ([-1, -2], True),  # which have the same hash in Python
        ([0, 2**61 - 1], True),
        ([1, 1], False),
        (["a", "A"], True),
        (["a", None], False),
        (["a", ABSENT], False),
        ([ABSENT, "a"], False),
        (["a", ""], False),
        ([1.5, 2.5], False),
        ([True, False], False),
        ([[1], [2]], False),
        (["a" * 300, "b"], False),
    ],
)
def test_it_tells_whether_all_values_differ(values: list[Any], unique: bool) -> None:
    assert column("a", values).is_unique(len(values)) is unique
