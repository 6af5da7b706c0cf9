"""The ledger's arithmetic."""

from __future__ import annotations

from itertools import pairwise
from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sinks.ledger.ranges import (
    Settlement,
    coverage_of,
    merged,
    missing,
    refuse_another_framing,
    trimmed,
    within,
    without,
)
from tests.io.sinks.jobs.test_store import failure
from tests.io.sinks.tested_database import make_batch
from transforms.batch.content import Content
from transforms.batch.counts import Counts
from transforms.batch.coverage import Coverage, merge
from transforms.batch.record import Span
from transforms.errors import ConfigError


def span(start: int, end: int, *, final: bool = False) -> Span:
    return Span("s", "p", start, end, final)


class TestMissing:
    def test_what_is_not_covered_is_missing(self) -> None:
        assert missing(span(0, 10), Coverage(((2, 4), (6, 20)))) == [(0, 2), (4, 6)]

    def test_nothing_is_left_of_what_is_covered(self) -> None:
        assert missing(span(2, 4), Coverage(((0, 10),))) is None
        assert missing(span(2, 4, final=True), Coverage(((0, 4),), 4)) is None

    def test_an_end_that_is_not_known_is_news(self) -> None:
        assert missing(span(2, 4, final=True), Coverage(((0, 4),))) == []
        assert missing(span(0, 0, final=True), Coverage()) == []

    def test_an_empty_span_says_where_reading_began_and_later_nothing(self) -> None:
        assert missing(span(3, 3), Coverage()) == []
        assert missing(span(3, 3), Coverage(((3, 3),))) is None
        assert missing(span(9, 9), Coverage(((3, 5),))) is None


class TestTrimmed:
    def test_records_and_failures_outside_the_gaps_are_dropped(self) -> None:
        batch = make_batch([{"n": i} for i in range(4)], failures=[failure(4), failure(5)])
        part, outside = trimmed(batch, [(1, 3), (5, 6)])
        assert [value["n"] for value in part.values or ()] == [1, 2]
        assert list(part.offsets) == [1, 2]
        assert [each.origin.offset for each in part.failures] == [5]
        assert (part.read, outside) == (3, 3)

    def test_a_whole_batch_is_not_copied(self) -> None:
        batch = make_batch([{"n": 1}])
        assert trimmed(batch, [(0, 1)]) == (batch, 0)
        assert trimmed(batch, [(0, 1)])[0] is batch

    def test_filtered_records_are_trimmed_as_well(self) -> None:
        batch = make_batch([{"n": 1}], filtered=2)
        part, outside = trimmed(batch, [(0, 2)])
        assert (part.filtered, part.read, outside) == ((1,), 2, 1)
        assert trimmed(batch, [])[0].read == 0
        assert trimmed(batch, [])[1] == 3


ranges = st.lists(
    st.tuples(st.integers(0, 40), st.integers(0, 6)).map(lambda r: (r[0], r[0] + r[1]))
)


@given(ranges)
def test_joined_covers_the_same_and_keeps_every_count(pieces: list[tuple[int, int]]) -> None:
    rows = [Settlement(start, end, counts=Counts(read=1)) for start, end in pieces]
    result = merged(rows)
    assert tuple((row.start, row.end) for row in result) == merge(pieces)
    assert sum(row.counts.read for row in result) == len(pieces)


class TestJoined:
    def test_the_end_stays_with_the_range_that_reaches_it(self) -> None:
        assert merged([Settlement(0, 5), Settlement(5, 5, final=True)]) == [
            Settlement(0, 5, final=True)
        ]
        assert merged([Settlement(3, 5, final=True), Settlement(0, 3)]) == [
            Settlement(0, 5, final=True)
        ]
        # Records beyond a supposed end: it was not the end.
        assert merged([Settlement(0, 9), Settlement(3, 5, final=True)]) == [Settlement(0, 9)]
        assert coverage_of([Settlement(0, 2), Settlement(5, 5, final=True)]) == Coverage(
            ((0, 2), (5, 5)), 5
        )


