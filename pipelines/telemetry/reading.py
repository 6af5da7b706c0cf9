"""How far a run is, as its own process can tell: rates and what waits, between two readings."""

from __future__ import annotations

import time
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate

from sinks.control import polling
from sinks.control.requests import WHOLE
from sinks.runs.process_figures import figures
from transforms import instruments, metrics


@dataclass(frozen=True, slots=True)
class Reading:
    """What the process had counted at one moment.

    Attributes:
        at: When (monotonic seconds).
        records: Records settled since the run began.
        dead: Dead letters among them.
        retrying: Records that wait for another attempt.
        bytes_read: Stored bytes whose records are settled or skipped.
        bytes_planned: Stored bytes of all splits; 0 if that is not known.
        lag: Records of topics that can be read and have not been; None where nothing tells.
        away: The services that are away, each with the seconds since when.
        ages: How many records were how old at their commit, by the buckets of ``freshness``.
        since_commit: Seconds since the last commit.
        held: What an operator holds: by source, how; the empty source stands for the whole pipeline.
    """

    at: float
    records: int = 0
    dead: int = 0
    retrying: int = 0
    bytes_read: int = 0
    bytes_planned: int = 0
    lag: int | None = None
    away: Mapping[str, float] = field(default_factory=dict)
    ages: Sequence[int] = ()
    since_commit: float = 0.0
    held: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def now(cls) -> Reading:
        """A reading of this process."""
        tally, shown = metrics.tally(), figures()
        series = instruments.measured().histograms.get("freshness", {}).values()
        return cls(
            at=time.monotonic(),
            records=tally.get("read", 0) + tally.get("expanded", 0),
            dead=tally.get("dead", 0),
            retrying=tally.get("retrying", 0),
            bytes_read=tally.get("bytes_read", 0),
            bytes_planned=tally.get("bytes_planned", 0),
            lag=round(sum(shown["lag"].values())) if shown["lag"] else None,
            away=shown["outage_seconds"],
            ages=[sum(column) for column in zip(*(b.counts for b in series), strict=True)],
            since_commit=instruments.seconds_since_commit(),
            held={row.source: row.state for row in polling.held()},
        )

    @property
    def held_in_words(self) -> str:
        """What is held, in a few words; empty for nothing."""
        whole = self.held.get(WHOLE)
        if whole or not self.held:
            return whole or ""
        return "1 source held" if len(self.held) == 1 else f"{len(self.held):,} sources held"

    def rate(self, before: Reading) -> float:
        """Records a second since ``before``; a new run begins at 0."""
        seconds = self.at - before.at
        return max(0, self.records - before.records) / seconds if seconds > 0 else 0.0

    def age(self, before: Reading) -> float | None:
        """How old half of the records that were committed since ``before`` were at most, in seconds.

        It is the upper bound of a bucket; infinite beyond the last. None if no record had a time.
        """
        # Without an earlier commit there were no buckets.
        earlier = before.ages if len(before.ages) == len(self.ages) else [0] * len(self.ages)
        counts = [max(0, n - m) for n, m in zip(self.ages, earlier, strict=True)]
        if not sum(counts):
            return None
        bounds = [*instruments.BOUNDS["freshness"], float("inf")]
        return bounds[bisect_left(list(accumulate(counts)), sum(counts) / 2)]

    def left(self, before: Reading) -> float | None:
        """Seconds until everything that is planned is read, as fast as since ``before``.

        None if that cannot be told.
        """
        done, seconds = self.bytes_read - before.bytes_read, self.at - before.at
        if not self.bytes_planned or done <= 0 or seconds <= 0:
            return None
        return max(0, self.bytes_planned - self.bytes_read) * seconds / done


def line_of(now: Reading, before: Reading, *, streaming: bool) -> str:
    """One line on what happened between two readings."""
    parts = [now.held_in_words] if now.held else []
    parts += [f"{now.rate(before):,.0f} records/s", f"{now.records:,} records"]
    left = None if streaming else now.left(before)
    if left is not None:
        share = min(1.0, now.bytes_read / now.bytes_planned)
        parts += [f"{share:.0%} of the bytes", f"about {left:,.0f} s left"]
    if now.lag is not None:
        parts.append(f"lag {now.lag:,}")
    parts += [f"{now.dead:,} dead", f"{now.retrying:,} retrying"]
    age = now.age(before) if streaming else None
    if age is not None:
        bound = instruments.BOUNDS["freshness"][-1]
        old = f"at most {age:g}" if age <= bound else f"more than {bound:g}"
        parts.append(f"half of them {old} s old when committed")
    if streaming:
        parts.append(f"last commit {now.since_commit:.0f} s ago")
    parts += [f"{name} away for {away:.0f} s" for name, away in sorted(now.away.items())]
    return ", ".join(parts)
