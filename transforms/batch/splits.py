"""What a connector supplies: a ``Source`` that knows its splits, and a ``Reader`` for each."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from transforms.batch.content import Content
from transforms.batch.coverage import Ledger
from transforms.batch.expected import ExpectedFields
from transforms.batch.record import RecordBatch, Span

Position = tuple[tuple[str, int], ...]
"""How far a split has been read: sorted pairs of a name and its next offset.

An object has one pair with an empty name. A Kafka split has one pair for each partition
(``topic/partition``) and, if it is bounded, a second one with the end that was seen first
(``end:topic/partition``).
"""


Cut = Callable[[RecordBatch], Iterable[RecordBatch]]
"""Makes of a batch of messages the batches of the records that they hold."""

ContentOf = Callable[[int, int], Content | None]
"""The bytes between two offsets of what was polled last; None if they are not known."""


@dataclass(frozen=True, slots=True)
class Split:
    """One unit of reading: the element of the splittable DoFn.

    Its encoded bytes are the state key on Flink, so it holds plain values only.

    Attributes:
        source: URI of the ``Source`` that it belongs to, as the user wrote it.
        name: What it reads: an object's URI, or ``i/n`` of a Kafka topic.
        version: The pinned version of an object.
        size: Stored bytes left to read: its part of the progress bar.
        start: First offset to read.
        end: Where to stop; None reads to the end of the object, or forever.
        takes_over: What to settle first: the object had another name or version when it was read.
    """

    source: str
    name: str
    version: str = ""
    size: int = 0
    start: int = 0
    end: int | None = None
    takes_over: tuple[Span, ...] = ()


@dataclass(frozen=True, slots=True)
class Polled:
    """The result of one poll.

    Attributes:
        batches: Batches in order; empty when nothing came within the time-out.
        position: Where to read on after them.
        done: Nothing will ever follow ``position`` in this split.
        watermark: No record with an earlier event time will follow, in seconds
            since the epoch; None keeps the watermark where it is.
        rest: There is nothing to read for now: end the bundle and let other splits go on.
        cut: Applied to one batch after another as they are emitted, so that what is cut of one is
            gone before the next; None if records need no cutting.
        content_of: The bytes of a part of a span, for a batch that is emitted in parts; None if
            they are not known.
        release: Called with batches that will not be emitted, where somebody has to hear of it.
    """

    batches: Sequence[RecordBatch]
    position: Position
    done: bool = False
    watermark: float | None = None
    rest: bool = False
    cut: Cut | None = None
    content_of: ContentOf | None = None
    release: Callable[[Sequence[RecordBatch]], object] | None = None


@dataclass(frozen=True, slots=True)
class BatchLimits:
    """Bounds of one batch.

    Attributes:
        records: The most records.
        bytes: The most raw bytes, approximately.
    """

    records: int = 5_000
    bytes: int = 8 << 20


class Reader(Protocol):
    """Reads one split from a position on. Used by one thread at a time."""

    def poll(self, timeout: float) -> Polled:
        """The next batches, waiting at most ``timeout`` seconds for the first record.

        It never raises for a bad record or a bad object: they travel in the batch as failures.

        Raises:
            SourceUnavailable: The source could not be reached, even after retries.
        """
        ...

    def backlog(self) -> int:
        """What is left to read, from memory (no I/O).

        In the unit of ``Split.size``: stored bytes of objects, records of a topic.
        """
        ...

    def close(self) -> None:
        """Release connections and buffers; may be called twice."""
        ...


@runtime_checkable
class Attended(Protocol):
    """A reader that has something to do while an operator holds its split, such as to serve a client."""

    def attend(self) -> None:
        """Do it, and return at once. The next ``poll`` goes on where the last one ended.

        Raises:
            SourceUnavailable: As ``poll``.
        """
        ...


@runtime_checkable
class Followed(Protocol):
    """A source of which others see how far it is read."""

    def aside(self, *, from_start: bool) -> Source:
        """The same source for somebody who only looks: nobody is told what is read of it.

        Args:
            from_start: Whether it begins at the first offset that there is, whatever the source says.
        """
        ...


class Acknowledger(Protocol):
    """Tells the system that records come from how far they are settled: advisory, never waits.

    Used by all threads of a process.
    """

    def note(self, span: Span) -> None:
        """Take note of a settled span; returns at once and does not raise."""
        ...

    def flush(self, timeout: float) -> None:
        """Pass on now what was noted, within ``timeout`` seconds."""
        ...


class Source(Hashable, Protocol):
    """One ``--source``: a frozen, picklable configuration without secrets.

    It is used in this order. Where the job is submitted: ``expecting``, ``check``, ``fixed``.
    While the job runs: ``splits`` and ``open``, and, once a span is settled, ``owns`` and
    ``acknowledger``.
    """

    @property
    def uri(self) -> str:
        """The URI as the user wrote it; it names the source in its splits."""
        ...

    @property
    def streaming(self) -> bool:
        """Whether it was made to be read forever, including what arrives later."""
        ...

    @property
    def open_ended(self) -> bool:
        """Whether its partitions have no end, so that none is ever complete (a topic's)."""
        ...

    @property
    def holds_several(self) -> bool:
        """Whether one message may hold several records, which only their numbers tell apart."""
        ...

    def expecting(self, fields: ExpectedFields) -> Source:
        """This source, told what the target expects of records.

        ``self`` where records name their fields themselves.
        """
        ...

    def check(self) -> None:
        """Fail early, on the submitting machine, if nothing can be read.

        Raises:
            ConfigError: The URI or an option is wrong, or a glob matches nothing.
            SourceUnavailable: The service cannot be reached.
        """
        ...

    def fixed(self) -> Source:
        """This source with everything fixed that decides how it is cut into splits.

        A split's name is the key of its state: it must not change while a job or a savepoint
        of it lives. ``self`` where that does not depend on a service.

        Raises:
            ConfigError: The service refuses.
            SourceUnavailable: The service cannot be reached.
        """
        ...

    def owns(self, source: str) -> bool:
        """Whether records whose origin names ``source`` come from this source."""
        ...

    def splits(self, ledger: Ledger) -> Iterable[Split]:
        """The splits that are not settled yet, lazily."""
        ...

    def open(self, split: Split, position: Position, ledger: Ledger) -> Reader:
        """A reader of ``split`` from ``position`` on; an empty position means its start."""
        ...

    def acknowledger(self) -> Acknowledger | None:
        """A new acknowledger, made once in each process; None where nobody wants to know."""
        ...
