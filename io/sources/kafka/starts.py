"""Where each partition of a split begins: looked up in the background, never in a poll."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from sources.kafka.cluster import Cluster, Place, Topics
from sources.kafka.label import id_of, known_as, number_of, same
from sources.kafka.partition import END, Partition
from sources.kafka.uri import Address
from transforms.batch.coverage import Coverage, Ledger, Range
from transforms.batch.splits import Position

Settled = Mapping[str, Mapping[str, Coverage]]
"""By topic, what the ledger has of its partitions."""

_SHOWN = 8
_NOBODY = "-1"  # same as no partition's name


@dataclass(frozen=True, slots=True)
class Begun:
    """A partition to read from now on.

    Attributes:
        partition: Its state, at the offset to read first.
        low: Its first offset that still exists.
        pins: Ranges to record in the ledger though nothing of them is read: an empty one says
            where the partition begins, so that a restart does not choose another beginning;
            others were settled under another name of it.
        settled: What the ledger has of it.
    """

    partition: Partition
    low: int
    pins: tuple[Range, ...] = ()
    settled: tuple[Range, ...] = ()


@dataclass(frozen=True, slots=True)
class Look:
    """What one look at the cluster has found for a split.

    Attributes:
        topics: The topics of the URI as they are now.
        begun: Partitions of this split that were not known before, or had lost their place.
        truncated: Why reading must stop: a log is shorter than what has been read of it, or
            what a bounded split was to read is gone.
        replaced: Partitions of topics that were deleted and created again, where the split
            was to read them up to a known end.
        settled: What the ledger has of the topics that were deleted and created again.
        notes: Lines for the user.
    """

    topics: Topics
    begun: tuple[Begun, ...] = ()
    truncated: str | None = None
    replaced: tuple[Partition, ...] = ()
    settled: Settled = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Starts:
    """Decides where partitions begin.

    A partition begins at its position, else at the first gap of the ledger, else where the
    group stands, else where the URI says. One that appears later begins at its first offset,
    and so does one of a topic that was deleted and created again: what group and URI say was
    meant for the old one.

    Attributes:
        cluster: Where to ask.
        address: What is read.
        index: The split reads the partitions ``p`` with ``p % of == index``.
        of: How many splits there are.
        bounded: Stop at the ends that are seen at first.
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
            reading: The partitions that are being read, or were read to their end, and their
                names in the ledger.
            waiting: Partitions whose next offset the broker does not have, or that were not
                there at the last look.
            first: Nothing has been read by this reader yet.

        Raises:
            ConfigError: The cluster refuses.
            SourceUnavailable: No answer.
            SinkUnavailable: No answer of the ledger.
        """
        topics = self.cluster.topics(self.address)
        resumed = _Resumed(self.position, waiting)
        held = {**reading, **{each.place: each.label for each in waiting}}
        new = {
            place: label
            for place, label in topics.labels.items()
            if place[1] % self.of == self.index
            and not (place in reading and same(reading[place], label))
            and self._wanted(place, label, resumed, waiting, first=first)
        }
        replaced = self._replaced(topics, resumed) if first and self.bounded else ()
        for each in replaced:
            if each.topic not in topics.ids:
                return Look(topics, truncated=f"topic {each.topic} does not exist (any more)")
        changed = [
            place[0]
            for place, label in held.items()
            if place[0] in topics.ids and not same(label, topics.labels.get(place, _NOBODY))
        ]
        concerned = [*(topic for topic, _ in new), *(each.topic for each in replaced), *changed]
        settled = {
            topic: self.ledger.partitions(f"kafka://{topic}") for topic in dict.fromkeys(concerned)
        }
        begun, truncated, notes = self._begin(topics, new, resumed, settled, held, first=first)
        return Look(topics, begun, truncated, replaced, settled, notes)

    def _wanted(
        self,
        place: Place,
        label: str,
        resumed: _Resumed,
        waiting: Sequence[Partition],
        *,
        first: bool,
    ) -> bool:
        """Whether a partition that is not being read is to be read: a bounded split takes none
        that appeared after it saw the ends."""
        if not self.bounded:
            return True
        if not first:
            return any(each.place == place and same(each.label, label) for each in waiting)
        known = known_as(label, resumed.offsets[place[0]])
        return not self.position or known in resumed.ends[place[0]]

    def _replaced(self, topics: Topics, resumed: _Resumed) -> tuple[Partition, ...]:
        """What a bounded split was to read of partitions that are not there any more."""
        found: list[Partition] = []
        for topic, ends in resumed.ends.items():
            for label, end in ends.items():
                at, place = resumed.offsets[topic].get(label, 0), (topic, number_of(label))
                if at < end and not same(label, topics.labels.get(place, _NOBODY)):
                    found.append(Partition(topic, place[1], label, at, end, end, end))
        return tuple(found)

    def _begin(
        self,
        topics: Topics,
        new: Mapping[Place, str],
        resumed: _Resumed,
        settled: Settled,
        held: Mapping[Place, str],
        *,
        first: bool,
    ) -> tuple[tuple[Begun, ...], str | None, tuple[str, ...]]:
        """The partitions that begin, or why none does, and lines for the user."""
        if not new:
            return (), None, ()
        bounds = self.cluster.bounds(new)
        others = {
            topic: {id_of(label) for label in (*settled[topic], *resumed.offsets[topic])}
            - {topics.ids[topic], ""}
            for topic, _ in new
        }
        unknown = [
            place
            for place, label in new.items()
            if not others[place[0]]
            and known_as(label, resumed.offsets[place[0]]) is None
            and known_as(label, settled[place[0]]) is None
        ]
        fresh = [place for place in unknown if first and not self._added(place, new, settled)]
        begins = self._policy(fresh, bounds)
        notes: list[str] = []
        begun: list[Begun] = []
        for place, label in new.items():
            topic, number = place
            low, high = bounds[place]
            pins: tuple[Range, ...] = ()
            earlier = known_as(label, resumed.offsets[topic])
            if earlier is not None:
                label, at = earlier, resumed.offsets[topic][earlier]
            elif (
                (earlier := known_as(label, settled[topic]))
                and settled[topic][earlier].ranges
                and (id_of(earlier) or not others[topic])
            ):
                ranges = settled[topic][earlier].ranges
                at = ranges[0][1]
                if not id_of(earlier) and id_of(label):
                    # From now on under the name with the id, which tells a later namesake apart.
                    pins = ((at, at), *ranges[1:])
                else:
                    label = earlier
            elif others[topic]:
                at, pins = low, ((low, low),)
                if number == 0 and not any(topic == of for of, _ in held):
                    notes += _note(topic, others[topic], settled[topic])
                if low:
                    notes.append(f"{topic}/{number} begins at offset {low}, the first that exists")
            else:
                at = begins.get(place, low)
                if place in begins and self.address.start != "earliest":
                    pins = ((at, at),)
            if at > high:
                high = self.cluster.written([place])[place]
            if at > high:
                truncated = (
                    f"{topic}/{number} ends at offset {high}, but {at} was to be read "
                    "next: its log was truncated; nothing is reset by itself (create the topic "
                    f"anew, or delete partition {label} of kafka://{topic} from the ledger to "
                    "read it again)"
                )
                return (), truncated, ()
            end = resumed.ends[topic].get(label, high) if self.bounded else None
            known = settled[topic].get(label, Coverage())
            partition = Partition(topic, number, label, at, end, high, high)
            begun.append(Begun(partition, low, pins, known.ranges))
        return tuple(begun), None, tuple(notes)

    def _added(self, place: Place, new: Mapping[Place, str], settled: Settled) -> bool:
        """Whether the topic grew since an earlier run: it knows other partitions of it."""
        topic = place[0]
        if self.position:
            return True
        return any(
            other[0] == topic and known_as(label, settled[topic]) is not None
            for other, label in new.items()
        )

    def _policy(
        self, fresh: list[Place], bounds: Mapping[Place, tuple[int, int]]
    ) -> dict[Place, int]:
        """Where partitions begin that nobody has read; those not in it begin at the first offset."""
        if not fresh:
            return {}
        committed = self.cluster.committed(fresh, self.address.group) if self.address.group else {}
        others = [place for place in fresh if place not in committed]
        start = self.address.start
        if start == "earliest":
            return committed
        if start == "latest":
            return committed | {place: bounds[place][1] for place in others}
        found = self.cluster.at_time(others, start)
        return committed | {
            place: bounds[place][1] if offset < 0 else offset for place, offset in found.items()
        }


class _Resumed:
    """Positions by topic and name in the ledger; those of ``waiting`` are the newer ones."""

    def __init__(self, position: Position, waiting: Collection[Partition]) -> None:
        self.offsets: defaultdict[str, dict[str, int]] = defaultdict(dict)
        self.ends: defaultdict[str, dict[str, int]] = defaultdict(dict)
        for name, offset in position:
            into = self.ends if name.startswith(END) else self.offsets
            topic, _, label = name.removeprefix(END).partition("/")
            into[topic][label] = offset
        for each in waiting:
            self.offsets[each.topic][each.label] = each.next
            if each.end is not None:
                self.ends[each.topic][each.label] = each.end


def _note(topic: str, ids: Collection[str], settled: Mapping[str, Coverage]) -> list[str]:
    """Says that a topic is another one than an earlier run has read."""
    open_ends = sorted(
        (number_of(label), coverage.ranges[-1][1])
        for label, coverage in settled.items()
        if id_of(label) in ids and coverage.ranges and coverage.end is None
    )
    if not open_ends:
        return []
    shown = ", ".join(f"partition {number}: {end}" for number, end in open_ends[:_SHOWN])
    more = f" and {len(open_ends) - _SHOWN} more" if len(open_ends) > _SHOWN else ""
    line = (
        f"topic {topic} was deleted and created again, or is one of another cluster: the new one "
        "is read from its beginning; whether the old one had more than was read of it (up to "
        f"offset, {shown}{more}) is not known"
    )
    return [line]
