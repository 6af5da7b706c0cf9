"""In-memory source, ledger and sink with the same interfaces as the real ones.

They are importable (not defined in a test module's ``__main__``), so that pickling by
reference keeps pointing at this process's state.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from transforms.batch.counts import Counts
from transforms.batch.coverage import Coverage, Ledger, merge
from transforms.batch.expected import ExpectedFields
from transforms.batch.record import JSON, Failure, Record, RecordBatch, Span
from transforms.batch.splits import Acknowledger, Cut, Polled, Position, Split
from transforms.settle.commit import WriteConfig, commit
from transforms.settle.flight import Flights, Footprint, Line
from transforms.settle.sink import Settled, Sink
from transforms.steps.apply import apply_to_values, checked


class NoLedger:
    """A ledger that knows nothing."""

    def coverage(self, partitions: Sequence[tuple[str, str]]) -> dict[tuple[str, str], Coverage]:
        return {}

    def partitions(self, source: str) -> dict[str, Coverage]:
        return {}

    def is_empty(self) -> bool:
        return True

    def versions(self, sources: Sequence[str]) -> dict[tuple[str, str], Coverage]:
        return {}

    def elsewhere(self, partitions: Sequence[str]) -> dict[tuple[str, str], Coverage]:
        return {}


@dataclass(frozen=True)
class ListSource:
    """Serves numbered records ``{"n": i}`` in batches; counts its readers in ``OPENED``."""

    name: str
    partitions: int = 1
    records: int = 10
    batch: int = 3
    endless: bool = False
    event_times: bool = False
    cut: Cut | None = None

    @property
    def uri(self) -> str:
        return f"memory://{self.name}"

    @property
    def streaming(self) -> bool:
        return self.endless

    @property
    def open_ended(self) -> bool:
        return self.endless

    @property
    def holds_several(self) -> bool:
        return False

    def expecting(self, fields: ExpectedFields) -> ListSource:
        return self

    def check(self) -> None:
        return None

    def fixed(self) -> ListSource:
        return self

    def owns(self, source: str) -> bool:
        return source.startswith(f"{self.uri}/")

    def splits(self, ledger: Ledger) -> Iterable[Split]:
        for index in range(self.partitions):
            yield Split(self.uri, f"{self.uri}/{index}", size=self.records)

    def open(self, split: Split, position: Position, ledger: Ledger) -> ListReader:
        OPENED.append((split.name, position))
        return ListReader(self, split, dict(position).get("", 0))

    def acknowledger(self) -> Acknowledger | None:
        return None


OPENED: list[tuple[str, Position]] = []
CLOSED: list[str] = []


class ListReader:
    def __init__(self, source: ListSource, split: Split, offset: int) -> None:
        self._source = source
        self._split = split
        self._offset = offset

    def poll(self, timeout: float) -> Polled:
        end = min(self._offset + self._source.batch, self._source.records)
        offsets = range(self._offset, end)
        exhausted = end == self._source.records
        batch = RecordBatch(
            span=Span(self._split.name, "0", self._offset, end, exhausted),
            format=JSON,
            offsets=offsets,
            raws=[b'{"n":%d}' % n for n in offsets],
            times=[1_000.0 + n for n in offsets] if self._source.event_times else None,
        )
        self._offset = end
        return Polled(
            batches=[batch] if offsets else [],
            position=(("", end),),
            done=exhausted and not self._source.endless,
            watermark=1_000.0 + end if self._source.event_times else None,
            cut=self._source.cut,
        )

    def backlog(self) -> int:
        return self._source.records - self._offset

    def close(self) -> None:
        CLOSED.append(self._split.name)


@dataclass
class Stored:
    """What a ``ListSink`` has been given; shared by all its pickled copies."""

    commits: list[list[RecordBatch]] = field(default_factory=list)
    faults: list[BaseException] = field(default_factory=list)
    isolated: list[bool] = field(default_factory=list)
    gate: threading.Event | None = None
    waiting: threading.Event = field(default_factory=threading.Event)
    finished: list[int] = field(default_factory=list)
    """For each bundle that has ended, the number of commits before."""

    def offsets(self) -> list[int]:
        """Offsets of all records committed, in order."""
        return [n for commit in self.commits for batch in commit for n in batch.offsets]

    def ranges(self) -> tuple[tuple[int, int], ...]:
        """Ranges committed, merged."""
        return merge(
            (batch.span.start, batch.span.end) for commit in self.commits for batch in commit
        )


STORED: dict[str, Stored] = {}


@dataclass(frozen=True)
class ListSink:
    """Keeps what it is given in ``STORED[name]``; raises its ``faults`` first, one a call."""

    name: str
    side_by_side: int = 1

    @classmethod
    def fresh(cls, name: str, *faults: BaseException, side_by_side: int = 1) -> ListSink:
        STORED[name] = Stored(faults=list(faults))
        return cls(name, side_by_side)

    @property
    def stored(self) -> Stored:
        return STORED[self.name]

    def check_read(self, ledger: Ledger) -> None:
        return None

    def begin(self) -> None:
        return None

    def job_of(self, failure: Failure) -> int | None:
        return None

    def complete(self, batches: Sequence[RecordBatch]) -> bool:
        return True

    def in_flight(self) -> int:
        return self.side_by_side

    def footprint(self, batches: Sequence[RecordBatch]) -> Footprint | None:
        return None

    def commit(
        self,
        batches: Sequence[RecordBatch],
        *,
        isolate: bool = False,
        turn: Callable[[], None] | None = None,
    ) -> list[Settled]:
        stored = self.stored
        stored.isolated.append(isolate)
        if stored.gate is not None:
            stored.waiting.set()
            assert stored.gate.wait(30), "the test never opened the gate"
        if stored.faults:
            raise stored.faults.pop(0)
        stored.commits.append(list(batches))
        return [_settle(batch) for batch in batches]

    def finish(self) -> None:
        self.stored.finished.append(len(self.stored.commits))


def committed_alone(
    sink: Sink, batches: Sequence[RecordBatch], config: WriteConfig
) -> tuple[list[Settled], float]:
    """``commit`` with nothing else in flight."""
    return commit(sink, batches, config, Flights(1).enter(Line(), Footprint()))


def _settle(batch: RecordBatch) -> Settled:
    dead = tuple(failure for failure in batch.failures if not failure.transient)
    retry = tuple(failure for failure in batch.failures if failure.transient)
    counts = Counts(
        read=batch.read,
        inserted=len(batch.raws),
        filtered=len(batch.filtered),
        dead=len(dead),
        retrying=len(retry),
    )
    return Settled(batch.span, counts, dead=dead, retry=retry)


def apply(batch: RecordBatch, fn: Callable[[Record], Any], label: str) -> RecordBatch:
    """``batch`` with ``fn`` applied to each record, as a step that calls it in its own thread does."""
    return apply_to_values(
        batch, list(batch.records()), lambda record: checked(record, fn(record)), label
    )


def batch_of(
    *raws: bytes, source: str = "memory://test", start: int = 0, final: bool = False
) -> RecordBatch:
    """A batch of raw JSON records at consecutive offsets."""
    offsets = range(start, start + len(raws))
    return RecordBatch(
        span=Span(source, "0", start, start + len(raws), final),
        format=JSON,
        offsets=offsets,
        raws=list(raws),
    )


def record_of(raw: bytes) -> Record:
    """A single raw JSON record."""
    return batch_of(raw).record(0)
