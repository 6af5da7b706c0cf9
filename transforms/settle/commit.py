"""Bring one commit through: wait while the database is away, try again what it has rolled back."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from transforms import instruments
from transforms.batch.backoff import Backoff, Outage
from transforms.batch.record import RecordBatch
from transforms.errors import CommitUnknown, Contention, SinkFailed, SinkUnavailable
from transforms.read import drain
from transforms.settle.bounds import TableBounds
from transforms.settle.flight import Aside, Flight, Overtaken, TurnTimedOut
from transforms.settle.sink import Settled, Sink

_log = logging.getLogger(__name__)

IN_FLIGHT = 3
"""With two, the server still waits now and then; more than three make nothing faster."""


_USEFUL_BATCH = 2_500
"""Records of a batch from which on transactions side by side gain more than smaller batches cost."""


@dataclass(frozen=True, slots=True)
class WriteConfig:
    """Bounds of the writer.

    Attributes:
        commit_records: Records at which a transaction takes no further batch, with ``in_flight`` side by
            side. Without ``bounds``, a sink that has fewer takes more in each, so that as many are in flight.
        commit_bytes: Raw bytes at which a transaction takes no further batch. Without ``bounds``,
            those side by side share them.
        backoff: Waits between tries, both when the database is away and on contention.
        outage_budget: Seconds to wait, inside the bundle, for a database that is away.
        contention_tries: Attempts at a transaction that the database rolls back, before one last
            attempt without the records that make it roll back.
        bounds: When what waits for a table is written; without them at once.
        in_flight: Transactions side by side, where the sink can do with several.
        emits_failures: Whether each failure is emitted after its commit, too. Without a step behind that
            takes them, it is time lost.
    """

    commit_records: int = 10_000
    commit_bytes: int = 16 << 20
    backoff: Backoff = field(default_factory=lambda: Backoff(base=0.25, cap=15.0))
    outage_budget: float = 300.0
    contention_tries: int = 5
    bounds: TableBounds = TableBounds()  # noqa: RUF009 - frozen
    in_flight: int = IN_FLIGHT
    emits_failures: bool = True

    def within(self, records: int) -> WriteConfig:
        """The same with at most ``records`` in flight, if no batch has more than ``commit_records``.

        What waits for a transaction is full with one batch, or with one less a record and one more. Then
        it waits for a transaction under way, each of which took as much before. Where batches would be
        small, there are fewer of these.
        """
        side_by_side = self.in_flight
        while side_by_side > 1 and records // (2 * (side_by_side + 1)) < _USEFUL_BATCH:
            side_by_side -= 1
        part = records // (2 * (side_by_side + 1))
        return replace(self, commit_records=part, in_flight=side_by_side)

    def with_bounds(self, bounds: TableBounds, most_records: int | None = None) -> WriteConfig:
        """The same with ``bounds``, and with room for what they let wait.

        Args:
            bounds: The bounds of each table.
            most_records: Records at which a transaction takes no further batch, whatever the bounds
                ask for; None leaves it to them.
        """
        records = max(self.commit_records, bounds.most_records)
        return replace(
            self,
            bounds=bounds,
            commit_records=records if most_records is None else most_records,
            commit_bytes=max(self.commit_bytes, bounds.most_bytes),
        )


def commit(
    sink: Sink, batches: Sequence[RecordBatch], config: WriteConfig, flight: Flight
) -> tuple[list[Settled], float]:
    """Commit ``batches`` as soon as ``flight`` may start, and wait while the database is away.

    Returns:
        What was settled, and the seconds spent waiting for the database.

    Raises:
        SinkUnavailable: The outage budget is used up, or a drain was requested meanwhile.
        Contention: Every attempt was rolled back, even without the records to blame.
        SinkFailed: The database refuses, and no other commit was in flight.
        Overtaken: A commit ahead of it in its line has failed.
    """
    waited = 0.0
    unknown: Sequence[Settled] = ()

    def pause(seconds: float) -> None:
        nonlocal waited
        waited += seconds
        drain.wait(seconds)

    outage = Outage(config.backoff, config.outage_budget, service="database", sleep=pause)
    attempt = 0
    aside: Aside | None = None
    while True:
        try:
            flight.start()
        except Overtaken:
            outage.leave()
            raise
        started = time.perf_counter()
        try:
            if aside is not None:
                flight.counted.update(aside.work())
                aside = None
            isolate = attempt == config.contention_tries
            settled = sink.commit(batches, isolate=isolate, turn=flight.turn)
            _observe(started, "ok")
            outage.end()
            return list(unknown) if _went_through(unknown, settled) else settled, waited
        except Aside as asked:
            outage.end()
            aside = asked
            flight.stumble(alone=True)
        except Overtaken as error:
            outage.end()  # it answers
            slow = isinstance(error, TurnTimedOut)
            flight.stumble(alone=slow)
            if slow:
                _log.warning("the commit ahead is slow; trying again after it: %s", error)
        except SinkUnavailable as error:
            _observe(started, "error")
            flight.stumble()  # those behind it roll back rather than wait with open transactions
            if isinstance(error, CommitUnknown):
                unknown = error.settled
            if drain.requested():
                outage.leave()
                raise
            if not outage.wait(error):
                outage.say_waited(error)
                raise
        except Contention as error:
            _observe(started, "error")
            outage.end()
            flight.stumble(alone=True)
            attempt += 1
            if attempt > config.contention_tries:
                raise
            seconds = config.backoff.delay(attempt)
            place = _place_of(batches)
            _log.warning("waiting %.1f s: %s", seconds, error, extra={"seconds": seconds, **place})
            pause(seconds)
        except SinkFailed:
            _observe(started, "error")
            if not flight.had_company:
                raise
            flight.stumble(alone=True)  # alone, it may be told which records are to blame


def _place_of(batches: Sequence[RecordBatch]) -> dict[str, object]:
    """Where the records of a transaction are from: of several ranges, the first."""
    if not batches:
        return {}
    span = batches[0].span
    offsets = {"first_offset": span.start, "last_offset": span.end - 1}
    return {"source": span.source, "partition": span.partition, **offsets}


def _observe(started: float, result: str) -> None:
    """Count one attempt at a transaction as the time in which the writer is busy."""
    seconds = time.perf_counter() - started
    instruments.observe("commit_duration", (seconds,), result)
    instruments.add("writer_busy_seconds", seconds)


def _went_through(unknown: Sequence[Settled], settled: Sequence[Settled]) -> bool:
    """Whether a commit whose answer was lost had settled everything that is settled now."""
    return bool(unknown) and all(
        now.trimmed == before.trimmed + before.counts.records + before.again
        and not now.counts.records
        for before, now in zip(unknown, settled, strict=True)
    )
