"""What was read ahead: in order within a tenant, bounded, and covered exactly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sources.kafka.fair.tenants import tenants_of
from sources.kafka.fair.window import Bounds, Window
from tests.io.sources.kafka.fair.topic import (
    LABEL,
    PLACE,
    SOURCE,
    batch_of,
    message,
    messages,
    ranges_of,
    tenants_in,
)
from transforms.batch.record import JSON, Failure, Origin, RecordBatch, Span

BY_TENANT = tenants_of("tenant")


def window_of(tenants: str, *, size: int = 100, bounds: Bounds | None = None) -> Window:
    """A window with one message for each letter, in batches of ``size``."""
    window = Window(BY_TENANT, bounds)
    produced = messages(tenants)
    for start in range(0, len(produced), size):
        window.add(batch_of(produced, start, min(start + size, len(produced))))
    return window


def without_records(start: int, end: int, failed: Sequence[int] = ()) -> RecordBatch:
    span = Span(SOURCE, LABEL, start, end)
    failures = [
        Failure(Origin(SOURCE, LABEL, at), b"", JSON, "read", "tombstone", "T", "", "")
        for at in failed
    ]
    return RecordBatch(span, JSON, [], [], failures=tuple(failures))


def test_a_small_tenant_behind_a_flood_is_in_the_next_round() -> None:
    window = window_of("a" * 90 + "b" * 3 + "a" * 7)
    assert sorted(tenants_in(window.take(10))) == ["a"] * 7 + ["b"] * 3
    assert tenants_in(window.take(10)) == "a" * 10


def test_what_fits_into_one_round_is_as_it_was_read() -> None:
    produced = messages("aabaab")
    window = Window(BY_TENANT)
    batch = batch_of(produced, 0, 6)
    window.add(batch)
    assert window.take(6)[1] is batch
    assert not window


def test_the_beginning_of_a_partition_is_settled_before_anything_of_it() -> None:
    window = window_of("a" * 50 + "b")
    spans = [(batch.span.start, batch.span.end) for batch in window.take(2)]
    assert spans == [(0, 0), (0, 1), (50, 51)]


def test_records_of_nobody_are_a_tenant_of_their_own() -> None:
    window = Window(BY_TENANT)
    produced = [*messages("a" * 30), *((30 + n, b"no json") for n in range(3))]
    window.add(batch_of(produced, 0, 33))
    assert [batch.raws for batch in window.take(6)][2] == [b"no json"] * 3


def test_what_has_no_record_comes_first_and_counts() -> None:
    window = window_of("a" * 50)
    window.add(without_records(50, 60, failed=(51, 52, 53)))
    assert window.records == 53
    batches = window.take(10)
    assert [(batch.span.start, batch.span.end) for batch in batches] == [(0, 0), (50, 60), (0, 7)]
    assert window.records == 43


def test_a_partition_ends_for_good_once_nothing_of_it_waits() -> None:
    window = window_of("a" * 15)
    final = replace(without_records(15, 15), span=Span(SOURCE, LABEL, 15, 15, final=True))
    window.add(final)
    assert final not in window.take(10)
    assert window.take(10)[-1] is final
    assert not window


def test_a_batch_that_waits_says_where_whoever_goes_on_begins() -> None:
    window = window_of("a" * 30 + "b" * 2)
    window.take(4)
    assert window.lowest == {PLACE: 2}
    assert window.ahead == {PLACE: 28}
    window.take(100)
    assert window.lowest == {}


def test_each_partition_waits_by_itself() -> None:
    window = window_of("a" * 20)
    other = batch_of(messages("b" * 20), 0, 20, label="1@id")
    window.add(other)
    batches = window.take(10)
    assert {batch.span.partition for batch in batches} == {LABEL, "1@id"}
    assert window.lowest == {PLACE: 5, (SOURCE, "1@id"): 5}


def test_the_watermark_is_that_of_before_the_oldest_that_waits() -> None:
    window = Window(BY_TENANT)
    produced = messages("a" * 30)
    window.add(batch_of(produced, 0, 10), None)
    window.add(batch_of(produced, 10, 20), 10.0)
    window.add(batch_of(produced, 20, 30), 20.0)
    assert window.watermark(30.0) is None
    window.take(10)
    assert window.watermark(30.0) == 10.0
    window.take(5)
    assert window.watermark(30.0) == 10.0
    window.take(15)
    assert window.watermark(30.0) == 30.0


class TestBounds:
    def test_records(self) -> None:
        bounds = Bounds(records=10)
        assert not window_of("a" * 9, bounds=bounds).full
        window = window_of("a" * 5 + "b" * 5, bounds=bounds)
        assert window.full
        window.take(1)
        assert not window.full

    def test_bytes_of_batches_of_which_anything_waits(self) -> None:
        window = window_of("ab" * 5, bounds=Bounds(bytes=10 * len(message("a"))))
        assert window.full
        window.take(9)
        assert window.full, "the batch is still there"
        window.take(9)
        assert not window.full

    def test_batches(self) -> None:
        window = window_of("ab" * 5, size=1, bounds=Bounds(batches=10))
        assert window.full
        window.take(1)
        assert not window.full

    def test_with_too_many_holes_the_oldest_come_first(self) -> None:
        window = window_of("aaab" * 20, bounds=Bounds(holes=5))
        window.take(20)
        assert tenants_in(window.take(12)) == "a" * 12, "what is behind the holes waits"
        # As all before them is settled, turns are taken again.
        assert "b" in tenants_in(window.take(20))


@pytest.mark.parametrize("holes", [0, 3, 4_000])
@given(
    st.text("abcd", min_size=1, max_size=60),
    st.integers(1, 15),
    st.integers(1, 7),
    st.integers(0, 3),
)
def test_each_tenant_is_in_order_and_every_offset_is_settled_once(
    holes: int, tenants: str, size: int, number: int, gap: int
) -> None:
    produced = [(offset * (1 + gap) + gap, raw) for offset, raw in messages(tenants)]
    end = produced[-1][0] + 1 + gap
    window = Window(BY_TENANT, Bounds(holes=holes))
    taken: list[RecordBatch] = []
    for start in range(0, end, size):
        window.add(batch_of(produced, start, min(start + size, end)))
        waiting, records = window.records, sum(len(batch.raws) for batch in taken)
        batches = window.take(number)
        starts = [batch.span.start for batch in batches if batch.raws]
        assert starts == sorted(starts)
        taken += batches
        assert window.records == waiting - sum(batch.read for batch in batches)
        assert sum(len(batch.raws) for batch in taken) - records == min(number, waiting)
        if window.lowest:
            settled = ranges_of(taken)
            assert settled[0][0] == 0
            assert settled[0][1] <= window.lowest[PLACE]
    while window:
        taken += window.take(number)
    assert ranges_of(taken) == ((0, end),)
    for tenant in set(tenants):
        own = [
            raw
            for batch in taken
            for raw in batch.raws
            if raw.startswith(b'{"tenant":"%c' % ord(tenant))
        ]
        assert own == [message(tenant, n) for n in range(tenants.count(tenant))]
