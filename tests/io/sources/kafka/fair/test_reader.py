"""A reader that reads ahead and returns rounds."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sources.kafka.fair.window import Bounds
from tests.io.sources.kafka.fair.topic import (
    NAME,
    Topic,
    fair_reader,
    ranges_of,
    tenants_in,
)
from transforms.batch.record import RecordBatch
from transforms.errors import SourceUnavailable
from transforms.settle import unsettled
from transforms.settle.unsettled import Unsettled


def topic_of(tenants: str, *, endless: bool = False, poll: int = 100) -> Topic:
    topic = Topic(endless=endless, poll=poll)
    topic.append(tenants)
    return topic


def test_what_arrives_late_of_a_small_tenant_overtakes_the_flood() -> None:
    topic = topic_of("a" * 500, endless=True)
    reader = fair_reader(topic)
    assert set(tenants_in(reader.poll(0).batches)) == {"a"}
    topic.append("b")
    assert "b" in tenants_in(reader.poll(0).batches)


def test_it_is_done_once_nothing_waits() -> None:
    topic = topic_of("a" * 25)
    reader = fair_reader(topic)
    batches: list[RecordBatch] = []
    for waits in (15, 5, 0):
        polled = reader.poll(0)
        batches += polled.batches
        assert polled.done == (waits == 0)
        assert reader.backlog() == waits
    assert ranges_of(batches) == ((0, 25),)
    assert polled.position == ((NAME, 25),)
    assert reader.poll(0).done
    assert not reader.poll(0).batches


def test_its_position_is_the_lowest_offset_that_waits() -> None:
    topic = topic_of("a" * 40 + "b" * 2)
    reader = fair_reader(topic)
    polled = reader.poll(0)
    assert tenants_in(polled.batches) == "a" * 8 + "b" * 2
    assert polled.position == ((NAME, 8),)


def test_whoever_goes_on_from_its_position_reads_what_waits_and_all_is_covered() -> None:
    topic = topic_of("aaab" * 25)
    settled: list[RecordBatch] = []
    position = 0
    for _ in range(3):
        polled = fair_reader(topic, position).poll(0)
        settled += polled.batches
        position = dict(polled.position)[NAME]
    last = fair_reader(topic, position)
    while not (polled := last.poll(0)).done:
        settled += polled.batches
    settled += polled.batches
    covered = {at for batch in settled for at in range(batch.span.start, batch.span.end)}
    assert covered == set(range(100))


def test_the_watermark_stays_behind_what_waits() -> None:
    topic = topic_of("a" * 30, poll=10)
    reader = fair_reader(topic, round_of=10)
    assert reader.poll(0).watermark == 1_010.0
    assert reader.poll(0).watermark == 1_020.0
    assert reader.poll(0).watermark == 1_030.0


def test_it_reads_ahead_until_the_window_is_full() -> None:
    topic = topic_of("a" * 1_000)
    reader = fair_reader(topic, bounds=Bounds(records=250))
    reader.poll(0)
    assert topic.readers[0].next == 300
    reader.poll(0)
    assert topic.readers[0].next == 300, "280 wait"


def test_a_failure_is_raised_once_what_was_read_is_returned() -> None:
    topic = topic_of("a" * 25)
    topic.failure = SourceUnavailable("the topic is gone")
    reader = fair_reader(topic)
    batches: list[RecordBatch] = []
    for _ in range(3):
        polled = reader.poll(0)
        assert not polled.done
        batches += polled.batches
    assert ranges_of(batches) == ((0, 25),)
    with pytest.raises(SourceUnavailable, match="the topic is gone"):
        reader.poll(0)


def test_a_failure_before_anything_is_read_is_raised_at_once() -> None:
    topic = Topic(failure=SourceUnavailable("no broker"))
    with pytest.raises(SourceUnavailable, match="no broker"):
        fair_reader(topic).poll(0)


@pytest.fixture
def writer() -> Iterator[Unsettled]:
    """What the writer of this thread has: of a commit under way, if anything."""
    writer = Unsettled()
    unsettled.enter(writer)
    yield writer
    unsettled.enter(None)


def test_a_round_waits_until_no_more_than_one_is_left_to_settle(writer: Unsettled) -> None:
    reader = fair_reader(topic_of("a" * 50, endless=True))
    writer.add(11)
    writer.begin()
    polled = reader.poll(0)
    assert not polled.batches, "the bundle may end, or an operator hold the split"
    writer.add(0)
    writer.begin()
    writer.end(1)
    polled = reader.poll(0)
    assert tenants_in(polled.batches) == "a" * 10


def test_the_bundle_ends_where_nothing_follows_that_would_let_the_last_round_be_settled(
    writer: Unsettled,
) -> None:
    reader = fair_reader(topic_of("a" * 5, endless=True))
    assert not reader.poll(0).rest
    writer.add(5)
    assert reader.poll(0).rest
    writer.begin()
    assert not reader.poll(0).rest, "a commit is under way, maybe of all"


def test_a_read_that_ends_does_not_wait_for_the_writer(writer: Unsettled) -> None:
    reader = fair_reader(topic_of("a" * 50), streaming=False)
    writer.add(11)
    writer.begin()
    assert tenants_in(reader.poll(0).batches) == "a" * 10


def test_it_serves_the_client_and_closes_it() -> None:
    topic = topic_of("a" * 25)
    reader = fair_reader(topic)
    reader.poll(0)
    reader.attend()
    reader.attend()
    assert topic.readers[0].attended == 2
    reader.close()
    reader.close()
    assert topic.readers[0].closed
