"""The ledger's arithmetic."""

from __future__ import annotations

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
