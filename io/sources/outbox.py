"""The outbox as a source: changes of tables that are not published yet."""

from __future__ import annotations

import logging
import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Protocol

from transforms.batch.backoff import Backoff, Outage
from transforms.batch.coverage import Ledger
from transforms.batch.expected import ExpectedFields
from transforms.batch.record import RecordBatch
from transforms.batch.splits import Acknowledger, BatchLimits, Polled, Position, Split
from transforms.errors import Contention, SinkUnavailable
from transforms.read import drain

_log = logging.getLogger(__name__)

SCHEME = "outbox://"
_IDLE = Backoff(base=0.05, cap=0.5)
"""Waits of a streaming split without changes; they bound how late a change is published."""
_PATIENCE = 1.5
"""How many leases long a bounded split waits for another holder: a dead one's has run out then."""


class OutboxQueue(Protocol):
    """The rows of an outbox that are not published yet. Picklable, without secrets.

    Every call may raise ``SinkUnavailable`` or ``Contention``, and can then be repeated.
    """

    @property
    def name(self) -> str:
        """Names the target tables whose changes it holds."""
        ...

    @property
    def lease_seconds(self) -> float:
        """How long a publisher may be silent before another one takes over its part."""
        ...

    def check(self) -> None:
        """Fail early, on the submitting machine; raises ``ConfigError``."""
        ...

    def hold(self, number: int, count: int) -> bool:
        """Take or keep part ``number`` of ``count``; False while another process holds some of it.

        The parts are disjoint, and all rows of one key are in the same part.
        """
        ...

    def release(self, number: int, count: int) -> None:
        """Give up the part."""
        ...

    def read(
        self, number: int, count: int, limits: BatchLimits, taken: Collection[int]
    ) -> tuple[RecordBatch | None, set[int]]:
        """The first rows of a part that are neither published nor ``taken``, by number.

        It looks at all unpublished rows in one snapshot. A transaction that commits late brings
        numbers below those that were read before; if they were skipped, a later change of the
        same key would overtake them.

        Returns:
            The rows, whose offsets are their numbers, or None; and the numbers among ``taken``
            that are not published yet.
        """
        ...

    def maintain(self) -> None:
        """Delete rows that were published long enough ago."""
        ...


@dataclass(frozen=True, slots=True)
class OutboxSource:
    """The unpublished changes of one table, or of all tables.

    Attributes:
        queue: Where they are stored.
        count: How many splits share them, by key.
        streaming: Read forever; otherwise end once nothing is left.
        limits: Bounds of one batch.
        outage_budget: Seconds to wait for a database that is away.
    """

    queue: OutboxQueue
    count: int = 1
    streaming: bool = False
    limits: BatchLimits = BatchLimits()  # noqa: RUF009 - frozen
    outage_budget: float = 300.0

    @property
    def uri(self) -> str:
        """Names the target tables."""
        return f"{SCHEME}{self.queue.name}"

    @property
    def open_ended(self) -> bool:
        """Yes: more may always come."""
        return True

    @property
    def holds_several(self) -> bool:
        """No: a row is one change."""
        return False

    def expecting(self, fields: ExpectedFields) -> OutboxSource:
        """This source: a change names its fields."""
        return self

    def check(self) -> None:
        """Check that there is an outbox."""
        self.queue.check()

    def fixed(self) -> OutboxSource:
        """This source: how many splits it has does not depend on a service."""
        return self

    def owns(self, source: str) -> bool:
        """No: the ledger does not cover an outbox, whose own rows say what is published."""
        return False

    def splits(self, ledger: Ledger) -> Iterator[Split]:
        """``count`` splits, each with the changes of its own keys."""
        for number in range(self.count):
            yield Split(self.uri, f"{number}/{self.count}")

    def open(self, split: Split, position: Position, ledger: Ledger) -> OutboxReader:
        """A reader; I/O begins with its first poll."""
        return OutboxReader(self, split, position)

    def acknowledger(self) -> Acknowledger | None:
        """None: the rows themselves say what is settled."""
        return None


class OutboxReader:
    """Reads the rows of one split, for as long as no other process does.

    A position says how many rows were read, only to tell readers apart: a reader that is opened
    anew begins with the first unpublished row.
    """

    def __init__(self, source: OutboxSource, split: Split, position: Position = ()) -> None:
        self._source = source
        # Not the source's count: a split of a savepoint keeps its part, even if the count changes.
        number, _, count = split.name.partition("/")
        self._number, self._count = int(number), int(count)
        self._read = dict(position).get("", 0)
        self._taken: set[int] = set()  # read in this bundle, and perhaps not published yet
        self._held_until = 0.0
        self._denied: float | None = None
        self._idle = 0
        self._outage = Outage(
            Backoff(0.25, 15.0), source.outage_budget, service="database", sleep=drain.wait
        )

    def poll(self, timeout: float) -> Polled:
        """The next rows; without any, the bundle ends, so that all are published.

        Raises:
            SinkUnavailable: The database was away for longer than the outage budget.
            Contention: The database rolled back every try for that long.
        """
        queue, count = self._source.queue, self._count
        try:
            if not self._hold():
                return self._wait_for_holder()
            queue.maintain()
            batch, unpublished = queue.read(self._number, count, self._source.limits, self._taken)
        except (SinkUnavailable, Contention) as error:
            if drain.requested():
                raise
            if not self._outage.wait(error):
                self._outage.say_waited(error)
                raise
            return self._rest()
        self._outage.end()
        if batch is not None:
            self._idle = 0
            self._read += len(batch.raws)
            self._taken = unpublished.union(batch.offsets)
            return Polled((batch,), self._position)
        if unpublished:
            return self._rest()
        if not self._source.streaming:
            self._release()
            return Polled((), self._position, done=True)
        self._idle += 1
        drain.wait(_IDLE.delay(self._idle))
        return self._rest()

    def backlog(self) -> int:
        """Not known without I/O."""
        return 0

    def close(self) -> None:
        """Does nothing: rows that were read are still published under the lease."""

    def _hold(self) -> bool:
        """Whether this process holds the split; asks the database a few times in each lease."""
        clock = time.monotonic()
        if clock < self._held_until:
            return True
        if not self._source.queue.hold(self._number, self._count):
            self._held_until = 0.0
            return False
        self._held_until = clock + self._source.queue.lease_seconds / 4
        self._denied = None
        return True

    def _wait_for_holder(self) -> Polled:
        clock = time.monotonic()
        if self._denied is None:
            self._denied = clock
        patience = self._source.queue.lease_seconds * _PATIENCE
        if not self._source.streaming and clock - self._denied >= patience:
            _log.warning(
                "part %d of %d of %s is being published by another process, left to it",
                *(self._number + 1, self._count, self._source.uri),
                extra={
                    "source": self._source.uri,
                    "partition": f"{self._number + 1}/{self._count}",
                },
            )
            return Polled((), self._position, done=True)
        self._idle += 1
        drain.wait(_IDLE.delay(self._idle))
        return self._rest()

    def _rest(self) -> Polled:
        """End the bundle; after that, the table alone says what is published."""
        self._taken = set()
        return Polled((), self._position, watermark=time.time(), rest=True)

    def _release(self) -> None:
        try:
            self._source.queue.release(self._number, self._count)
        except (SinkUnavailable, Contention) as error:
            line = "the lease is left to run out: %s"
            _log.debug(line, error, extra={"source": self._source.uri})

    @property
    def _position(self) -> Position:
        return (("", self._read),)