class TestContent:
    WHOLE = b"one two three"

    def row(self, start: int, end: int, framing: str = "json") -> Settlement:
        data = self.WHOLE[start:end]
        return Settlement(start, end, content=Content(end - start, crc32(data), framing))

    @pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1), (1, 2, 0)])
    def test_ranges_that_meet_have_the_checksum_of_all_their_bytes(
        self, order: tuple[int, ...]
    ) -> None:
        pieces = [self.row(0, 4), self.row(4, 8), self.row(8, 13)]
        rows: list[Settlement] = []
        for index in order:
            rows = merged([*rows, pieces[index]])
        assert [row.content for row in rows] == [Content(13, crc32(self.WHOLE), "json")]
        end = Settlement(13, 13, final=True)
        assert coverage_of(merged([*rows, end])).content == rows[0].content

    def test_a_file_that_is_read_again_after_a_rewind_has_the_checksum_of_its_bytes(self) -> None:
        rows = without([self.row(0, 13)], 0)
        for piece in (self.row(0, 4), self.row(4, 13)):
            rows = merged([*rows, piece])
        assert [row.content for row in rows] == [Content(13, crc32(self.WHOLE), "json")]

    def test_a_range_without_a_checksum_and_one_that_overlaps_leave_none(self) -> None:
        assert merged([self.row(0, 4), Settlement(4, 8)])[0].content is None
        assert merged([self.row(0, 4), self.row(3, 8)])[0].content is None

    def test_another_framing_is_refused_where_both_are_told(self) -> None:
        place = ("file:///a", "v")
        refuse_another_framing(place, [self.row(0, 4), Settlement(9, 12)], self.row(4, 8))
        refuse_another_framing(place, [Settlement(0, 4)], self.row(4, 8, "csv"))
        with pytest.raises(
            ConfigError, match=r"a was read as \(json\) up to offset 4 and .*\(csv\)"
        ):
            refuse_another_framing(place, [self.row(0, 4)], self.row(4, 8, "csv"))


def counted(*bounds: tuple[int, int], final: bool = False) -> list[Settlement]:
    """Rows of which each has read as many records as it has offsets; the last may be final."""
    last = len(bounds) - 1
    return [
        Settlement(low, high, final and i == last, Counts(read=high - low, inserted=high - low))
        for i, (low, high) in enumerate(bounds)
    ]


class TestWithout:
    def test_what_follows_an_offset_is_forgotten_and_its_counts_stay(self) -> None:
        rows = [Settlement(0, 10, final=True, counts=Counts(read=10, inserted=9, dead=1))]
        assert without(rows, 4) == [Settlement(0, 4, counts=Counts(read=10, inserted=9, dead=1))]

    def test_a_range_in_the_middle_is_forgotten(self) -> None:
        left = without(counted((0, 10), final=True), 4, 6)
        assert [(row.start, row.end, row.final) for row in left] == [(0, 4, False), (6, 10, True)]
        assert coverage_of(left).end == 10

    @pytest.mark.parametrize("start", [0, 3, 5])
    def test_an_empty_row_says_where_reading_begins_if_nothing_is_left_before_it(
        self, start: int
    ) -> None:
        left = without(counted((5, 10), (12, 20)), start)
        assert left == [Settlement(start, start, counts=Counts(read=13, inserted=13))]

    def test_a_range_that_begins_what_is_settled_leaves_a_row_before_it(self) -> None:
        left = without(counted((5, 10)), 5, 8)
        assert [(row.start, row.end) for row in left] == [(5, 5), (8, 10)]

    def test_a_file_is_not_at_its_end_any_more_and_its_bytes_are_not_known(self) -> None:
        content = Content(10, 7, "jsonl")
        assert without([Settlement(0, 10, True, Counts(), content)], 0) == [Settlement(0, 0)]
        assert without([Settlement(0, 0, True, Counts(), None)], 0) == [Settlement(0, 0)]

    def test_a_row_that_is_not_touched_keeps_what_it_held(self) -> None:
        row = Settlement(0, 10, False, Counts(read=1), Content(10, 7, "jsonl"))
        assert without([row, Settlement(20, 30)], 25)[0] == row

    @given(
        st.lists(st.tuples(st.integers(0, 30), st.integers(0, 8)), min_size=1, max_size=8),
        st.integers(0, 40),
        st.one_of(st.none(), st.integers(1, 12)),
    )
    def test_exactly_the_range_is_forgotten_and_no_count(
        self, pairs: list[tuple[int, int]], start: int, length: int | None
    ) -> None:
        rows = merged(
            Settlement(low, low + size, counts=Counts(read=size, dead=size)) for low, size in pairs
        )
        end = None if length is None else start + length
        left = without(rows, start, end)
        offsets = {at for row in rows for at in range(row.start, row.end)}
        gone = {at for at in offsets if at >= start and (end is None or at < end)}
        assert {at for row in left for at in range(row.start, row.end)} == offsets - gone
        assert {at for low, high in within(rows, start, end) for at in range(low, high)} == gone
        assert sum((row.counts for row in left), Counts()) == sum(
            (row.counts for row in rows), Counts()
        )
        # The rows have keys of their own, do not overlap, and reading goes on at the range or before.
        assert len({row.start for row in left}) == len(left)
        assert all(a.end <= b.start for a, b in pairwise(left))
        assert coverage_of(left).ranges[0][1] <= start
