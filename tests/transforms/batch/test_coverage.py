"""Ranges of one partition: merged, subtracted, and what they leave open."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from transforms.batch.coverage import Coverage, Range, merge, subtract, with_range

ranges = st.lists(
    st.tuples(st.integers(0, 30), st.integers(1, 6)).map(lambda pair: (pair[0], sum(pair)))
)


def offsets(pieces: list[Range] | tuple[Range, ...]) -> set[int]:
    return {offset for start, end in pieces for offset in range(start, end)}


@given(ranges)
def test_merged_ranges_cover_the_same_offsets_and_do_not_touch(pieces: list[Range]) -> None:
    merged = merge(pieces)
    assert offsets(merged) == offsets(pieces)
    assert all(low[1] < high[0] for low, high in pairwise(merged))


@given(st.integers(0, 20), st.integers(0, 20), ranges)
def test_what_is_left_is_what_no_range_covers(start: int, length: int, pieces: list[Range]) -> None:
    left = subtract(start, start + length, merge(pieces))
    assert offsets(left) == set(range(start, start + length)) - offsets(pieces)
    assert left == sorted(left)


@given(ranges, st.integers(0, 36), st.integers(0, 6))
def test_a_range_is_added_as_if_all_were_merged_again(
    pieces: list[Range], start: int, length: int
) -> None:
    settled = merge(pieces)
    assert with_range(settled, start, start + length) == merge((*settled, (start, start + length)))


class TestCoverage:
    def test_it_is_complete_once_everything_to_its_end_is_settled(self) -> None:
        assert Coverage(((0, 9),), 9).complete
        assert not Coverage(((0, 8),), 9).complete
        assert not Coverage(((1, 9),), 9).complete
        assert not Coverage(((0, 9),)).complete, "its end has not been seen"

    def test_an_empty_object_is_complete(self) -> None:
        assert Coverage(((0, 0),), 0).complete

    def test_holes_lie_between_settled_ranges_only(self) -> None:
        assert Coverage(((2, 4), (6, 8), (9, 10))).holes == [(4, 6), (8, 9)]
        assert Coverage(((2, 4),)).holes == []

    def test_gaps_are_asked_for_within_a_range(self) -> None:
        assert Coverage(((2, 4), (6, 8))).gaps(3, 10) == [(4, 6), (8, 10)]
