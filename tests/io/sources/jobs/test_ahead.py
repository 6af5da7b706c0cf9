from __future__ import annotations

from dataclasses import replace

import pytest

from sources.jobs.source import JobsReader, JobsSource
from tests.io.sources.jobs.fake_queue import BATCH, FakeQueue, read
from tests.transforms.read.test_hold import Asked
from transforms.batch.record import Claim
from transforms.batch.splits import Attended, BatchLimits
from transforms.errors import Contention
from transforms.read import quota
from transforms.read.control import Limit
from transforms.read.quota import Quota


class TestAhead:
    FULL = BatchLimits(records=1)

    def test_behind_a_full_claim_the_next_one_is_made_at_once(self) -> None:
        queue = FakeQueue([BATCH], [BATCH], [])
        reader = JobsReader(JobsSource(queue, limits=self.FULL))
        assert [len(each.batches) for each in read(reader, 3)] == [1, 1, 0]
        assert queue.claims == []

    def test_behind_one_that_is_not_full_nothing_is_taken_ahead(self) -> None:
        queue = FakeQueue([BATCH], [BATCH])
        reader = JobsReader(JobsSource(queue, limits=BatchLimits(records=2)))
        read(reader, 1)
        reader.close()
        assert queue.claims == [[BATCH]]
        assert queue.given_back == []

    @pytest.mark.parametrize("full", [True, False])
    def test_the_last_claim_is_the_one_behind_which_no_other_is_expected(self, full: bool) -> None:
        jobs = [replace(BATCH, claim=Claim(name, {}, "p")) for name in "ab"]
        queue = FakeQueue(jobs)
        reader = JobsReader(JobsSource(queue, limits=BatchLimits(records=2 if full else 3)))
        claims = [batch.claim for (polled,) in [read(reader, 1)] for batch in polled.batches]
        assert [claim and (claim.id, claim.last) for claim in claims] == [
            ("a", False),
            ("b", not full),
        ]
        reader.close()

    @pytest.mark.parametrize("limits", [BatchLimits(records=1), BatchLimits(bytes=1)])
    def test_jobs_that_were_not_taken_are_given_back(self, limits: BatchLimits) -> None:
        queue = FakeQueue([BATCH], [BATCH])
        reader = JobsReader(JobsSource(queue, limits=limits))
        read(reader, 1)
        reader.close()
        assert queue.given_back == [BATCH]
        reader.close()
        assert queue.given_back == [BATCH]

    def test_a_database_that_is_away_then_is_left_to_end_the_lease(self) -> None:
        queue = FakeQueue([BATCH], [BATCH])
        queue.away = True
        reader = JobsReader(JobsSource(queue, limits=self.FULL))
        read(reader, 1)
        reader.close()
        assert queue.given_back == []

    def test_its_failure_is_the_next_poll_s(self) -> None:
        queue = FakeQueue([BATCH], Contention("again"), [BATCH])
        reader = JobsReader(JobsSource(queue, limits=self.FULL))
        polled = read(reader, 3)
        assert [(len(each.batches), each.rest) for each in polled] == [
            (1, False),
            (0, True),
            (1, False),
        ]

    def test_a_reader_that_is_held_holds_no_jobs_and_goes_on_afterwards(self) -> None:
        queue = FakeQueue([BATCH], [BATCH], [BATCH])
        reader = JobsReader(JobsSource(queue, streaming=True, limits=self.FULL))
        read(reader, 1)
        assert isinstance(reader, Attended)
        reader.attend()
        reader.attend()
        assert queue.given_back == [BATCH]
        assert [len(each.batches) for each in read(reader, 1)] == [1]

    def test_a_limit_of_the_pipeline_bounds_a_claim(self) -> None:
        queue = FakeQueue([BATCH])
        reader = JobsReader(JobsSource(queue))
        Quota(Asked(limits=[Limit("", 40.0)]), "jobs://events").debt()
        try:
            read(reader, 1)
        finally:
            quota.reset()
        assert queue.limits == [BatchLimits(records=10)]
