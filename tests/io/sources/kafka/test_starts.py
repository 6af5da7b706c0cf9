"""What a look at the cluster means for a split, given the cluster's answers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from sources.kafka.cluster import Cluster, Place, Topics
from sources.kafka.partition import Partition
from sources.kafka.starts import Look, Starts
from sources.kafka.uri import parse
from tests.io.sources.reading import MemoryLedger
from transforms.batch.coverage import Coverage
from transforms.batch.splits import Position


@dataclass
class Answers:
    """The answers of a cluster with the topic ``t``."""

    labels: dict[Place, str]
    bounds_by_number: Mapping[int, tuple[int, int]] = field(default_factory=dict)
    group: Mapping[Place, int] = field(default_factory=dict)
    written: int = 0
    at_time: int = -1
    questions: list[str] = field(default_factory=list)

    def topics(self, address: object) -> Topics:
        return Topics(self.labels)

    def bounds(self, places: Iterable[Place]) -> dict[Place, tuple[int, int]]:
        self.questions.append("bounds")
        return {place: self.bounds_by_number.get(place[1], (0, 10)) for place in places}

    def log_ends(self, places: Iterable[Place]) -> dict[Place, int]:
        self.questions.append("log ends")
        return dict.fromkeys(places, self.written)

    def committed(self, places: Iterable[Place], group: str) -> dict[Place, int]:
        return {place: self.group[place] for place in places if place in self.group}

    def offsets_at_time(self, places: Iterable[Place], milliseconds: int) -> dict[Place, int]:
        return dict.fromkeys(places, self.at_time)


def labels(count: int, topic_id: str = "A") -> dict[Place, str]:
    return {("t", number): f"{number}@{topic_id}" for number in range(count)}


def starts(cluster: Answers, query: str = "", **values: Any) -> Starts:
    of: dict[str, Any] = {
        "index": 0,
        "of": 1,
        "bounded": True,
        "ledger": MemoryLedger(),
        "position": (),
        **values,
    }
    return Starts(cast("Cluster", cluster), parse(f"kafka://a/t{query}"), **of)


def offsets(look: Look) -> dict[int, int]:
    """Where each new partition begins, by its number."""
    return {new.partition.number: new.partition.next for new in look.new}


class TestFirstLook:
    def test_a_split_takes_its_share_of_the_partitions_up_to_the_ends_seen_now(self) -> None:
        cluster = Answers(labels(5), {1: (2, 7)})
        look = starts(cluster, index=1, of=3).look({}, (), first=True)
        assert offsets(look) == {1: 2, 4: 0}
        assert [new.partition.end for new in look.new] == [7, 10]

    def test_a_streaming_split_has_no_ends(self) -> None:
        look = starts(Answers(labels(1)), bounded=False).look({}, (), first=True)
        assert [new.partition.end for new in look.new] == [None]

    def test_nothing_new_asks_nothing_more(self) -> None:
        cluster = Answers(labels(1))
        look = starts(cluster).look({("t", 0): "0@A"}, (), first=False)
        assert (look.new, cluster.questions) == ((), [])


class TestChoice:
    def test_the_group_goes_before_the_uri(self) -> None:
        cluster = Answers(labels(2), group={("t", 0): 4})
        look = starts(cluster, "?group=g&start=latest").look({}, (), first=True)
        assert offsets(look) == {0: 4, 1: 10}
        assert [new.pins for new in look.new] == [((4, 4),), ((10, 10),)]

    def test_the_first_offset_needs_no_pin(self) -> None:
        (new,) = starts(Answers(labels(1))).look({}, (), first=True).new
        assert new.pins == ()

    def test_a_time_after_the_last_message_is_the_end(self) -> None:
        look = starts(Answers(labels(1)), "?start=timestamp:5").look({}, (), first=True)
        assert offsets(look) == {0: 10}
        look = starts(Answers(labels(1), at_time=6), "?start=timestamp:5").look({}, (), first=True)
        assert offsets(look) == {0: 6}

    def test_an_offset_is_where_partitions_begin_that_nobody_knows_and_the_ledger_keeps_it(
        self,
    ) -> None:
        cluster = Answers(labels(2), group={("t", 0): 4})
        look = starts(cluster, "?start=offset:7&group=g").look({}, (), first=True)
        assert offsets(look) == {0: 4, 1: 7}
        assert [new.pins for new in look.new] == [((4, 4),), ((7, 7),)]

    def test_what_the_ledger_has_goes_before_an_offset(self) -> None:
        ledger = MemoryLedger({("kafka://t", "0@A"): Coverage(((0, 3),))})
        look = starts(Answers(labels(1)), "?start=offset:7", ledger=ledger).look({}, (), first=True)
        assert (offsets(look), look.new[0].pins) == ({0: 3}, ())

    def test_an_offset_that_has_expired_is_not_moved_so_that_what_is_gone_is_told(self) -> None:
        cluster = Answers(labels(1), {0: (5, 10)})
        (new,) = starts(cluster, "?start=offset:2").look({}, (), first=True).new
        assert (new.partition.next, new.low) == (2, 5)

    def test_an_offset_at_the_end_waits_and_one_behind_it_is_a_mistake(self) -> None:
        look = starts(Answers(labels(1)), "?start=offset:10").look({}, (), first=True)
        assert (offsets(look), look.truncated) == ({0: 10}, None)
        look = starts(Answers(labels(1)), "?start=offset:11").look({}, (), first=True)
        assert look.truncated == (
            "t/0 ends at offset 10, but start=offset:11 says to begin behind that, and the ledger and "
            "the group do not know the partition: give an offset that it has, or start=latest"
        )

    def test_a_partition_that_appears_later_is_read_from_its_beginning(self) -> None:
        split = starts(Answers(labels(2)), "?start=latest", bounded=False)
        assert offsets(split.look({("t", 0): "0@A"}, (), first=False)) == {1: 0}

    def test_a_partition_added_since_an_earlier_run_is_too(self) -> None:
        ledger = MemoryLedger({("kafka://t", "0@A"): Coverage(((10, 10),))})
        look = starts(Answers(labels(2)), "?start=latest", ledger=ledger).look({}, (), first=True)
        assert offsets(look) == {0: 10, 1: 0}


class TestResume:
    POSITION: Position = (("end:t/0@A", 8), ("t/0@A", 5))

    def test_a_bounded_split_keeps_its_ends_and_takes_no_partition_that_appeared_since(
        self,
    ) -> None:
        look = starts(Answers(labels(2)), position=self.POSITION).look({}, (), first=True)
        assert offsets(look) == {0: 5}
        assert look.new[0].partition.end == 8

    def test_a_waiting_partition_resumes_where_it_stopped(self) -> None:
        waiting = [Partition("t", 0, "0@A", 7, 8)]
        split = starts(Answers(labels(2)), position=self.POSITION)
        assert offsets(split.look({}, waiting, first=False)) == {0: 7}

    def test_a_partition_replaced_since_is_named_with_what_was_left_of_it(self) -> None:
        look = starts(Answers(labels(1, "B")), position=self.POSITION).look({}, (), first=True)
        (replaced,) = look.replaced
        assert (replaced.label, replaced.next, replaced.end) == ("0@A", 5, 8)
        assert look.new == ()

    def test_a_topic_that_is_gone_stops_it(self) -> None:
        look = starts(Answers({}), position=self.POSITION).look({}, (), first=True)
        assert look.truncated == "topic t does not exist (any more)"


class TestTruncation:
    LEDGER = MemoryLedger({("kafka://t", "0@A"): Coverage(((0, 12),))})

    def test_a_log_that_is_shorter_than_what_was_read_stops_the_run(self) -> None:
        cluster = Answers(labels(2), written=11)
        look = starts(cluster, ledger=self.LEDGER).look({}, (), first=True)
        assert "t/0 ends at offset 11, but 12 is the next to read" in (look.truncated or "")
        assert look.new == ()

    def test_an_offset_of_the_group_beyond_the_end_is_reset_in_the_group(self) -> None:
        cluster = Answers(labels(1), group={("t", 0): 99})
        look = starts(cluster, "?group=g").look({}, (), first=True)
        assert look.truncated == (
            "t/0 ends at offset 10, but group g has committed 99, and nothing else says where to "
            "begin: reset it (kafka-consumer-groups --bootstrap-server a --group g --topic t:0 "
            "--reset-offsets --to-earliest --execute), or read without ?group="
        )

    def test_if_the_ledger_knows_the_partition_the_group_is_not_to_blame(self) -> None:
        cluster = Answers(labels(1), group={("t", 0): 99}, written=11)
        look = starts(cluster, "?group=g", ledger=self.LEDGER).look({}, (), first=True)
        assert "sluice rewind --source kafka://t --partition 0@A" in (look.truncated or "")
        assert "kafka-consumer-groups" not in (look.truncated or "")

    def test_messages_of_an_open_transaction_count(self) -> None:
        cluster = Answers(labels(1), written=12)
        look = starts(cluster, ledger=self.LEDGER).look({}, (), first=True)
        assert look.truncated is None
        assert offsets(look) == {0: 12}


class TestRecreated:
    LEDGER = MemoryLedger({("kafka://t", "0@A"): Coverage(((0, 12),))})

    def test_the_new_topic_is_read_from_its_first_offset_and_that_is_reported_once(self) -> None:
        cluster = Answers(labels(2, "B"), {0: (4, 10)})
        look = starts(cluster, "?start=latest", ledger=self.LEDGER).look({}, (), first=True)
        assert offsets(look) == {0: 4, 1: 0}
        recreated, first_offset = look.notes
        assert "topic t was deleted and created again" in recreated
        assert "partition 0: 12" in recreated
        assert first_offset == "t/0 begins at offset 4, the first that exists"
        assert look.notes[recreated] == {"source": "kafka://t"}
        assert look.notes[first_offset] == {
            "source": "kafka://t",
            "partition": "0@B",
            "first_offset": 4,
        }

    def test_nothing_is_reported_of_a_topic_that_was_finished(self) -> None:
        ledger = MemoryLedger({("kafka://t", "0@A"): Coverage(((0, 12),), end=12)})
        look = starts(Answers(labels(1, "B")), ledger=ledger).look({}, (), first=True)
        assert (offsets(look), look.notes) == ({0: 0}, {})

    def test_while_it_is_read_the_ledger_is_asked_what_the_old_one_had(self) -> None:
        split = starts(Answers(labels(1, "B")), ledger=self.LEDGER, bounded=False)
        look = split.look({("t", 0): "0@A"}, (), first=False)
        assert look.settled == {"t": {"0@A": Coverage(((0, 12),))}}
        assert (offsets(look), look.notes) == ({0: 0}, {}), "the reader says it"


class TestHeldBack:
    def test_what_lies_behind_an_open_transaction_is_counted(self) -> None:
        cluster = Answers(labels(1), {0: (3, 10)}, written=14)
        (new,) = starts(cluster).look({}, (), first=True).new
        assert (new.partition.end, new.partition.held_from, new.partition.held) == (10, 10, 4)

    def test_a_message_written_between_two_questions_is_not_taken_for_one(self) -> None:
        cluster = Answers(labels(1), written=10)
        starts(cluster).look({}, (), first=True)
        assert cluster.questions == ["log ends", "bounds"], "the end is asked before what is stable"

    def test_an_empty_partition_stands_as_one(self) -> None:
        cluster = Answers(labels(2), {0: (7, 7), 1: (7, 8)}, written=7)
        look = starts(cluster).look({}, (), first=True)
        assert [new.partition.standing.empty for new in look.new] == [True, False]
