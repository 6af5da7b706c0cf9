"""Parts of a batch have exactly the offsets that belong to them."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from sources.kafka.fair.held_batch import HeldBatch
from tests.io.sources.kafka.fair.topic import batch_of, message, messages, ranges_of
from transforms.batch.record import JSON, Failure, Origin, RecordBatch


def held(batch: RecordBatch) -> HeldBatch:
    return HeldBatch(batch, ["a"] * len(batch.raws))


def failure(batch: RecordBatch, offset: int) -> Failure:
    origin = Origin(batch.span.source, batch.span.partition, offset)
    return Failure(origin, b"", JSON, "read", "tombstone", "Tombstone", "no value", "")


def test_what_is_taken_whole_is_the_batch_itself() -> None:
    batch = batch_of(messages("aaa"), 0, 3)
    whole = held(batch)
    whole.choose_rest()
    (part,) = whole.take()
    assert part is batch
    assert not whole.left


def test_each_run_of_chosen_records_is_one_part() -> None:
    batch = replace(
        batch_of(messages("aaaaaa"), 0, 6),
        times=[float(n) for n in range(6)],
        keys=[b"%d" % n for n in range(6)],
        headers=[(("n", b"%d" % n),) for n in range(6)],
    )
    some = held(batch)
    some.choose([0, 1, 4])
    first, second = some.take()
    assert [(part.span.start, part.span.end) for part in (first, second)] == [(0, 2), (4, 5)]
    assert first.raws == batch.raws[:2]
    assert (second.times, second.keys, second.headers) == ([4.0], [b"4"], [(("n", b"4"),)])
    assert (some.left, some.lowest, some.holes) == (3, 2, 2)


def test_offsets_without_a_record_go_with_the_record_before_and_the_first_with_those_before_it() -> (
    None
):
    batch = batch_of([(12, message("a")), (15, message("b")), (16, message("a"))], 10, 20)
    gaps = held(batch)
    assert gaps.lowest == 10
    gaps.choose([1])
    (middle,) = gaps.take()
    assert (middle.span.start, middle.span.end, middle.offsets) == (15, 16, [15])
    gaps.choose_rest()
    first, last = gaps.take()
    assert (first.span.start, first.span.end) == (10, 15)
    assert (last.span.start, last.span.end) == (16, 20)


def test_failures_and_filtered_offsets_go_with_their_offsets() -> None:
    batch = batch_of([(2, message("a")), (5, message("b"))], 0, 8)
    batch = replace(
        batch, failures=(failure(batch, 6), failure(batch, 0), failure(batch, 4)), filtered=(1, 7)
    )
    both = held(batch)
    both.choose([1])
    (last,) = both.take()
    both.choose([0])
    (first,) = both.take()
    assert [each.origin.offset for each in first.failures] == [0, 4]
    assert [each.origin.offset for each in last.failures] == [6]
    assert (first.filtered, last.filtered) == ((1,), (7,))
    assert first.read + last.read == batch.read


def test_the_oldest_are_those_that_are_held() -> None:
    some = held(batch_of(messages("aaaaa"), 0, 5))
    some.choose([0, 2])
    some.take()
    assert some.oldest(2) == [1, 3]
    assert some.oldest(9) == [1, 3, 4]


def test_holes_are_parts_with_something_held_beside_them() -> None:
    some = held(batch_of(messages("aaaaaa"), 0, 6))
    assert some.holes == 0
    some.choose([0, 1, 3])
    some.take()
    assert some.holes == 2
    some.choose([2])
    some.take()
    assert some.holes == 1
    some.choose_rest()
    some.take()
    assert some.holes == 0


@given(
    st.lists(st.integers(0, 60), unique=True, min_size=1, max_size=20).map(sorted),
    st.lists(st.integers(0, 3), min_size=20, max_size=20),
)
def test_the_parts_cover_the_span_however_it_is_taken(offsets: list[int], order: list[int]) -> None:
    batch = batch_of([(offset, message("a", offset)) for offset in offsets], 0, 64)
    some = held(batch)
    parts: list[RecordBatch] = []
    for turn in range(4):
        some.choose([index for index in range(len(offsets)) if order[index] == turn])
        parts += some.take()
        later = [at for index, at in enumerate(offsets) if order[index] > turn]
        assert some.left == len(later)
        if later:
            assert some.lowest == (0 if later[0] == offsets[0] else later[0])
    assert ranges_of(parts) == ((0, 64),)
    assert sorted(raw for part in parts for raw in part.raws) == sorted(batch.raws)
