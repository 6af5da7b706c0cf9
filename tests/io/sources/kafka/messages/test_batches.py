from __future__ import annotations

from typing import Any

from confluent_kafka import Message

from sources.kafka.messages.batches import (
    CHUNK,
    batch_of,
    by_partition,
    expired_batches,
    final_batches,
    pin_batches,
)
from sources.kafka.partition import Partition
from transforms.batch.record import Origin, RecordBatch, Span


def partition(at: int = 0, end: int | None = None) -> Partition:
    return Partition("t", 1, "1@ID", at, end)


def message(offset: int, value: bytes | None = b"{}", **more: Any) -> Message[bytes, bytes]:
    values = {"topic": "t", "partition": 1, "timestamp": (1, 1_000 + offset), **more}
    return Message(offset=offset, value=value, **values)


def settled(
    at: Partition, messages: list[Message[bytes, bytes]], end: int, **how: Any
) -> RecordBatch:
    batch = batch_of(at, messages, end, **how)
    assert batch is not None
    return batch


class TestBatchOf:
    def test_everything_of_a_message_is_kept(self) -> None:
        at = partition()
        batch = settled(at, [message(0, b"a", key=b"k", headers=[("h", b"1"), ("h", None)])], 1)
        assert batch.span == Span("kafka://t", "1@ID", 0, 1)
        assert (batch.offsets, batch.raws, batch.times) == ([0], [b"a"], [1.0])
        assert batch.keys == [b"k"]
        assert batch.headers == [(("h", b"1"), ("h", None))]
        assert (at.next, at.event_time) == (1, 1.0)

    def test_holes_are_covered_by_the_span(self) -> None:
        batch = settled(partition(3), [message(5), message(9)], 12)
        assert (batch.span.start, batch.span.end) == (3, 12)
        assert batch.offsets == [5, 9]

    def test_a_hole_alone_is_a_batch_without_records(self) -> None:
        at = partition(3)
        batch = settled(at, [], 7)
        assert (batch.span.start, batch.span.end, batch.read) == (3, 7, 0)
        assert at.next == 7

    def test_nothing_new_is_no_batch(self) -> None:
        assert batch_of(partition(3), [], 3) is None
        assert batch_of(partition(3), [], 0) is None

    def test_what_lies_outside_is_left_out(self) -> None:
        batch = settled(partition(2), [message(n) for n in range(6)], 4)
        assert batch.offsets == [2, 3]
        assert len(batch.raws) == 2

    def test_no_keys_and_no_headers_cost_nothing(self) -> None:
        batch = settled(partition(), [message(0), message(1)], 2)
        assert (batch.keys, batch.headers) == (None, None)

    def test_a_message_without_headers_among_others_has_none(self) -> None:
        batch = settled(partition(), [message(0), message(1, headers=[("a", b"b")])], 2)
        assert batch.headers == [(), (("a", b"b"),)]

    def test_everything_of_many_messages_stays_together(self) -> None:
        count = 2 * CHUNK + 1
        messages = [
            message(n, b"%d" % n, key=b"%d" % n if n % 3 else None, headers=[("n", b"%d" % n)])
            for n in range(count)
        ]
        batch = settled(partition(), messages, count)
        assert batch.offsets == list(range(count))
        assert batch.raws == [b"%d" % n for n in range(count)]
        assert batch.keys == [b"%d" % n if n % 3 else None for n in range(count)]
        assert batch.headers == [(("n", b"%d" % n),) for n in range(count)]
        assert batch.times == [(1_000 + n) / 1000 for n in range(count)]

    def test_one_key_or_header_among_many_messages_is_kept(self) -> None:
        messages = [message(n) for n in range(CHUNK)]
        batch = settled(partition(), [*messages, message(CHUNK, key=b"", headers=[])], CHUNK + 1)
        assert batch.keys == [*[None] * CHUNK, b""]
        assert batch.headers == [()] * (CHUNK + 1)

    def test_nothing_inside_is_a_batch_without_records(self) -> None:
        batch = settled(partition(3), [message(0), message(1)], 5)
        assert (batch.span.start, batch.span.end, batch.read, batch.times) == (3, 5, 0, None)

    def test_an_event_time_older_than_another_moves_nothing_back(self) -> None:
        at = partition()
        settled(at, [message(0, timestamp=(1, 9_000)), message(1, timestamp=(1, 4_000))], 2)
        assert at.event_time == 9.0

    def test_a_message_without_time_leaves_the_batch_without(self) -> None:
        batch = settled(partition(), [message(0), message(1, timestamp=(0, -1))], 2)
        assert batch.times is None

    def test_a_time_in_the_wrong_unit_stays_within_the_calendar(self) -> None:
        nanoseconds = 1_700_000_000_000_000_000
        batch = settled(partition(), [message(0), message(1, timestamp=(1, nanoseconds))], 2)
        assert batch.times == [1.0, 253_402_300_799.0]


