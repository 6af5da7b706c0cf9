"""Look at the cluster for the partitions of a split, in the background and never in a poll."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from sources.kafka.beginning import Beginning, History
from sources.kafka.cluster import Cluster, Place, Topics
from sources.kafka.label import id_of, number_of, same_partition, stored_label
from sources.kafka.partition import END, Partition
from sources.kafka.uri import Address, FirstOffset
from transforms.batch.coverage import Coverage, Ledger, Range
from transforms.batch.splits import Position

Settled = Mapping[str, Mapping[str, Coverage]]
"""By topic, what the ledger has of its partitions."""

_SHOWN = 8


@dataclass(frozen=True, slots=True)
class NewPartition:
    """A partition to read from now on.

    Attributes:
        partition: Its state, at the first offset to read.
        low: Its first offset that still exists.
        pins: Ranges to record in the ledger although nothing of them is read (see ``Beginning``).
        settled: What the ledger has of it.
    """

    partition: Partition
    low: int
    pins: tuple[Range, ...] = ()
    settled: tuple[Range, ...] = ()


@dataclass(frozen=True, slots=True)
class Look:
    """What one look at the cluster means for a split.

    Attributes:
        topics: The topics of the URI as they are now.
        new: Partitions of this split that were not known before, or whose offset was lost.
        truncated: Why reading must stop: a log is shorter than what has been read of it, or
            what a bounded split had to read is gone.
        replaced: Partitions of topics that were deleted and created again, which the split had
            to read up to a known end.
        settled: What the ledger has of the topics that were deleted and created again.
        notes: Lines for the user, each with what it knows, for the log.
    """

    topics: Topics
    new: tuple[NewPartition, ...] = ()
    truncated: str | None = None
    replaced: tuple[Partition, ...] = ()
    settled: Settled = field(default_factory=dict)
    notes: Mapping[str, Mapping[str, object]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Starts:
    """Finds the partitions of a split, and where they begin.

    A partition begins at its position; otherwise at the first gap of the ledger; otherwise at
    the offset of the group; otherwise where the URI says. A partition that appears later begins
    at its first offset, and so does one of a topic that was deleted and created again.

    Attributes:
        cluster: Where to ask.
        address: What is read.
        index: The split reads the partitions ``p`` with ``p % of == index``.
        of: How many splits there are.
        bounded: Stop at the ends seen by the first look.
        ledger: Says what is settled.
        position: Where the split resumes; empty at its very first start.
    """

    cluster: Cluster
    address: Address
    index: int
    of: int
    bounded: bool
    ledger: Ledger
    position: Position

    def look(
        self, reading: Mapping[Place, str], waiting: Sequence[Partition], *, first: bool
    ) -> Look:
        """Look at the cluster.

        Args:
            reading: The partitions that are being read, or were read to their end, with their
                labels.
            waiting: Partitions whose next offset the broker does not have, or that did not
                exist at the last look.
            first: This reader has read nothing yet.

        Raises:
            ConfigError: The cluster refuses.
            SourceUnavailable: The cluster does not answer.
            SinkUnavailable: The ledger does not answer.
        """
        topics = self.cluster.topics(self.address)
        ids = topics.ids
        resumed = _Resumed(self.position, waiting)
        held = {**reading, **{partition.place: partition.label for partition in waiting}}
        new = {
            place: label
            for place, label in topics.labels.items()
            if place[1] % self.of == self.index
            and not (place in reading and same_partition(reading[place], label))
            and self._takes(place, label, resumed, waiting, first=first)
        }
        replaced = self._replaced(topics, resumed) if first and self.bounded else ()
        for partition in replaced:
            if partition.topic not in ids:
                return Look(topics, truncated=f"topic {partition.topic} does not exist (any more)")
        changed = [
            place[0]
            for place, label in held.items()
            if place[0] in ids and not topics.has(place, label)
        ]
        concerned = [*(topic for topic, _ in new), *(each.topic for each in replaced), *changed]
        settled = {
            topic: self.ledger.partitions(f"kafka://{topic}") for topic in dict.fromkeys(concerned)
        }
        look = Look(topics, replaced=replaced, settled=settled)
        return self._begin(look, new, resumed, held, first=first) if new else look

    def _takes(
        self,
        place: Place,
        label: str,
        resumed: _Resumed,
        waiting: Sequence[Partition],
        *,
        first: bool,
    ) -> bool:
        """Whether to read a partition that is not being read.

        A bounded split reads none that appeared after it saw the ends.
        """
        if not self.bounded:
            return True
        if not first:
            return any(
                each.place == place and same_partition(each.label, label) for each in waiting
            )
        stored = stored_label(label, resumed.offsets[place[0]])
        return not self.position or stored in resumed.ends[place[0]]

    def _replaced(self, topics: Topics, resumed: _Resumed) -> tuple[Partition, ...]:
        """Partitions that a bounded split had to read and that do not exist any more."""
        partitions: list[Partition] = []
        for topic, ends in resumed.ends.items():
            for label, end in ends.items():
                at, place = resumed.offsets[topic].get(label, 0), (topic, number_of(label))
                if at < end and not topics.has(place, label):
                    partitions.append(Partition(topic, place[1], label, at, end, end, end))
        return tuple(partitions)

    def _begin(
        self,
        look: Look,
        new: Mapping[Place, str],
        resumed: _Resumed,
        held: Mapping[Place, str],
        *,
        first: bool,
    ) -> Look:
        """``look`` with the partitions that begin, or with the reason why none does."""
        # Asked first: a message written in between would otherwise look like one not committed.
        log_ends = self.cluster.log_ends(new)
        bounds = self.cluster.bounds(new)
        ids, settled = look.topics.ids, look.settled
        histories = {
            topic: History.of_topic(ids[topic], resumed.offsets[topic], settled[topic])
            for topic in dict.fromkeys(topic for topic, _ in new)
        }
        unread = [
            place
            for place, label in new.items()
            if first and histories[place[0]].is_new(label) and not self._added(place, new, settled)
        ]
        committed = self._committed(unread)
        chosen = committed | self._chosen_offsets(
            [place for place in unread if place not in committed], bounds
        )
        pinned = self.address.start != "earliest"
        partitions: list[NewPartition] = []
        notes: dict[str, dict[str, object]] = {}
        for place, label in new.items():
            (topic, number), (low, high) = place, bounds[place]
            history = histories[topic]
            beginning = history.beginning(label, low, chosen.get(place), pinned=pinned)
            if beginning.recreated:
                if number == 0 and not any(topic == held_topic for held_topic, _ in held):
                    notes |= _recreated_note(topic, history)
                if low:
                    line = f"{topic}/{number} begins at offset {low}, the first that exists"
                    source = f"kafka://{topic}"
                    notes[line] = {"source": source, "partition": label, "first_offset": low}
            log_end = max(high, log_ends[place])
            if beginning.offset > log_end:
                log_end = max(log_end, self.cluster.log_ends([place])[place])
            if beginning.offset > log_end:
                is_new = history.is_new(label)
                why = self._beyond(
                    *(place, log_end, beginning),
                    group=is_new and place in committed,
                    start=is_new and place in chosen,
                )
                return replace(look, truncated=why)
            stable = max(high, beginning.offset)  # what is not committed may have been settled
            partition = Partition(
                topic, number, beginning.label, beginning.offset, high=log_end, seen=stable, low=low
            )
            if high < log_end:
                partition.hold(stable)
            if self.bounded:
                partition.end = resumed.ends[topic].get(partition.label, stable)
            ranges = settled[topic].get(partition.label, Coverage()).ranges
            partitions.append(NewPartition(partition, low, beginning.pins, ranges))
        return replace(look, new=tuple(partitions), notes=notes)

    def _added(self, place: Place, new: Mapping[Place, str], settled: Settled) -> bool:
        """Whether the topic has grown since an earlier run, which read others of its partitions."""
        topic = place[0]
        if self.position:
            return True
        return any(
            other[0] == topic and stored_label(label, settled[topic]) is not None
            for other, label in new.items()
        )

    def _committed(self, unread: list[Place]) -> dict[Place, int]:
        """Where the group lets partitions begin that nobody has read."""
        group = self.address.group
        return self.cluster.committed(unread, group) if group and unread else {}

    def _chosen_offsets(
        self, unread: list[Place], bounds: Mapping[Place, tuple[int, int]]
    ) -> dict[Place, int]:
        """Where the URI lets partitions begin of which neither ledger nor group knows.

        Partitions that are absent from it begin at their first offset.
        """
        start = self.address.start
        if start == "earliest" or not unread:
            return {}
        if start == "latest":
            return {place: bounds[place][1] for place in unread}
        if isinstance(start, FirstOffset):
            return dict.fromkeys(unread, start.offset)
        offsets = self.cluster.offsets_at_time(unread, start)
        return {
            place: bounds[place][1] if offset < 0 else offset for place, offset in offsets.items()
        }

    def _beyond(
        self, place: Place, end: int, beginning: Beginning, *, group: bool, start: bool
    ) -> str:
        """Why a partition that ends before its beginning is not read."""
        topic, number = place
        where = f"{topic}/{number} ends at offset {end}, but "
        if group:
            return (
                f"{where}group {self.address.group} has committed {beginning.offset}, and nothing "
                "else says where to begin: reset it (kafka-consumer-groups --bootstrap-server "
                f"{self.address.brokers} --group {self.address.group} --topic {topic}:{number} "
                "--reset-offsets --to-earliest --execute), or read without ?group="
            )
        if start:
            return (
                f"{where}start=offset:{beginning.offset} says to begin behind that, and the ledger and "
                "the group do not know the partition: give an offset that it has, or start=latest"
            )
        return (
            f"{where}{beginning.offset} is the next to read: its log was truncated; nothing is "
            "reset automatically (create the topic again, or let the ledger forget what was settled, "
            f"to read it again: sluice rewind --source kafka://{topic} --partition "
            f"{beginning.label} --from_offset 0)"
        )


class _Resumed:
    """Positions by topic and label; those of ``waiting`` are newer than ``position``."""

    def __init__(self, position: Position, waiting: Collection[Partition]) -> None:
        self.offsets: defaultdict[str, dict[str, int]] = defaultdict(dict)
        self.ends: defaultdict[str, dict[str, int]] = defaultdict(dict)
        for name, offset in position:
            into = self.ends if name.startswith(END) else self.offsets
            topic, _, label = name.removeprefix(END).partition("/")
            into[topic][label] = offset
        for partition in waiting:
            self.offsets[partition.topic][partition.label] = partition.next
            if partition.end is not None:
                self.ends[partition.topic][partition.label] = partition.end


def _recreated_note(topic: str, history: History) -> dict[str, dict[str, object]]:
    """Say that a topic is another one than an earlier run has read, if that run was not done."""
    open_ends = sorted(
        (number_of(label), coverage.ranges[-1][1])
        for label, coverage in history.settled.items()
        if id_of(label) in history.earlier_ids and coverage.ranges and coverage.end is None
    )
    if not open_ends:
        return {}
    shown = ", ".join(f"partition {number}: {end}" for number, end in open_ends[:_SHOWN])
    more = f" and {len(open_ends) - _SHOWN} more" if len(open_ends) > _SHOWN else ""
    line = (
        f"topic {topic} was deleted and created again, or belongs to another cluster: the new one "
        "is read from its beginning; it is not known whether the old one had more than was read of "
        f"it (up to offset, {shown}{more})"
    )
    return {line: {"source": f"kafka://{topic}"}}
