"""The checksum of what is settled is that of the bytes of the range, wherever batches end."""

from __future__ import annotations

from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sources.files.content import Meter, framing_of
from transforms.batch.content import Content
from transforms.batch.record import JSON, Format

DATA = bytes(range(256)) * 40


@given(
    cuts=st.lists(st.integers(0, len(DATA)), max_size=12),
    ends=st.lists(st.integers(0, len(DATA)), max_size=12),
    start=st.integers(0, 300),
)
def test_every_range_has_the_checksum_of_its_bytes(
    cuts: list[int], ends: list[int], start: int
) -> None:
    meter, at, begin = Meter(start), 0, start
    stops = sorted(end for end in ends if end >= start)
    for cut in [*sorted(cuts), len(DATA)]:
        meter.read(at, DATA[at:cut])
        at = cut
        ready = [end for end in stops if end <= at]
        meter.keep_from(max(ready, default=begin))
        for end in ready:
            data = DATA[begin:end]
            assert meter.take(end, "json") == Content(len(data), crc32(data), "json")
            begin = end
        stops = stops[len(ready) :]


def test_bytes_in_which_no_batch_ends_are_not_kept() -> None:
    meter = Meter(0)
    for at in range(0, 100 << 20, 1 << 20):
        meter.read(at, bytes(1 << 20))
        meter.keep_from(0)
    assert len(meter._pieces) == 1
    assert meter.take(100 << 20, "") == Content(100 << 20, crc32(bytes(100 << 20)))


def test_a_range_that_was_not_read_to_its_end_has_no_checksum_and_the_next_one_has() -> None:
    meter = Meter(0)
    meter.read(0, b"abc")
    assert meter.take(5, "") is None
    meter.read(3, b"defgh")
    assert meter.take(8, "") == Content(3, crc32(b"fgh"))


@given(
    cuts=st.lists(st.integers(0, 1_000), max_size=8),
    kept=st.integers(0, 1_000),
    ends=st.tuples(st.integers(0, 1_000), st.integers(0, 1_000)),
)
def test_every_part_of_what_was_taken_last_has_the_checksum_of_its_bytes_or_none(
    cuts: list[int], kept: int, ends: tuple[int, int]
) -> None:
    meter, at = Meter(0), 0
    for cut in [*sorted(cuts), 1_000]:
        meter.read(at, DATA[at:cut])
        at = cut
    meter.keep_from(kept)
    meter.take(1_000, "csv")
    start, end = sorted(ends)
    part = meter.part(start, end)
    if end <= kept:  # a record begins there at the latest
        assert part is not None
    assert part in (None, Content(end - start, crc32(DATA[start:end]), "csv"))


@pytest.mark.parametrize(
    ("format_", "framing"),
    [
        (JSON, "json gzip"),
        (Format("csv"), 'csv " gzip'),
        (Format("csv", quote="", escape="\\"), "csv none\\ gzip"),
    ],
)
def test_the_framing_names_what_decides_where_records_begin(format_: Format, framing: str) -> None:
    assert framing_of(format_, "gzip", "") == framing
