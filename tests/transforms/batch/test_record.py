"""Batches and the records in them."""

from __future__ import annotations

from dataclasses import fields, replace

from tests.fakes import batch_of, record_of
from transforms.batch.record import JSON, Attempt, Claim, Failure, Origin, RecordBatch, Span
from transforms.errors import Reject


def rejected(offset: int) -> Failure:
    failure = Failure.of(record_of(b"?"), "parse", "malformed", Reject("no"))
    return replace(failure, origin=replace(failure.origin, offset=offset))


def full_batch() -> RecordBatch:
    return replace(
        batch_of(b"a", b"bc", b"def", start=7),
        values=[1, 2, 3],
        times=[0.1, 0.2, 0.3],
        keys=[b"k", None, b"l"],
        headers=[(("h", b"1"),), (), ()],
        targets=["t", "u", "t"],
    )


class TestRecordBatch:
    def test_what_was_read_stays_the_same_whatever_becomes_of_the_records(self) -> None:
        batch = full_batch()
        part = batch.keep([0], [1], [rejected(8)], [9])
        assert (batch.read, part.read) == (3, 3)

    def test_its_raw_bytes_are_those_of_its_good_records(self) -> None:
        batch = full_batch()
        assert batch.raw_bytes == 6
        assert batch.keep([2], [3], [rejected(7)], [8]).raw_bytes == 3
        assert batch_of().raw_bytes == 0

    def test_a_record_has_its_own_entry_of_every_list(self) -> None:
        record = full_batch().record(1)
        assert (record.raw, record.value, record.event_time) == (b"bc", 2, 0.2)
        assert (record.key, record.headers) == (None, ())
        assert record.origin == Origin("memory://test", "0", 8)

    def test_records_come_in_order(self) -> None:
        assert [record.value for record in full_batch().records()] == [1, 2, 3]

    def test_every_list_keeps_the_same_records(self) -> None:
        part = full_batch().keep([0, 2], [10, 30])
        assert part.offsets == [7, 9]
        assert part.raws == [b"a", b"def"]
        assert part.values == [10, 30]
        assert part.times == [0.1, 0.3]
        assert part.keys == [b"k", b"l"]
        assert part.headers == [(("h", b"1"),), ()]
        assert part.targets == ["t", "t"]

    def test_failures_and_filtered_records_are_added_to_those_before(self) -> None:
        part = full_batch().keep([0, 1], [1, 2], [rejected(9)]).keep([0], [1], filtered=[8])
        assert [failure.origin.offset for failure in part.failures] == [9]
        assert part.filtered == (8,)


def test_a_failure_has_all_that_a_replay_needs() -> None:
    record = full_batch().record(0)
    failure = Failure.of(record, "Hide", "rejected", Reject("no"), sqlstate="22001", transient=True)
    assert failure.origin == record.origin
    assert (failure.raw, failure.format) == (record.raw, record.format)
    assert (failure.event_time, failure.key, failure.headers) == (0.1, b"k", (("h", b"1"),))
    assert (failure.stage, failure.category, failure.exception) == ("Hide", "rejected", "Reject")
    assert (failure.message, failure.sqlstate, failure.transient) == ("no", "22001", True)


def test_a_failure_is_of_the_table_that_its_record_was_sent_to() -> None:
    batch = full_batch()
    assert batch.of_target(rejected(8), 1).target == "u"
    assert replace(batch, targets=None).of_target(rejected(8), 1).target is None


def test_a_claim_names_its_jobs() -> None:
    claim = Claim(
        "c",
        {(3, None, ()): Attempt(11, 2, 5, "run"), (9, None, ()): Attempt(12, 1, 5, "run")},
        "events",
    )
    assert claim.jobs == [11, 12]


def test_a_batch_with_other_values_keeps_everything_else() -> None:
    names = [field.name for field in fields(RecordBatch) if field.init]
    batch = RecordBatch(**{name: name for name in names})  # type: ignore[arg-type]
    assert batch.with_values([1]) == replace(batch, values=[1])


def test_the_bytes_of_a_batch_are_those_of_its_records_whatever_was_counted_before() -> None:
    span = Span("file:///f", "v", 0, 9)
    batch = RecordBatch(span, JSON, [0, 2, 5], [b"1", b"22", b"333"])
    assert batch.raw_bytes == 6
    assert batch.with_values([1, 22, 333]).raw_bytes == 6
    assert batch.keep([2], None).raw_bytes == 3
    assert replace(batch, raws=[b"1"], offsets=[0]).raw_bytes == 1