class TestTombstones:
    def test_they_are_dead_letters_with_key_and_headers(self) -> None:
        messages = [message(0), message(1, None, key=b"k", headers=[("h", b"x")]), message(2)]
        batch = settled(partition(), messages, 3)
        assert batch.offsets == [0, 2]
        (failure,) = batch.failures
        assert failure.origin == Origin("kafka://t", "1@ID", 1)
        assert (failure.stage, failure.category, failure.raw) == ("read", "tombstone", b"")
        assert (failure.key, failure.headers) == (b"k", (("h", b"x"),))
        assert failure.event_time == 1.001
        assert not failure.transient
        assert batch.read == 3

    def test_or_they_are_filtered_and_still_counted(self) -> None:
        batch = settled(partition(), [message(0), message(1, None)], 2, tombstones="ignore")
        assert (batch.offsets, batch.failures, batch.filtered) == ([0], (), (1,))
        assert batch.read == 2

    def test_one_among_empty_values_is_told_apart(self) -> None:
        batch = settled(partition(), [message(0, b""), message(1, None), message(2, b"")], 3)
        assert (batch.offsets, batch.raws) == ([0, 2], [b"", b""])
        assert [failure.origin.offset for failure in batch.failures] == [1]

    def test_an_empty_value_is_a_record(self) -> None:
        batch = settled(partition(), [message(0, b"")], 1)
        assert (batch.raws, batch.failures) == ([b""], ())


class TestExpired:
    def test_it_says_which_offsets_are_gone_and_goes_on_behind_them(self) -> None:
        at = partition(100)
        (batch,) = expired_batches(at, 200)
        assert batch.span == Span("kafka://t", "1@ID", 100, 200)
        (failure,) = batch.failures
        assert failure.origin.offset == 100
        assert (failure.category, failure.exception) == ("offsets_expired", "OffsetsExpired")
        assert failure.message == "offsets 100–199 of t/1 were deleted before they were read"
        assert at.next == 200

    def test_what_the_ledger_has_settled_is_not_reported_as_gone(self) -> None:
        at = partition(100)
        batches = expired_batches(at, 200, [(0, 120), (150, 160)])
        assert [(each.span.start, each.span.end) for each in batches] == [(120, 150), (160, 200)]
        assert [each.failures[0].origin.offset for each in batches] == [120, 160]
        assert at.next == 200

    def test_nothing_is_reported_if_all_of_it_was_settled(self) -> None:
        at = partition(100)
        assert expired_batches(at, 200, [(0, 300)]) == []
        assert at.next == 200


class TestFinal:
    def test_what_was_not_read_is_a_dead_letter_and_the_partition_ends_for_good(self) -> None:
        at = partition(100)
        gone, last = final_batches(at, 130)
        assert gone.span == Span("kafka://t", "1@ID", 100, 130)
        (failure,) = gone.failures
        assert (failure.category, failure.origin.offset) == ("offsets_expired", 100)
        assert failure.message.startswith(
            "offsets 100–129 of t/1 were deleted before they were read"
        )
        assert last.span == Span("kafka://t", "1@ID", 130, 130, final=True)
        assert last.failures == ()

    def test_where_all_was_read_there_is_no_dead_letter(self) -> None:
        (last,) = final_batches(partition(100), 90)
        assert last.span == Span("kafka://t", "1@ID", 100, 100, final=True)
        assert last.failures == ()


def test_a_pin_settles_nothing() -> None:
    (batch,) = pin_batches(partition(7), [(7, 7)])
    assert (batch.span.start, batch.span.end, batch.read) == (7, 7, 0)


class TestByPartition:
    def test_one_topic(self) -> None:
        grouped = by_partition([message(0), message(0, partition=2), message(1)], 1)
        assert [m.offset() for m in grouped["t", 1]] == [0, 1]
        assert [m.offset() for m in grouped["t", 2]] == [0]

    def test_several_topics(self) -> None:
        grouped = by_partition([message(0), message(0, topic="u"), message(1)], 2)
        assert set(grouped) == {("t", 1), ("u", 1)}

    def test_none(self) -> None:
        assert by_partition([], 1) == {}


def test_messages_without_a_value_may_be_kept_as_records_without_bytes() -> None:
    batch = settled(partition(), [message(0), message(1, None)], 2, tombstones="keep")
    assert (list(batch.raws)[1], batch.failures, batch.filtered) == (b"", (), ())
