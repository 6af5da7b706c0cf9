"""Settle under a new name what was settled under another, then read what is left."""

from __future__ import annotations

from collections.abc import Sequence

from transforms.batch.record import JSON, RecordBatch, Span
from transforms.batch.splits import Polled, Position, Reader, Split


class TakeoverReader:
    """Begins with the spans that a split takes over, as batches without records.

    Args:
        split: The split.
        reader: Reads the rest; None if there is none.
    """

    def __init__(self, split: Split, reader: Reader | None) -> None:
        self._split = split
        self._reader = reader
        self._begun = False

    def poll(self, timeout: float) -> Polled:
        """What is taken over, at first; then what the reader returns."""
        if not self._begun:
            self._begun = True
            batches = batches_of(self._split.takes_over)
            return Polled(batches, self._position, done=self._reader is None)
        if self._reader is None:
            return Polled((), self._position, done=True)
        return self._reader.poll(timeout)

    def backlog(self) -> int:
        """What is left to read."""
        return 0 if self._reader is None else self._reader.backlog()

    def close(self) -> None:
        """Close the reader."""
        if self._reader is not None:
            self._reader.close()

    @property
    def _position(self) -> Position:
        return (("", self._split.start),)


def batches_of(spans: Sequence[Span]) -> list[RecordBatch]:
    """Batches that settle ``spans`` and have no records."""
    return [RecordBatch(span, JSON, offsets=[], raws=[]) for span in spans]
