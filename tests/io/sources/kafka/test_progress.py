from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence

import pytest

from sources.kafka.cluster import Place
from sources.kafka.progress import Committer, Follower, Progress
from tests.io.sources.reading import MemoryLedger
from transforms.batch.coverage import Coverage
from transforms.batch.record import Span
from transforms.errors import SinkUnavailable, SourceUnavailable


def span(start: int, end: int, partition: str = "0@A", topic: str = "t") -> Span:
    return Span(f"kafka://{topic}", partition, start, end)


class TestProgress:
    def test_touching_ranges_move_the_offset(self) -> None:
        progress = Progress()
        progress.note(span(5, 10))
        progress.note(span(10, 20))
        progress.note(span(0, 3, partition="1@A"))
        assert progress.pending() == {("t", 0): 20, ("t", 1): 3}

    def test_a_range_behind_a_gap_waits_for_what_lies_below(self) -> None:
        progress = Progress()
        progress.note(span(0, 10))
        progress.note(span(20, 30))
        assert progress.pending() == {("t", 0): 10}
        progress.note(span(10, 20))
        assert progress.pending() == {("t", 0): 30}

    def test_a_range_settled_again_moves_nothing_back(self) -> None:
        progress = Progress()
        progress.note(span(0, 30))
        progress.mark_committed({("t", 0): 30})
        progress.note(span(10, 20))
        assert progress.pending() == {}

    def test_a_topic_created_again_begins_again(self) -> None:
        progress = Progress()
        progress.note(span(0, 30))
        progress.mark_committed({("t", 0): 30})
        progress.note(span(0, 2, partition="0@B"))
        assert progress.pending() == {("t", 0): 2}

    def test_what_settles_late_of_the_old_topic_moves_nothing(self) -> None:
        progress = Progress()
        progress.note(span(0, 30))
        progress.note(span(0, 2, partition="0@B"))
        progress.note(span(30, 40))
        assert progress.pending() == {("t", 0): 2}

    def test_the_end_of_a_topic_that_is_gone_moves_nothing(self) -> None:
        progress = Progress()
        progress.note(span(0, 2, partition="0@B"))
        progress.note(Span("kafka://t", "0@A", 40, 40, final=True))
        assert progress.pending() == {("t", 0): 2}

    def test_a_broker_without_topic_ids(self) -> None:
        progress = Progress()
        progress.note(span(0, 2, partition="7"))
        assert progress.pending() == {("t", 7): 2}


class Recorded:
    """Records what is committed; raises while ``broken``."""

    def __init__(self) -> None:
        self.commits: list[dict[Place, int]] = []
        self.broken = False
        self.tried = threading.Event()
        self.open = threading.Event()
        self.open.set()

    def __call__(self, offsets: Mapping[Place, int]) -> None:
        self.tried.set()
        assert self.open.wait(10)
        if self.broken:
            raise SourceUnavailable("the coordinator is away")
        self.commits.append(dict(offsets))


class TestCommitter:
    def test_ranges_that_come_within_the_interval_are_one_commit(self) -> None:
        recorded = Recorded()
        committer = Committer(recorded, "g", interval=60)
        committer.note(span(0, 1))
        assert recorded.tried.wait(5)
        for end in range(2, 100):
            committer.note(span(end - 1, end))
        committer.flush(5)
        assert recorded.commits[-1] == {("t", 0): 99}
        assert len(recorded.commits) <= 3

    def test_note_does_not_wait_for_the_broker(self) -> None:
        recorded = Recorded()
        recorded.open.clear()
        committer = Committer(recorded, "g", interval=0.001)
        committer.note(span(0, 1))
        assert recorded.tried.wait(5)
        committer.note(span(1, 2))
        committer.flush(0.05)
        assert recorded.commits == []
        recorded.open.set()
        committer.flush(5)
        assert recorded.commits[-1] == {("t", 0): 2}

    def test_a_failure_is_a_warning_and_is_tried_again(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        recorded = Recorded()
        recorded.broken = True
        committer = Committer(recorded, "lag-group", interval=0.001)
        committer.note(span(0, 5))
        committer.flush(5)
        assert recorded.commits == []
        assert "lag-group" in caplog.text
        assert "the coordinator is away" in caplog.text
        recorded.broken = False
        committer.flush(5)
        assert recorded.commits == [{("t", 0): 5}]

    def test_a_failure_that_lasts_is_one_warning(self, caplog: pytest.LogCaptureFixture) -> None:
        recorded = Recorded()
        recorded.broken = True
        committer = Committer(recorded, "g", interval=0.001)
        for end in range(1, 6):
            committer.note(span(0, end))
            committer.flush(5)
        assert len(caplog.messages) == 1
        recorded.broken = False
        committer.flush(5)
        recorded.broken = True
        committer.note(span(0, 9))
        committer.flush(5)
        assert len(caplog.messages) == 2, "another failure"

    def test_what_is_renewed_is_committed_again_and_never_moved_back(self) -> None:
        recorded = Recorded()
        committer = Committer(recorded, "g", interval=0.001)
        committer.note(span(0, 5))
        committer.flush(5)
        committer.renew([span(0, 3)])
        committer.flush(5)
        committer.renew([span(0, 8)])
        committer.flush(5)
        assert recorded.commits == [{("t", 0): 5}, {("t", 0): 5}, {("t", 0): 8}]

    def test_nothing_new_is_not_committed_again(self) -> None:
        recorded = Recorded()
        committer = Committer(recorded, "g", interval=0.001)
        committer.note(span(0, 5))
        committer.flush(5)
        committer.note(span(0, 5))
        committer.flush(5)
        assert recorded.commits == [{("t", 0): 5}]


class TestFollower:
    LEDGER = MemoryLedger(
        {
            ("kafka://t", "0@A"): Coverage(((0, 5), (7, 9))),
            ("kafka://t", "1@A"): Coverage(((3, 4),)),
            ("kafka://t", "2@A"): Coverage(((0, 6),), end=6),
        }
    )
    PARTITIONS = tuple(("kafka://t", f"{number}@A") for number in range(4))

    def test_the_group_gets_what_is_settled_up_to_the_first_gap(self) -> None:
        renewed: list[Span] = []
        Follower(self.LEDGER, renewed.extend).follow(self.PARTITIONS)
        assert renewed == [Span("kafka://t", "0@A", 0, 5), Span("kafka://t", "1@A", 3, 4)]

    def test_the_ledger_is_asked_at_the_interval(self) -> None:
        now, renewed = [0.0], list[Span]()
        follower = Follower(self.LEDGER, renewed.extend, 60.0, lambda: now[0])
        for second in range(121):
            now[0] = float(second)
            follower.follow(self.PARTITIONS[:1])
        assert len(renewed) == 3

    def test_a_ledger_that_is_away_is_asked_again_and_ends_nothing(self) -> None:
        class Away(MemoryLedger):
            away = True

            def coverage(
                self, partitions: Sequence[tuple[str, str]]
            ) -> dict[tuple[str, str], Coverage]:
                if self.away:
                    raise SinkUnavailable("the database is away")
                return super().coverage(partitions)

        ledger, renewed = Away(self.LEDGER.coverages), list[Span]()
        follower = Follower(ledger, renewed.extend)
        follower.follow(self.PARTITIONS)
        ledger.away = False
        follower.follow(self.PARTITIONS[:1])
        assert renewed == [Span("kafka://t", "0@A", 0, 5)]
