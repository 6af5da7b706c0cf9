"""What was read ahead and waits for its turn, by tenant: bounded, in order within each tenant."""

from __future__ import annotations

from collections import Counter, OrderedDict, deque
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field

from sources.kafka.fair.held_batch import HeldBatch
from sources.kafka.fair.round_robin import RoundRobin
from sources.kafka.fair.tenants import Tenants
from transforms.batch.record import RecordBatch, Span

Place = tuple[str, str]
"""Source and partition."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much is read ahead; of one split, and exceeded by one poll at most.

    Attributes:
        records: Records that wait.
        bytes: Bytes of the batches of which anything waits.
        batches: Batches of which anything waits.
        holes: Parts that were taken while something before them waits. The ledger has a row for each
            until it is filled; with more, the oldest records come first, whosever they are.
    """

    records: int = 100_000
    bytes: int = 64 << 20
    batches: int = 2_000
    holes: int = 4_000


@dataclass(slots=True)
class _Queue:
    """The records of one tenant, in order: batches, and indices in each."""

    waiting: int = 0
    parts: deque[tuple[HeldBatch, list[int]]] = field(default_factory=deque)

    def add(self, held: HeldBatch, indices: list[int]) -> None:
        self.waiting += len(indices)
        self.parts.append((held, indices))

    def choose(self, number: int) -> list[HeldBatch]:
        """Choose the next ``number`` records; returns the batches that they are in."""
        self.waiting -= number
        touched: list[HeldBatch] = []
        while number:
            held, indices = self.parts.popleft()
            if len(indices) > number:
                self.parts.appendleft((held, indices[number:]))
                indices = indices[:number]
            held.choose(indices)
            number -= len(indices)
            touched.append(held)
        return touched


class Window:
    """Batches of one split, taken record by record in turns of their tenants.

    The first thing that is taken of a partition says where it begins: whoever reads the topic again
    begins at the first gap of the ledger, and must not take the first record settled for the beginning.

    Args:
        tenants: Whose each record is.
        bounds: How much is held.
    """

    def __init__(self, tenants: Tenants, bounds: Bounds | None = None) -> None:
        self._tenants = tenants
        self._bounds = bounds or Bounds()
        self._queues: dict[Hashable, _Queue] = {}
        self._turns: RoundRobin[Hashable] = RoundRobin()
        self._held: dict[Place, OrderedDict[int, HeldBatch]] = {}
        self._empty: list[RecordBatch] = []
        self._last: list[RecordBatch] = []
        self._begun: set[Place] = set()
        self._number = self._records = self._bytes = self._batches = self._holes = 0

    @property
    def full(self) -> bool:
        """Whether nothing more should be read ahead."""
        bounds = self._bounds
        return (
            self._records >= bounds.records
            or self._bytes >= bounds.bytes
            or self._batches + len(self._empty) >= bounds.batches
        )

    @property
    def records(self) -> int:
        """How many records wait, those that failed in being read included."""
        return self._records

    def __bool__(self) -> bool:
        """Whether anything waits."""
        return bool(self._batches or self._empty or self._last)

    @property
    def lowest(self) -> Mapping[Place, int]:
        """The lowest offset that waits of each partition."""
        return {place: next(iter(held.values())).lowest for place, held in self._held.items()}

    @property
    def ahead(self) -> Mapping[Place, int]:
        """How many records of each partition wait."""
        return {
            place: sum(each.left for each in held.values()) for place, held in self._held.items()
        }

    def watermark(self, latest: float | None) -> float | None:
        """What holds for the watermark: ``latest`` if nothing waits, otherwise what did before the oldest."""
        if not self._held:
            return latest
        oldest = min(
            (next(iter(held.values())) for held in self._held.values()),
            key=lambda each: each.number,
        )
        return oldest.watermark

    def add(self, batch: RecordBatch, watermark: float | None = None) -> None:
        """Let the records of ``batch`` wait.

        Args:
            batch: It follows what was added before of its partition.
            watermark: What held for the watermark before it was read.
        """
        place = batch.span.source, batch.span.partition
        if batch.span.final:
            self._last.append(batch)
            return
        if not batch.raws:
            self._begun.add(place)
            self._empty.append(batch)
            self._records += batch.read
            return
        if place not in self._begun:
            self._begun.add(place)
            start = batch.span.start
            self._empty.append(RecordBatch(Span(*place, start, start), batch.format, [], []))
        self._number += 1
        tenants = self._tenants(batch)
        held = HeldBatch(batch, tenants, self._number, watermark)
        self._held.setdefault(place, OrderedDict())[held.number] = held
        self._records += held.left
        self._bytes += held.size
        self._batches += 1
        groups: dict[Hashable, list[int]] = {}
        for index, tenant in enumerate(tenants):
            group = groups.get(tenant)
            if group is None:
                groups[tenant] = [index]
            else:
                group.append(index)
        for tenant, indices in groups.items():
            self._queues.setdefault(tenant, _Queue()).add(held, indices)
            self._turns.join(tenant)

    def take(self, number: int) -> list[RecordBatch]:
        """The next ``number`` records or so, in the order of arrival: batches whose spans do not overlap.

        What has no record comes first and counts.
        """
        batches, self._empty = self._empty, []
        without = sum(batch.read for batch in batches)
        self._records -= without
        if self._records + without <= number:
            touched = self._choose_all()
        else:
            touched = self._choose(max(1, number - without))
        for held in touched:
            before, holes = held.left, held.holes
            batches += held.take()
            self._records -= before - held.left
            self._holes += held.holes - holes
            if not held.left:
                self._drop(held)
        return batches + self._ends()

    def _choose_all(self) -> list[HeldBatch]:
        self._queues.clear()
        self._turns.clear()
        touched = [each for held in self._held.values() for each in held.values()]
        for held_batch in touched:
            held_batch.choose_rest()
        return sorted(touched, key=lambda each: each.number)

    def _choose(self, number: int) -> list[HeldBatch]:
        if self._holes > self._bounds.holes:
            shares: Mapping[Hashable, int] = self._oldest(number)
        else:
            waiting = {tenant: queue.waiting for tenant, queue in self._queues.items()}
            shares = self._turns.shares(waiting, number)
        touched: dict[int, HeldBatch] = {}
        for tenant, share in shares.items():
            queue = self._queues[tenant]
            touched |= {held.number: held for held in queue.choose(share)}
            if not queue.waiting:
                del self._queues[tenant]
                self._turns.leave(tenant)
        return [touched[each] for each in sorted(touched)]

    def _oldest(self, number: int) -> Counter[Hashable]:
        """How many of the oldest ``number`` records each tenant has: they are the first in their queues."""
        every = [each for held in self._held.values() for each in held.values()]
        shares: Counter[Hashable] = Counter()
        for held in sorted(every, key=lambda each: each.number):
            indices = held.oldest(number)
            shares.update(held.tenants[index] for index in indices)
            number -= len(indices)
            if not number:
                break
        return shares

    def _drop(self, held: HeldBatch) -> None:
        """Nothing of it waits any more."""
        of_place = self._held[held.place]
        del of_place[held.number]
        if not of_place:
            del self._held[held.place]
        self._bytes -= held.size
        self._batches -= 1

    def _ends(self) -> list[RecordBatch]:
        """The batches that end partitions for good of which nothing waits."""
        ends = [
            each for each in self._last if (each.span.source, each.span.partition) not in self._held
        ]
        self._last = [each for each in self._last if each not in ends]
        return ends
