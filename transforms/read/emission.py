"""What one poll has brought and is still to be emitted, batch by batch, as the steps can take it."""

from __future__ import annotations

import time
from collections import deque
from itertools import islice

from transforms.batch.content import Content
from transforms.batch.divide import divided
from transforms.batch.record import RecordBatch
from transforms.batch.splits import Polled, Reader
from transforms.read import drain
from transforms.steps.passage import Passage


class Emission:
    """The batches of one poll.

    Args:
        polled: What the reader has returned.

    Attributes:
        served_at: When the reader was last called (monotonic).
    """

    def __init__(self, polled: Polled) -> None:
        self.polled = polled
        self.served_at = time.monotonic()
        self._uncut = deque(polled.batches)
        self._ahead: deque[RecordBatch] = deque()

    @property
    def rest(self) -> bool:
        """Whether there is more to emit."""
        return bool(self._ahead or self._uncut)

    def next(self, most: int | None, most_bytes: int | None = None) -> RecordBatch | None:
        """The next batch, of at most ``most`` records and ``most_bytes`` bytes; one message is not divided.

        None if there was nothing in the rest.
        """
        while not self._ahead and self._uncut:
            batch, cut = self._uncut.popleft(), self.polled.cut
            self._ahead.extend((batch,) if cut is None else cut(batch))
        if not self._ahead:
            return None
        batch = self._ahead.popleft()
        if most_bytes is not None:
            most = _within(batch, most, most_bytes)
        if most is None or len(batch.raws) <= most or batch.claim is not None:
            return batch
        offset = batch.offsets[most]
        if offset == batch.offsets[0]:  # the first message is longer
            offset = next((at for at in batch.offsets if at != offset), batch.span.end)
            if offset == batch.span.end:
                return batch
        return self._divide(batch, offset)

    def passage(self, batch: RecordBatch) -> Passage:
        """For the steps that take ``batch``."""
        return Passage(batch, drain.requested, lambda offset: self._content(batch, offset))

    def take_back(self, passage: Passage) -> None:
        """Emit again what the steps gave back; jobs are released, and come again by themselves."""
        batch, offset = passage.batch, passage.back_from
        if offset is None or offset >= max(batch.span.end, batch.span.start + 1):
            return
        if passage.whole:
            self._ahead.appendleft(batch)
            self.abandon()
        elif offset <= batch.span.start:
            self._ahead.appendleft(batch)
        else:
            self._ahead.appendleft(divided(batch, offset, self._content(batch, offset))[1])

    def abandon(self) -> None:
        """Emit nothing more: what is not settled is read again, and jobs are due again."""
        release, batches = self.polled.release, [*self._ahead, *self._uncut]
        self._ahead.clear()
        self._uncut.clear()
        if release is not None and batches:
            release(batches)

    def _divide(self, batch: RecordBatch, offset: int) -> RecordBatch:
        first, second = divided(batch, offset, self._content(batch, offset))
        self._ahead.appendleft(second)
        return first

    def _content(self, batch: RecordBatch, offset: int) -> Content | None:
        content_of = self.polled.content_of
        return None if content_of is None else content_of(batch.span.start, offset)


def _within(batch: RecordBatch, most: int | None, most_bytes: int) -> int | None:
    """How many of the first ``most`` records have at most ``most_bytes`` bytes; at least 1."""
    size = 0
    for index, raw in enumerate(islice(batch.raws, most)):
        size += len(raw)
        if size > most_bytes:
            return max(1, index)
    return most


class Interrupted:
    """A reader whose last poll is not emitted yet, kept between two bundles.

    Args:
        reader: The reader.
        emission: What is left of the poll.
    """

    def __init__(self, reader: Reader, emission: Emission) -> None:
        self.reader = reader
        self.emission = emission

    def close(self) -> None:
        """Nobody emits the rest."""
        self.emission.abandon()
        self.reader.close()
