"""What a split may read under the limits of its pipeline and of its source."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.fakes import batch_of
from tests.transforms.read.test_bucket import Clock
from tests.transforms.read.test_hold import Asked
from transforms.batch.record import RecordBatch
from transforms.batch.splits import BatchLimits
from transforms.per_process import PerProcess
from transforms.read import quota
from transforms.read.bucket import Bucket
from transforms.read.control import Limit
from transforms.read.quota import Quota


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[Clock]:
    clock = Clock()
    monkeypatch.setattr(quota, "LOOK_SECONDS", -1.0)
    monkeypatch.setattr(quota, "_BUCKETS", PerProcess(lambda _: Bucket(1.0, clock)))
    quota.reset()
    yield clock
    quota.reset()


def records(number: int, size: int = 1) -> RecordBatch:
    return batch_of(*(b"x" * size for _ in range(number)))


def test_without_a_limit_everything_may_be_read(clock: Clock) -> None:
    for free in (Quota(), Quota(Asked(), "a")):
        assert (free.debt(), free.wait(), free.limited) == (0.0, 0.0, False)
        assert (free.most, free.most_bytes) == (None, None)
        free.take(records(1_000))
        assert free.wait() == 0.0


def test_a_batch_is_a_quarter_of_a_second_of_each_limit(clock: Clock) -> None:
    limited = Quota(Asked(limits=[Limit("", 100.0, 8_000.0)]), "a")
    assert limited.wait() > 0
    assert limited.limited
    assert (limited.most, limited.most_bytes) == (25, 2_000)


def test_the_splits_of_a_process_share_a_limit(clock: Clock) -> None:
    asked = Asked(limits=[Limit("", 100.0)])
    one, two = Quota(asked, "a"), Quota(asked, "b")
    one.wait()
    clock.now += 0.25
    assert one.wait() == 0.0
    one.take(records(25))
    assert two.wait() == pytest.approx(0.25)


def test_bytes_are_paid_as_well_as_records(clock: Clock) -> None:
    limited = Quota(Asked(limits=[Limit("", 100.0, 1_000.0)]), "a")
    clock.now += 1.0
    limited.wait()
    clock.now += 10.0
    assert limited.wait() == 0.0
    limited.take(records(2, size=2_500))
    assert limited.debt() == pytest.approx(4.5), "5,000 bytes less the 500 that were there"


def test_the_limit_of_a_source_holds_besides_that_of_the_pipeline(clock: Clock) -> None:
    asked = Asked(limits=[Limit("", 100.0), Limit("a", 4.0)])
    narrow, wide = Quota(asked, "a"), Quota(asked, "b")
    assert narrow.wait() == pytest.approx(0.25)
    wide.wait()
    assert (narrow.most, wide.most) == (1, 25)
    clock.now += 0.5
    assert narrow.wait() == 0.0
    narrow.take(records(2))
    assert narrow.wait() == pytest.approx(0.25)
    assert wide.wait() == 0.0
    wide.take(records(25))
    assert wide.wait() == pytest.approx(0.02), "23 of 50 are left, and nobody is ahead in the line"


def test_a_limit_that_changes_or_goes_is_seen_at_once(clock: Clock) -> None:
    asked = Asked(limits=[Limit("", 4.0)])
    limited = Quota(asked, "a")
    assert limited.wait() == pytest.approx(0.25)
    asked.limits[:] = [Limit("", 400.0)]
    limited.wait()
    assert limited.most == 100
    asked.limits.clear()
    assert limited.wait() == 0.0
    assert not limited.limited
    assert quota.claimable(BatchLimits()) == BatchLimits()


def test_whoever_leaves_keeps_nobody_waiting(clock: Clock) -> None:
    asked = Asked(limits=[Limit("", 100.0)])
    one, two = Quota(asked, "a"), Quota(asked, "a")
    one.wait()
    assert two.wait() == pytest.approx(0.5)
    one.leave()
    assert two.wait() == pytest.approx(0.25)


def test_claims_of_jobs_are_bounded_by_the_limit_of_the_whole_pipeline(clock: Clock) -> None:
    asked = Asked(limits=[Limit("", 100.0, 4_000.0), Limit("a", 4.0)])
    limits = BatchLimits(5_000, 1 << 20)
    assert quota.claimable(limits) == limits
    jobs = Quota(asked, "jobs://t")
    jobs.debt()
    Quota(asked, "a").debt()
    assert quota.claimable(limits) == BatchLimits(25, 1_000)
    asked.limits[:] = [Limit("", None, 1.0)]
    jobs.debt()
    assert quota.claimable(limits) == BatchLimits(5_000, 1)
    asked.limits.clear()
    jobs.debt()
    assert quota.claimable(limits) == limits
