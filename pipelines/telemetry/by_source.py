"""How far each source of a run is, as its own process can tell."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from sinks.runs.process_figures import figures
from transforms import instruments
from transforms.instruments import OTHER, Counter, Labels


class Named(Protocol):
    """What a source is known by; see ``transforms.batch.splits.Source``."""

    @property
    def uri(self) -> str:
        """As the user gave it."""
        ...

    def owns(self, source: str) -> bool:
        """Whether a source of the ledger is one of this source."""
        ...


@dataclass(frozen=True, slots=True)
class SourceReading:
    """What the process had read of one source at one moment.

    Attributes:
        at: When (monotonic seconds).
        records: Records read.
        dead: Dead letters among them.
        bytes_read: Stored bytes that are read.
        bytes_planned: Stored bytes to read; 0 if that is not known.
        lag: Records of a topic that can be read and have not been; None where nothing tells.
    """

    at: float = 0.0
    records: int = 0
    dead: int = 0
    bytes_read: int = 0
    bytes_planned: int = 0
    lag: int | None = None

    def rate(self, before: SourceReading) -> float:
        """Records a second since ``before``."""
        seconds = self.at - before.at
        return max(0, self.records - before.records) / seconds if seconds > 0 else 0.0

    def left(self, before: SourceReading) -> float | None:
        """Seconds until everything that is planned is read, as fast as since ``before``.

        None if that cannot be told.
        """
        done, seconds = self.bytes_read - before.bytes_read, self.at - before.at
        if not self.bytes_planned or done <= 0 or seconds <= 0:
            return None
        return max(0, self.bytes_planned - self.bytes_read) * seconds / done

    def __add__(self, other: SourceReading) -> SourceReading:
        """Both together, as of the later."""
        lags = [lag for lag in (self.lag, other.lag) if lag is not None]
        return SourceReading(
            max(self.at, other.at),
            self.records + other.records,
            self.dead + other.dead,
            self.bytes_read + other.bytes_read,
            self.bytes_planned + other.bytes_planned,
            sum(lags) if lags else None,
        )


def readings(sources: Sequence[Named]) -> list[SourceReading]:
    """A reading of each source.

    Objects beyond the number of series that a process keeps are counted together; their dead letters
    are in the total of the run, and in none of these.
    """
    at = time.monotonic()
    counters, lags = instruments.measured().counters, figures()["lag"]

    def given(name: Counter, source: Named) -> int:
        return round(counters.get(name, {}).get((source.uri,), 0))

    return [
        SourceReading(
            at,
            given("records_read", source),
            round(sum(_owned(source, counters.get("dead_letters", {})))),
            given("stored_bytes_read", source),
            given("stored_bytes_planned", source),
            _lag(source, lags),
        )
        for source in sources
    ]


def _owned(source: Named, series: Mapping[Labels, float]) -> list[float]:
    return [n for (name,), n in series.items() if name != OTHER and source.owns(name)]


def _lag(source: Named, lags: Mapping[str, float]) -> int | None:
    owned = [lag for name, lag in lags.items() if source.owns(name)]
    return round(sum(owned)) if owned else None
