"""Rows that depend on each other are never written by one statement, and few statements are made."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sinks.table.turns import cuts_of, parents_after, pieces, repeats_of, rounds_of

keys = st.lists(st.integers(0, 5), max_size=40)


@given(keys)
def test_rounds_have_each_position_once_each_key_at_most_once_and_keep_its_order(
    keys: list[int],
) -> None:
    rounds = rounds_of(keys)
    assert sorted(p for each in rounds for p in each) == list(range(len(keys)))
    assert all(len({keys[p] for p in each}) == len(each) for each in rounds)
    assert all(each == sorted(each) for each in rounds)
    for key in set(keys):
        placed = [p for each in rounds for p in each if keys[p] == key]
        assert placed == sorted(placed)


@given(keys)
def test_between_cuts_no_key_repeats_and_no_cut_is_too_early(keys: list[int]) -> None:
    parts = list(pieces(0, len(keys), cuts_of(repeats_of(keys))))
    assert [p for start, end in parts for p in range(start, end)] == list(range(len(keys)))
    for start, end in parts:
        assert len(set(keys[start:end])) == end - start
        assert end == len(keys) or keys[end] in keys[start:end]


def test_a_parent_is_cut_off_from_children_before_it_only() -> None:
    own = ["a", "b", "c", "d"]
    assert list(parents_after(own, ["c", None, "a", "c"])) == [(2, 0)]
    assert list(parents_after(own, ["a", "b", None, None])) == []  # a row may refer to itself


def test_a_range_is_cut_only_inside() -> None:
    assert list(pieces(2, 6, [0, 2, 4, 6, 9])) == [(2, 4), (4, 6)]
    assert list(pieces(3, 3, [3])) == []
