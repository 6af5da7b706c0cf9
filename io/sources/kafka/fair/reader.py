"""Read a split of topics ahead, and return its records in turns of their tenants."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from typing import Protocol

from sources.kafka.fair.pace import Pace
from sources.kafka.fair.window import Place, Window
from sources.kafka.partition import name_of
from transforms.batch.record import RecordBatch
from transforms.batch.splits import Attended, Polled, Position, Reader
from transforms.errors import SluiceError
from transforms.settle import unsettled
from transforms.settle.unsettled import Unsettled

_log = logging.getLogger(__name__)

_AHEAD_SECONDS = 0.25
"""How long one poll reads ahead."""

_PATIENCE_SECONDS = 0.02
"""How long it waits for a first message while others wait for their turns: the guard has to ask the
brokers before it releases any."""

_LOOK_SECONDS = 0.2
"""How long it waits for the writer before the bundle may end, or an operator hold the split."""


class Ahead(Reader, Attended, Protocol):
    """A reader whose messages may wait between it and those who read them."""

    def hold(self, records: Mapping[Place, int]) -> None:
        """How many records of each partition wait; those of others are none. They count as backlog."""
        ...


class FairReader:
    """Reads one split in rounds.

    A poll reads ahead until the window is full or there is nothing more, and returns a round: about as
    many records as were settled in a quarter of a second before. A flood of one tenant so delays the records of
    the others by a few rounds, as long as they are within the window.

    Its position is the lowest offset that waits: whoever goes on elsewhere reads from there, and the
    ledger trims what is settled.

    Args:
        reader: Reads the topics.
        window: Holds what was read ahead.
        pace: How large a round is.
        streaming: Whether it is read forever. The next round is then chosen once no more than one is left
            to settle: otherwise the queue of the writer would delay everybody alike.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        reader: Ahead,
        window: Window,
        pace: Pace,
        *,
        streaming: bool = True,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._reader = reader
        self._window = window
        self._pace = pace
        self._streaming = streaming
        self._clock = clock
        self._latest = Polled((), ())
        self._watermark: float | None = None
        self._failure: SluiceError | None = None
        self._last: tuple[Unsettled, int, float] | None = None

    def poll(self, timeout: float) -> Polled:
        """The next round; waits up to ``timeout`` seconds if nothing is there.

        A failure of the reader is raised once everything that was read before is returned.

        Raises:
            SourceUnavailable: As the reader does.
        """
        self._pace.end()
        if not self._ended:
            self._read_ahead(timeout)
        elif self._failure is not None and not self._window:
            raise self._failure
        elif not self._window:
            self._read(timeout)  # it is done, or raises what it has ended with
        batches = self._round() if self._window else []
        self._reader.hold(self._window.ahead)
        latest, over = self._latest, not self._window
        rest = latest.rest or (not batches and self._is_stranded())
        return Polled(
            batches,
            self._position(),
            done=latest.done and over,
            watermark=self._window.watermark(self._watermark),
            rest=rest and over,
            cut=latest.cut,
        )

    def backlog(self) -> int:
        """How many offsets are left to read, and how many records wait."""
        return self._reader.backlog()

    def attend(self) -> None:
        """Serve the client while the split is held; the round that was held says nothing of the pace."""
        self._pace.forget()
        self._reader.attend()

    def close(self) -> None:
        """Close the reader; may be called twice. Whoever goes on reads again what waits."""
        self._reader.close()

    def _round(self) -> list[RecordBatch]:
        """The next round; nothing if the writer has too much of those before for now."""
        writer = unsettled.of_thread() if self._streaming else None
        if writer is not None:
            if not writer.wait(self._pace.number, _LOOK_SECONDS):
                return []
            self._measure(writer)
        self._pace.adapt()
        batches = self._window.take(self._pace.number)
        self._pace.begin(sum(batch.read for batch in batches))
        return batches

    def _is_stranded(self) -> bool:
        """Whether what was returned last waits for the end of the bundle to be settled."""
        writer = unsettled.of_thread() if self._streaming else None
        return writer is not None and writer.stranded

    def _measure(self, writer: Unsettled) -> None:
        """Tell the pace what was settled since the last round, unless another writer has begun."""
        records, seconds = writer.progress()
        last, self._last = self._last, (writer, records, seconds)
        if last is not None and last[0] is writer:
            self._pace.settled(records - last[1], seconds - last[2])

    @property
    def _ended(self) -> bool:
        """Whether nothing more is to be read before everything that waits is returned."""
        return self._latest.done or self._latest.rest or self._failure is not None

    def _read_ahead(self, timeout: float) -> None:
        deadline = self._clock() + _AHEAD_SECONDS
        wait = min(timeout, _PATIENCE_SECONDS) if self._window else timeout
        while not self._window.full:
            try:
                read = self._read(wait)
            except SluiceError as error:
                if not self._window:
                    raise
                _log.warning("what was read ahead is settled before the run ends: %s", error)
                self._failure = error
                return
            if not read or self._ended or self._clock() >= deadline:
                return
            wait = 0.0

    def _read(self, timeout: float) -> bool:
        """Poll the reader once; whether it had anything."""
        polled = self._reader.poll(timeout)
        for batch in polled.batches:
            self._window.add(batch, self._watermark)
        self._latest = polled
        if polled.watermark is not None:
            self._watermark = polled.watermark
        return bool(polled.batches)

    def _position(self) -> Position:
        lowest = {name_of(*place): offset for place, offset in self._window.lowest.items()}
        return tuple((name, lowest.get(name, offset)) for name, offset in self._latest.position)
