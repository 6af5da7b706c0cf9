from __future__ import annotations

import tracemalloc
from hashlib import sha256
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from sources.files.framing import BOM, LineFramer, PartialRecord

LIMIT = 1 << 20


def framed(
    data: bytes, *cuts: int, start: int = 0, partial: bool = False, limit: int = LIMIT
) -> LineFramer:
    """What a framer makes of ``data`` from ``start`` on, fed in blocks cut at ``cuts``."""
    framer = LineFramer(start, partial=partial, limit=limit)
    edges = sorted({start, len(data), *(cut for cut in cuts if start < cut < len(data))})
    for low, high in pairwise(edges):
        framer.feed(data[low:high])
    framer.finish()
    return framer


def reference(data: bytes) -> list[tuple[int, bytes]]:
    """Lines one by one, as the rules say it."""
    records = []
    at = 0
    while at < len(data):
        newline = data.find(b"\n", at)
        end = len(data) if newline < 0 else newline
        line = data[at:end]
        if at == 0 and line.startswith(BOM):
            line = line[len(BOM) :]
        if line.strip():
            records.append((at, line))
        at = end + 1
    return records


texts = st.lists(
    st.sampled_from([b"\n", b"\r\n", b" ", b"\t", BOM, b"a", b"bc", b'{"a":1}', b"\0", b"\xff"]),
    max_size=40,
).map(b"".join)


@given(texts, st.lists(st.integers(1, 80)))
def test_any_cut_into_blocks_gives_the_same_records(data: bytes, cuts: list[int]) -> None:
    framer = framed(data, *cuts)
    records = list(zip(framer.framed.offsets, framer.framed.raws, strict=True))
    assert records == reference(data)
    assert framer.next == len(data)


@given(texts, st.lists(st.integers(1, 80)), st.integers(1, 80))
def test_skipping_a_partial_line_gives_the_records_after_it(
    data: bytes, cuts: list[int], start: int
) -> None:
    start = min(start, len(data))
    framer = framed(data, *cuts, start=start, partial=True)
    newline = data.find(b"\n", start)
    after = len(data) if newline < 0 else newline + 1
    expected = [(offset, raw) for offset, raw in reference(data) if offset >= after]
    assert list(zip(framer.framed.offsets, framer.framed.raws, strict=True)) == expected


@given(st.lists(st.integers(0, 30)), st.lists(st.integers(1, 300)), st.integers(1, 20))
def test_a_line_over_the_limit_is_refused_with_its_head_and_true_length(
    lengths: list[int], cuts: list[int], limit: int
) -> None:
    data = b"".join(b"x" * length + b"\n" for length in lengths)
    framer = framed(data, *cuts, limit=limit).framed
    records = reference(data)
    assert framer.raws == [raw for _, raw in records if len(raw) <= limit]
    assert [(r.offset, r.raw, r.category, r.exception) for r in framer.refused] == [
        (offset, raw[:limit], "too_large", "RecordTooLarge")
        for offset, raw in records
        if len(raw) > limit
    ]
    for refused, length in zip(
        framer.refused, [len(raw) for _, raw in records if len(raw) > limit], strict=True
    ):
        assert f"has {length:,} bytes, limit {limit:,}" in refused.message
        assert sha256(b"x" * length).hexdigest() in refused.message


def test_last_line_without_newline_is_a_record() -> None:
    framer = framed(b"a\nb")
    assert framer.framed.raws == [b"a", b"b"]
    assert framer.next == 3


def test_byte_order_mark_is_not_part_of_the_first_record() -> None:
    framer = framed(BOM + b"a\nb\n", 1, 2)
    assert framer.framed.raws == [b"a", b"b"]
    assert framer.framed.offsets == [0, 5]


def test_byte_order_mark_elsewhere_is_content() -> None:
    assert framed(b"a\n" + BOM + b"b\n").framed.raws == [b"a", BOM + b"b"]


def test_blank_lines_are_not_records_but_count_in_offsets() -> None:
    framer = framed(b"\n \t\na\n\r\n\nb\n\n")
    assert framer.framed.raws == [b"a", b"b"]
    assert framer.framed.offsets == [4, 9]
    assert framer.next == 12


def test_a_line_over_the_limit_is_never_held_whole() -> None:
    framer = LineFramer(0, partial=False, limit=1_000)
    block = b"x" * 1_000
    tracemalloc.start()
    try:
        for _ in range(10_000):
            framer.feed(block)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 100_000
    framer.feed(b"\nnext\n")
    assert framer.framed.raws == [b"next"]
    assert framer.framed.offsets == [10_000_001]


def test_of_a_long_record_the_head_the_length_and_the_hash_are_kept() -> None:
    partial = PartialRecord(5)
    for part in (b"abc", b"", b"def", b"ghi"):
        partial.add(part)
    assert (partial.too_long, partial.length) == (True, 9)
    refused = partial.refuse(7)
    assert (refused.offset, refused.raw, refused.exception) == (7, b"abcde", "RecordTooLarge")
    assert "9 bytes, limit 5" in refused.message
    assert sha256(b"abcdefghi").hexdigest() in refused.message
    assert (partial.too_long, partial.length, partial.take()) == (False, 0, b"")


def test_no_more_than_64_kib_of_a_long_record_are_kept() -> None:
    framer = framed(b"x" * 300_000 + b"\n" + b"y" * 100 + b"\n", limit=200_000).framed
    (refused,) = framer.refused
    assert refused.raw == b"x" * 65_536
    assert framer.raws == [b"y" * 100]
