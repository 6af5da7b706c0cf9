"""Read one split until it is done or checkpointed, or its time is up: the loop of a reader.

What a poll has brought is emitted in batches that the steps can take in about two seconds each. Steps that
cannot take a batch now give it back (``transforms.steps.passage``). The claim of the poll is then given back
as well: the rest is kept with the reader, the restriction returns to where the poll began, and the split is
deferred, so that checkpoints pass. Whoever goes on elsewhere reads that poll again, and the ledger trims
what is settled of it.

A restriction has the generation of its position. Where an operator has had offsets forgotten since
(``transforms.read.control``), the position and the reader are dropped, and a new reader begins where the
ledger says.

An operator may hold the split (``hold``). Its reader is kept as well, and the bundle ends, so that what was
emitted is settled; a split that has an end ends before it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from apache_beam.transforms.window import TimestampedValue
from apache_beam.utils.timestamp import Duration, Timestamp

from transforms import instruments, metrics
from transforms.batch.coverage import Ledger
from transforms.batch.record import RecordBatch
from transforms.batch.splits import Attended, Polled, Position, Reader, Source, Split
from transforms.read import drain
from transforms.read.emission import Emission, Interrupted
from transforms.read.hold import DELAY_SECONDS, LOOK_SECONDS, Hold
from transforms.read.readers import READERS
from transforms.read.restriction import Remaining
from transforms.steps import passage as passages
from transforms.steps import service as services

_LOOK_SECONDS = 1.0
"""How long a reader waits for the steps before it asks again, where the runner does not wait for it."""


@dataclass(frozen=True, slots=True)
class Pacing:
    """How long the source keeps a bundle open, and how it waits.

    Attributes:
        bundle_seconds: Seconds after which a split checkpoints itself; None reads a bounded split
            to its end in one bundle.
        poll_seconds: The longest wait for the first record of a poll.
        resume_seconds: How long the runner should wait before the split goes on. Flink rounds it
            down to whole seconds; DirectRunner ignores it.
        most_records: The most records of a batch; None leaves it to the source.
    """

    bundle_seconds: float | None = None
    poll_seconds: float = 0.2
    resume_seconds: float = 0.0
    most_records: int | None = None


class Reading:
    """One call of the splittable DoFn.

    Args:
        source: The source of the split.
        split: What is read.
        ledger: Knows what is settled.
        tracker: Of the restriction; what has been claimed is emitted.
        watermark: The watermark estimator.
        pacing: How long bundles are.
        hold: Whether an operator lets the split be read now; by default it is.
    """

    def __init__(
        self,
        source: Source,
        split: Split,
        ledger: Ledger,
        tracker: Any,
        watermark: Any,
        pacing: Pacing,
        hold: Hold | None = None,
    ) -> None:
        self._source = source
        self._split = split
        self._ledger = ledger
        self._tracker = tracker
        self._watermark = watermark
        self._pacing = pacing
        self._hold = hold or Hold()
        remaining: Remaining = tracker.current_restriction()
        self._generation = remaining.generation
        self._position: Position = remaining.position
        self._before = self._position
        kept = READERS.take(source, split, self._position)
        self._emission: Emission | None = None
        self._reader: Reader | None = None
        if isinstance(kept, Interrupted):
            self._reader, self._emission = kept.reader, kept.emission
            self._claim_again(kept.emission.polled)
        else:
            self._reader = kept
        seconds = pacing.bundle_seconds
        self._deadline = None if seconds is None else time.monotonic() + seconds
        self._emitted = False
        self._over = False
        self._taken = False
        """Whether the runner has given the rest of the split to others: what was claimed is emitted here."""

    def batches(self) -> Iterator[Any]:
        """Poll, claim and emit."""
        try:
            while not self._over:
                if drain.requested():
                    # The rest stays unread on purpose; the ledger knows where to resume.
                    self._tracker.try_claim(self._remaining(self._position, done=True))
                    return
                if self._is_rewound and not self._begin_again():
                    return
                if self._is_held():
                    self._rest_held()
                    continue
                wait = services.turn()
                if wait:
                    self._wait(wait)
                    continue
                if self._emission is None:
                    self._poll()
                if self._emission is not None:
                    yield from self._emit(self._emission)
        finally:
            if self._emission is not None:
                self._emission.abandon()
            self._close()

    @property
    def _is_rewound(self) -> bool:
        """Whether offsets were forgotten since the position was noted."""
        return self._hold.generation > self._generation

    def _begin_again(self) -> bool:
        """Drop the position and what was polled: the ledger says where to go on.

        Returns False if the runner has taken a checkpoint meanwhile: whoever goes on drops them.
        """
        if self._emission is not None:
            self._emission.abandon()
        self._close()
        self._emission = None
        self._generation = self._hold.generation
        self._position = self._before = ()
        return bool(self._tracker.try_claim(self._remaining((), self._split.size)))

    def _remaining(self, position: Position, backlog: int = 0, *, done: bool = False) -> Remaining:
        return Remaining(position, backlog, done, self._generation)

    def _poll(self) -> None:
        """Poll and claim; afterwards there is something to emit, or it is over."""
        if self._reader is None:
            self._reader = self._source.open(self._split, self._position, self._ledger)
        polled = _poll(self._reader, self._pacing.poll_seconds, self._split.source)
        if not polled.batches:
            services.leave_turns()
        # Poll before claiming: a slow poll must not hold the lock of the tracker.
        if self._tracker.try_claim(self._remaining(polled.position, self._reader.backlog())):
            self._before, self._position = self._position, polled.position
            self._emission = Emission(polled)
        else:
            Emission(polled).abandon()
            self._over = True

    def _claim_again(self, polled: Polled) -> None:
        backlog = self._reader.backlog()  # type: ignore[union-attr]
        if not self._tracker.try_claim(self._remaining(polled.position, backlog)):
            self._over = True
        self._position = polled.position

    def _emit(self, emission: Emission) -> Iterator[Any]:
        """Emit what was polled, as far as the steps take it now."""
        while emission.rest:
            batch = emission.next(self._most())
            if batch is None:
                break
            passage = emission.passage(batch)
            passages.begin(passage)
            try:
                yield _timestamped(batch)
            finally:
                passages.end()
            self._emitted = True
            if passage.back_from is not None:
                emission.take_back(passage)
                if emission.rest:
                    if not services.is_away() and self._late:
                        self._suspend(0.0)
                    return
                break
            services.leave_turns()
            if emission.rest and (drain.requested() or (self._late and self._suspend(0.0))):
                return
            if emission.rest and self._is_held():
                return
            if emission.rest and services.is_away():
                return
        self._emission = None
        self._finish(emission.polled)

    def _finish(self, polled: Polled) -> None:
        """Everything of a poll is emitted."""
        if polled.watermark is not None:
            _advance(self._watermark, polled.watermark)
        if polled.done:
            self._tracker.try_claim(self._remaining(self._position, done=True))
            self._over = True
        elif polled.rest or self._late:
            self._suspend(self._pacing.resume_seconds)

    def _is_held(self) -> bool:
        """Whether nothing more may be emitted, or polled."""
        if self._emission is None:
            return self._hold.before_poll()
        return not self._taken and self._hold.before_batch()

    def _rest_held(self) -> None:
        """Leave the split for now, or for good if it has an end: the ledger knows where to go on."""
        services.leave_turns()
        if not self._hold.streaming:
            metrics.count("splits_held")
            self._tracker.try_claim(self._remaining(self._position, done=True))
            self._over = True
            return
        emission = self._emission
        if emission is not None and emission.polled.release is not None:
            # Jobs are due again: nobody is trying them.
            emission.abandon()
            self._emission = None
            self._close()
        if isinstance(self._reader, Attended):
            self._reader.attend()
        runner_waits = self._pacing.resume_seconds > 0
        if not (runner_waits or self._emitted):  # what was emitted is settled first
            with instruments.stage("wait"):
                drain.wait(LOOK_SECONDS)
        delay = max(DELAY_SECONDS, self._pacing.resume_seconds) if runner_waits else 0.0
        self._taken = not self._suspend(delay)

    def _close(self) -> None:
        reader, self._reader = self._reader, None
        if reader is not None:
            reader.close()

    def _most(self) -> int | None:
        """How many records the next batch may have."""
        bounds = (services.allowance(), self._pacing.most_records)
        return min((bound for bound in bounds if bound is not None), default=None)

    @property
    def _late(self) -> bool:
        return self._deadline is not None and time.monotonic() >= self._deadline

    def _wait(self, seconds: float) -> None:
        """Wait for the steps, in the way that the runner allows.

        A runner that heeds delays keeps the split meanwhile. Another one would give it back at once; so the
        bundle ends only to settle what was emitted in it, and the rest of the time passes here.
        """
        runner_waits = self._pacing.resume_seconds > 0
        if (self._emitted or runner_waits) and self._suspend(
            max(seconds + 0.5, self._pacing.resume_seconds)
        ):
            return
        with instruments.stage("wait"):
            drain.wait(min(seconds, _LOOK_SECONDS))

    def _suspend(self, delay: float) -> bool:
        """End the bundle, and let the split go on after ``delay`` seconds.

        Returns False if the runner has taken a checkpoint meanwhile: what was claimed is to be emitted here.
        """
        emission, reader, position = self._emission, self._reader, self._position
        if emission is not None and reader is not None:
            position = self._before
            if not self._tracker.try_claim(self._remaining(position, reader.backlog())):
                return False
        if reader is not None:
            kept = reader if emission is None else Interrupted(reader, emission)
            READERS.put(self._source, self._split, position, kept)
        self._reader = self._emission = None
        self._tracker.defer_remainder(Duration(delay))
        self._over = True
        return True


def _poll(reader: Reader, seconds: float, source: str) -> Polled:
    """What the reader has; to have waited in vain is no reading."""
    read = False
    instruments.begin_stage()
    try:
        polled = reader.poll(seconds)
        read = bool(polled.batches)
    finally:
        instruments.end_stage("read" if read else "wait")
    if polled.batches:
        instruments.add("bytes_read", sum(batch.raw_bytes for batch in polled.batches), source)
        instruments.add("records_read", sum(batch.read for batch in polled.batches), source)
    return polled


def _timestamped(batch: RecordBatch) -> Any:
    """The batch at its earliest event time, or unchanged if it has no event times."""
    return TimestampedValue(batch, min(batch.times)) if batch.times else batch


def _advance(watermark: Any, seconds: float) -> None:
    """Move the watermark forward, never back (``set_watermark`` raises on a regress)."""
    reached = Timestamp.of(seconds)
    current = watermark.current_watermark()
    if current is None or reached > current:
        watermark.set_watermark(reached)
