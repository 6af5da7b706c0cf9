"""Where each partition of a split begins: looked up in the background, never in a poll."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from sources.kafka_cluster import Cluster, Place, Topics
from sources.kafka_partition import END, Partition
from sources.kafka_uri import Address
from transforms.coverage import Coverage, Ledger
from transforms.splits import Position


@dataclass(frozen=True, slots=True)
class Begun:
    """A partition to read from now on.

    Attributes:
        partition: Its state, at the offset to read first.
        low: Its first offset that still exists.
        pin: Record in the ledger where it begins, though nothing has been read: a restart
            must not choose another beginning.
    """

    partition: Partition
    low: int
    pin: bool = False


@dataclass(frozen=True, slots=True)
class Look:
    """What one look at the cluster has found for a split.

    Attributes:
        topics: The topics of the URI as they are now.
        begun: Partitions of this split that were not known before, or had lost their place.
        truncated: Why reading must stop: a log is shorter than what has been read of it.
    """

    topics: Topics
    begun: tuple[Begun, ...] = ()
    truncated: str | None = None


@dataclass(frozen=True, slots=True)
class Starts:
    """Decides where partitions begin.

    A partition begins at its position, else at the first gap of the ledger, else where the
    group stands, else where the URI says. One that appears later begins at its first offset.

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

    def look(self, known: Collection[str], lost: Mapping[str, int], *, first: bool) -> Look:
        """Look at the cluster.

        Args:
            known: Names of the partitions that are being read.
            lost: The part of the position that is about partitions whose next offset the
                broker does not have.
            first: Nothing has been read by this reader yet.

        Raises:
            ConfigError: The cluster refuses.
            SourceUnavailable: No answer.
            SinkUnavailable: No answer of the ledger.
        """
        topics = self.cluster.topics(self.address)
        mine = {
            place: label
            for place, label in topics.labels.items()
            if place[1] % self.of == self.index
        }
        resumed = {**dict(self.position), **lost}
        new: dict[Place, str] = {}
        for (topic, number), label in mine.items():
            name = f"{topic}/{label}"
            if name in known:
                continue
            if self.bounded and not first and name not in lost:
                continue  # appeared after the ends were seen
            if self.bounded and self.position and f"{END}{name}" not in resumed:
                continue
            new[topic, number] = label
        return self._begin(topics, new, resumed, first=first) if new else Look(topics)

    def _begin(
        self,
        topics: Topics,
        new: Mapping[Place, str],
        resumed: Mapping[str, int],
        *,
        first: bool,
    ) -> Look:
        bounds = self.cluster.bounds(new)
        settled = {
            topic: self.ledger.partitions(f"kafka://{topic}")
            for topic in dict.fromkeys(topic for topic, _ in new)
        }
        unknown = [
            place
            for place, label in new.items()
            if f"{place[0]}/{label}" not in resumed and label not in settled[place[0]]
        ]
        fresh = [place for place in unknown if first and not self._added(place, new, settled)]
        begins = self._policy(fresh, bounds)
        begun: list[Begun] = []
        for place, label in new.items():
            topic, number = place
            name = f"{topic}/{label}"
            low, high = bounds[place]
            pin = place in begins and self.address.start != "earliest"
            at = resumed.get(name)
            if at is None:
                at = _first_gap(settled[topic].get(label))
            if at is None:
                at = begins.get(place, low)
            if at > high:
                high = self.cluster.written([place])[place]
            if at > high:
                return Look(
                    topics,
                    truncated=f"{topic}/{number} ends at offset {high}, but {at} was to be read "
                    "next: its log was truncated; nothing is reset by itself (create the topic "
                    f"anew, or delete partition {label} of kafka://{topic} from the ledger to "
                    "read it again)",
                )
            end = resumed.get(f"{END}{name}", high) if self.bounded else None
            begun.append(Begun(Partition(topic, number, label, at, end, high), low, pin))
        return Look(topics, tuple(begun))

    def _added(
        self,
        place: Place,
        new: Mapping[Place, str],
        settled: Mapping[str, Mapping[str, Coverage]],
    ) -> bool:
        """Whether the topic grew since an earlier run: it knows other partitions of it."""
        topic = place[0]
        if self.position:
            return True
        return any(other[0] == topic and label in settled[topic] for other, label in new.items())

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


def _first_gap(coverage: Coverage | None) -> int | None:
    """Where what is settled without a gap ends."""
    return coverage.ranges[0][1] if coverage and coverage.ranges else None
