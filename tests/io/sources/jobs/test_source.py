"""The reader of due jobs: when it waits, rests and ends."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sources.jobs.source import JobsReader, JobsSource
from tests.fakes import NoLedger
from tests.io.sources.jobs.fake_queue import BATCH, FakeQueue, read
from transforms.errors import Contention, SinkUnavailable
from transforms.read import drain
from transforms.read.job_queue import Waiting
from transforms.steps.pipeline_identity import PipelineIdentity


class TestBounded:
    def test_it_looks_once_more_after_the_commits_of_its_bundle(self) -> None:
        polled = read(JobsReader(JobsSource(FakeQueue())), 2)
        assert [(each.rest, each.done) for each in polled] == [(True, False), (False, True)]

    def test_the_second_look_may_be_another_readers(self) -> None:
        source = JobsSource(FakeQueue())
        (first,) = read(JobsReader(source), 1)
        (second,) = read(JobsReader(source, first.position), 1)
        assert second.done

    def test_what_was_taken_may_fail_and_come_again(self) -> None:
        reader = JobsReader(JobsSource(FakeQueue([], [BATCH])))
        polled = read(reader, 4)
        assert [(len(each.batches), each.rest, each.done) for each in polled] == [
            (0, True, False),
            (1, False, False),
            (0, True, False),
            (0, False, True),
        ]

    def test_what_was_just_taken_is_settled_before_anything_is_waited_for(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(drain, "wait", lambda seconds: pytest.fail("it waits"))
        queue = FakeQueue([BATCH])
        queue.held = 3.0  # by its own lease
        reader = JobsReader(JobsSource(queue, retry_wait=5))
        reader.poll(60)
        assert reader.poll(60).rest

    def test_it_waits_for_what_is_due_within_its_bound(self) -> None:
        source = JobsSource(FakeQueue(due=[5.0, 5.0, 5.0, None]), retry_wait=5)
        polled = read(JobsReader(source), 5)
        assert [each.done for each in polled] == [False, False, False, False, True]

    def test_what_is_due_later_is_left(self) -> None:
        source = JobsSource(FakeQueue(due=[5.1]), retry_wait=5)
        assert [each.done for each in read(JobsReader(source), 2)] == [False, True]

    def test_jobs_of_a_process_that_may_be_gone_are_waited_for(self) -> None:
        queue = FakeQueue()
        queue.held = 3.0
        reader = JobsReader(JobsSource(queue, retry_wait=5))
        assert not any(each.done for each in read(reader, 5))
        queue.held = None
        assert [each.done for each in read(reader, 2)] == [False, True]

    def test_but_one_that_is_alive_does_not_hold_the_run_forever(self) -> None:
        queue = FakeQueue()
        queue.held = 0.01
        reader = JobsReader(JobsSource(queue, retry_wait=0.05))
        polls = 0
        while not reader.poll(0.01).done:
            polls += 1
            assert polls < 1_000
        assert polls > 1


class TestStreaming:
    def test_it_rests_whenever_nothing_is_due(self) -> None:
        reader = JobsReader(JobsSource(FakeQueue([], [BATCH], []), streaming=True))
        polled = read(reader, 4)
        assert [(len(each.batches), each.rest) for each in polled] == [
            (0, True),
            (1, False),
            (0, True),
            (0, True),
        ]
        assert not any(each.done for each in polled)

    def test_it_does_not_hold_the_watermark(self) -> None:
        first, second = read(JobsReader(JobsSource(FakeQueue(), streaming=True)), 2)
        assert first.watermark is not None
        assert second.watermark is not None
        assert 1.7e9 < first.watermark <= second.watermark


class TestTheDatabaseIsAway:
    def test_it_is_waited_for(self) -> None:
        queue = FakeQueue(SinkUnavailable("away"), Contention("busy"), [BATCH])
        polled = read(JobsReader(JobsSource(queue)), 3)
        assert [len(each.batches) for each in polled] == [0, 0, 1]
        assert [each.rest for each in polled] == [True, True, False]

    def test_but_not_forever(self) -> None:
        reader = JobsReader(JobsSource(FakeQueue(SinkUnavailable("away")), outage_budget=0))
        with pytest.raises(SinkUnavailable, match=r"^away \(waited 0 s\)$"):
            reader.poll(0)

    def test_nor_when_the_run_is_to_stop(self) -> None:
        reader = JobsReader(JobsSource(FakeQueue(SinkUnavailable("away"))))
        drain.request()
        try:
            with pytest.raises(SinkUnavailable):
                reader.poll(0)
        finally:
            drain.reset()


def test_a_reader_has_one_lease() -> None:
    queue = FakeQueue([BATCH], [BATCH])
    read(JobsReader(JobsSource(queue)), 3)
    assert queue.leases == 1


def test_there_is_one_split_and_no_record_is_its_own() -> None:
    source = JobsSource(FakeQueue())
    assert [split.name for split in source.splits(NoLedger())] == ["jobs://events"]
    assert not source.owns("jobs://events")


class TestLeft:
    def test_a_stream_says_once_which_jobs_wait_for_another_pipeline(
        self, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("sources.jobs.source.LOOK_SECONDS", 0.0)
        queue = FakeQueue()
        hide = Waiting("people", PipelineIdentity("people", ("Hide",)), 3, None)
        queue.others = [hide]
        source = JobsSource(queue, streaming=True)
        read(JobsReader(source), 3)
        read(JobsReader(source), 3)  # as for every bundle on a cluster
        assert [record.getMessage() for record in caplog.records] == [str(hide)]
        queue.others = [replace(hide, jobs=5), replace(hide, owner=None)]
        read(JobsReader(source), 3)
        assert [record.getMessage() for record in caplog.records[1:]] == [str(queue.others[1])]

    def test_it_does_not_ask_at_every_poll(self) -> None:
        queue = FakeQueue()
        read(JobsReader(JobsSource(queue, streaming=True)), 10)
        assert queue.looks == 1

    def test_a_run_that_ends_leaves_it_to_the_summary(self) -> None:
        queue = FakeQueue()
        read(JobsReader(JobsSource(queue)), 2)
        assert queue.looks == 0
