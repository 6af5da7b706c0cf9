"""How much of its limits a split may read now: the buckets that the splits of a process share."""

from __future__ import annotations

import math
import time
from collections.abc import Hashable, Sequence
from dataclasses import replace
from typing import Literal

from transforms.batch.record import RecordBatch
from transforms.batch.splits import BatchLimits
from transforms.per_process import PerProcess
from transforms.read.bucket import Bucket
from transforms.read.control import Controls, Limit

_Unit = Literal["records", "bytes"]
_UNITS: tuple[_Unit, ...] = ("records", "bytes")

LOOK_SECONDS = 0.2
"""How often it is asked, between two polls, whether the limits are still the same."""

_BUCKETS: PerProcess[tuple[Hashable, str, _Unit], Bucket] = PerProcess(lambda _: Bucket(1.0))
"""By the pipeline's controls, the name of the limit, and what it counts."""

_WHOLE: PerProcess[None, dict[_Unit, Bucket]] = PerProcess(lambda _: {})
"""Those of the whole pipeline that are in force, by what they count."""


class Quota:
    """What one split may read.

    A split asks before each poll (``debt``) and before each batch (``wait``), and says what it has emitted
    (``take``). Each batch has at most about a quarter of a second's worth of every limit.

    Args:
        controls: What is asked of its pipeline; None where nobody can ask.
        source: The split's, as the user wrote it.
    """

    def __init__(self, controls: Controls | None = None, source: str = "") -> None:
        self._controls = controls
        self._source = source
        self._limits: tuple[Limit, ...] = ()
        self._looked_at = -math.inf
        self._of_unit: dict[_Unit, tuple[Bucket, ...]] = dict.fromkeys(_UNITS, ())

    @property
    def limited(self) -> bool:
        """Whether there is any limit, as far as this was asked."""
        return bool(self._limits)

    @property
    def most(self) -> int | None:
        """The most records of a batch; None for no limit. As of the last ``wait``."""
        return self._share("records")

    @property
    def most_bytes(self) -> int | None:
        """The most bytes of a batch, which may be those of one record if it has more. As of the last ``wait``."""
        return self._share("bytes")

    def debt(self) -> float:
        """Seconds until a poll may be made: what could not be divided is paid first."""
        self._look()
        return max((bucket.debt() for bucket in self._buckets()), default=0.0)

    def wait(self) -> float:
        """Seconds until a batch may be emitted; 0 if one may be now."""
        if time.monotonic() - self._looked_at > LOOK_SECONDS:
            self._look()
        # One after the other, the narrowest first: whoever waits there keeps nobody of other sources
        # waiting at the bucket of the whole pipeline.
        for bucket in self._buckets():
            if seconds := bucket.wait(self):
                return seconds
        return 0.0

    def take(self, batch: RecordBatch) -> None:
        """``batch`` is emitted."""
        if not self._limits:
            return
        for bucket in self._of_unit["records"]:
            bucket.take(self, batch.read)
        if buckets := self._of_unit["bytes"]:
            size = batch.raw_bytes
            for bucket in buckets:
                bucket.take(self, size)

    def leave(self) -> None:
        """The bundle is over: others need not wait for this split."""
        for bucket in self._buckets():
            bucket.leave(self)

    def _buckets(self) -> Sequence[Bucket]:
        """Those of records, then those of bytes; of each, the source's before the whole pipeline's."""
        return (*self._of_unit["records"], *self._of_unit["bytes"])

    def _look(self) -> None:
        """Go by the limits that there are now."""
        self._looked_at = time.monotonic()
        limits = () if self._controls is None else self._controls.of(self._source).limits
        if limits != self._limits:
            self.leave()
            self._limits = limits
            for unit in _UNITS:
                self._of_unit[unit] = self._fitted(unit)

    def _fitted(self, unit: _Unit) -> tuple[Bucket, ...]:
        """The buckets of the limits, at their rates."""
        whole = _WHOLE.get(None)
        whole.pop(unit, None)
        buckets = []
        for limit in sorted(self._limits, key=lambda limit: not limit.name):
            rate = limit.max_rate if unit == "records" else limit.max_bytes_rate
            if rate is not None:
                bucket = _BUCKETS.get((self._controls, limit.name, unit))
                bucket.rate = rate
                buckets.append(bucket)
                if not limit.name:
                    whole[unit] = bucket
        return tuple(buckets)

    def _share(self, unit: _Unit) -> int | None:
        return min((int(bucket.share) for bucket in self._of_unit[unit]), default=None)


def claimable(limits: BatchLimits) -> BatchLimits:
    """The bounds of a claim of jobs, which is not divided: ``limits``, within those of the pipeline."""
    whole = _WHOLE.get(None)
    if not whole:
        return limits
    records, size = whole.get("records"), whole.get("bytes")
    return replace(
        limits,
        records=limits.records if records is None else min(limits.records, int(records.share)),
        bytes=limits.bytes if size is None else min(limits.bytes, int(size.share)),
    )


def reset() -> None:
    """Forget every bucket: another pipeline begins in this process."""
    _BUCKETS.clear()
    _WHOLE.clear()
