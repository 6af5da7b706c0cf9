"""A batch of which parts are taken, each with exactly the offsets that belong to it."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import replace

from transforms.batch.record import COLUMNS, RecordBatch

_HELD, _CHOSEN, _TAKEN = range(3)
_CHOSEN_RUN = re.compile(b"\x01+")
_CHOOSE_ALL = bytes((_CHOSEN, _CHOSEN, _TAKEN)) + bytes(range(3, 256))
_TAKE_CHOSEN = bytes((_HELD, _TAKEN, _TAKEN)) + bytes(range(3, 256))


class HeldBatch:
    """Records of one partition that wait for their turns.

    A record has the offsets from its own up to that of the next one, and the first has those before it as
    well. So offsets without a record, such as compacted ones and the markers of transactions, are
    covered with a neighbour, and the parts together cover the span of the batch.

    Args:
        batch: As the client has read it, with at least one record.
        tenants: Whose each record is.
        number: Its place in the order of arrival.
        watermark: What held for the watermark before it arrived.
    """

    def __init__(
        self,
        batch: RecordBatch,
        tenants: Sequence[Hashable],
        number: int = 0,
        watermark: float | None = None,
    ) -> None:
        self.tenants = tenants
        self.number = number
        self.watermark = watermark
        self.left = len(batch.raws)
        self.size = batch.raw_bytes + sum(len(failure.raw) for failure in batch.failures)
        self._batch = batch
        self._marks = bytearray(self.left)
        self._failures = sorted(batch.failures, key=lambda failure: failure.origin.offset)
        self._failed = [failure.origin.offset for failure in self._failures]

    @property
    def place(self) -> tuple[str, str]:
        """Source and partition."""
        return self._batch.span.source, self._batch.span.partition

    @property
    def lowest(self) -> int:
        """The lowest offset that is held, as long as a record is."""
        return self._start(self._marks.index(_HELD))

    @property
    def holes(self) -> int:
        """How many parts have been taken while a record before or behind them is held."""
        if not self.left or self.left == len(self._marks):
            return 0
        return self._marks.count(b"\0\2") + (self._marks[0] == _TAKEN)

    def oldest(self, number: int) -> list[int]:
        """The indices of the first ``number`` records that are held."""
        indices: list[int] = []
        at = self._marks.find(_HELD)
        while at >= 0 and len(indices) < number:
            indices.append(at)
            at = self._marks.find(_HELD, at + 1)
        return indices

    def choose(self, indices: Iterable[int]) -> None:
        """Choose records that are held; ``take`` returns them."""
        for index in indices:
            self._marks[index] = _CHOSEN

    def choose_rest(self) -> None:
        """Choose all that are held."""
        self._marks = self._marks.translate(_CHOOSE_ALL)

    def take(self) -> list[RecordBatch]:
        """The records that were chosen, in one batch for each run of them, in order."""
        runs = [match.span() for match in _CHOSEN_RUN.finditer(self._marks)]
        self._marks = self._marks.translate(_TAKE_CHOSEN)
        self.left -= sum(high - low for low, high in runs)
        return [self._part(low, high) for low, high in runs]

    def _start(self, index: int) -> int:
        """The first offset of a record; of the one behind the last, where the span ends."""
        if index == 0:
            return self._batch.span.start
        offsets = self._batch.offsets
        return offsets[index] if index < len(offsets) else self._batch.span.end

    def _part(self, low: int, high: int) -> RecordBatch:
        batch = self._batch
        if low == 0 and high == len(batch.raws):
            return batch
        start, end = self._start(low), self._start(high)
        columns = {
            name: column[low:high]
            for name in COLUMNS
            if (column := getattr(batch, name)) is not None
        }
        failed = slice(bisect_left(self._failed, start), bisect_left(self._failed, end))
        return replace(
            batch,
            **columns,
            span=replace(batch.span, start=start, end=end, content=None),
            failures=tuple(self._failures[failed]),
            filtered=tuple(at for at in batch.filtered if start <= at < end),
        )
