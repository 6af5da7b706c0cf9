from __future__ import annotations

from dataclasses import replace
from zlib import crc32

from tests.fakes import batch_of
from transforms.batch.content import Content
from transforms.batch.divide import divided
from transforms.batch.record import Failure, RecordBatch


def parsed(final: bool = True) -> RecordBatch:
    """Records at 10, 12 and 14 of the span [10, 16); 11 was dropped and 13 and 15 failed."""
    batch = batch_of(b"a", b"b", b"c", start=10, final=final)
    failures = [
        Failure.of(
            replace(batch.record(0), origin=replace(batch.record(0).origin, offset=at)),
            "s",
            "c",
            ValueError(),
        )
        for at in (15, 13)
    ]
    return replace(
        batch,
        span=replace(batch.span, end=16),
        offsets=[10, 12, 14],
        values=[1, 2, 3],
        times=[1.0, 2.0, 3.0],
        failures=tuple(failures),
        filtered=(11,),
    )


def test_the_parts_abut_and_have_everything_once() -> None:
    batch = parsed()
    first, second = divided(batch, 14)
    assert (first.span.start, first.span.end, second.span.start, second.span.end) == (
        10,
        14,
        14,
        16,
    )
    assert (first.offsets, second.offsets) == ([10, 12], [14])
    assert (first.raws, second.raws, first.values, second.values) == (
        *([b"a", b"b"], [b"c"], [1, 2], [3]),
    )
    assert (first.times, second.times) == ([1.0, 2.0], [3.0])
    assert ([f.origin.offset for f in first.failures], first.filtered) == ([13], (11,))
    assert ([f.origin.offset for f in second.failures], second.filtered) == ([15], ())
    assert first.read + second.read == batch.read


def test_the_end_of_the_partition_is_said_by_the_last_part_alone() -> None:
    first, second = divided(parsed(), 12)
    assert (first.span.final, second.span.final) == (False, True)


def test_records_of_one_message_stay_together() -> None:
    batch = replace(batch_of(b"a", b"a", b"b"), offsets=[0, 0, 1], elements=[0, 1, None])
    first, second = divided(batch, 1)
    assert (first.offsets, first.elements) == ([0, 0], [0, 1])
    assert (second.offsets, second.elements) == ([1], [None])


def test_the_bytes_of_both_parts_follow_from_those_of_the_first() -> None:
    text = b"ab\ncd\n"
    batch = batch_of(b"ab", b"cd")
    span = replace(batch.span, end=6, content=Content(6, crc32(text), "json"))
    batch = replace(batch, span=span, offsets=[0, 3])
    first, second = divided(batch, 3, Content(3, crc32(b"ab\n"), "json"))
    assert first.span.content == Content(3, crc32(b"ab\n"), "json")
    assert second.span.content == Content(3, crc32(b"cd\n"), "json")


def test_bytes_that_nobody_knows_are_not_made_up() -> None:
    batch = batch_of(b"ab", b"cd")
    batch = replace(batch, span=replace(batch.span, content=Content(6, 1, "json")))
    assert [part.span.content for part in divided(batch, 1)] == [None, None]


def test_the_end_of_a_file_of_rows_keeps_its_content() -> None:
    batch = batch_of(b"ab", b"cd")
    whole = Content(600, 1, "parquet")
    batch = replace(batch, span=replace(batch.span, content=whole))
    first, second = divided(batch, 1, Content())
    assert (first.span.content, second.span.content) == (Content(), whole)


def test_targets_stay_with_their_records() -> None:
    batch = replace(parsed(), targets=["a", "b", "c"])
    first, second = divided(batch, 14)
    assert (first.targets, second.targets) == (["a", "b"], ["c"])
