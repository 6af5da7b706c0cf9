from __future__ import annotations

from sources.kafka.partition import Partition, name_of


def partition(at: int = 0, end: int | None = None, high: int = 0) -> Partition:
    return Partition("t", 1, "1@ID", at, end, high)


def test_its_names() -> None:
    assert partition().name == "t/1@ID"
    assert partition().place == ("t", 1)
    assert partition().source == "kafka://t"


def test_a_bounded_one_is_done_at_its_end_whatever_comes_later() -> None:
    assert not partition(4, end=5, high=9).done
    assert partition(5, end=5, high=9).done
    assert (partition(4, end=5, high=9).backlog, partition(5, end=5, high=9).backlog) == (1, 0)


def test_one_without_an_end_is_never_done() -> None:
    assert not partition(9, high=9).done
    assert (partition(4, high=9).backlog, partition(9, high=9).backlog) == (5, 0)
    assert partition(12, high=9).backlog == 0, "read beyond what was last seen"


def test_records_that_wait_behind_the_reader_count_as_backlog() -> None:
    waiting = partition(9, high=9)
    waiting.ahead = 4
    assert waiting.backlog == 4


def test_its_name_in_a_position_follows_from_those_in_the_ledger() -> None:
    assert name_of(partition().source, partition().label) == partition().name


class TestWatermark:
    def test_nothing_known_is_no_watermark(self) -> None:
        assert partition().watermark(100.0, 50.0, 5.0) is None

    def test_it_is_the_latest_event_time_but_not_the_future(self) -> None:
        at = partition()
        at.event_time = 90.0
        assert at.watermark(100.0, 50.0, 5.0) == 90.0
        at.event_time = 1e9
        assert at.watermark(100.0, 50.0, 5.0) == 100.0

    def test_a_partition_without_news_does_not_hold_it_back(self) -> None:
        at = partition()
        at.event_time = 10.0
        at.caught_up = 46.0
        assert at.watermark(100.0, 50.0, 5.0) == 10.0, "not idle for long enough"
        at.caught_up = 45.0
        assert at.watermark(100.0, 50.0, 5.0) == 95.0
