"""What a run and its worker processes say to each other. It stays on this machine, between parent and child."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sinks.database import engine, leases
from transforms import instruments, metrics, notes
from transforms.batch import backoff
from transforms.errors import SluiceError
from transforms.instruments import Measured
from transforms.notes import Note
from transforms.read import standing
from transforms.read.standing import Standing
from transforms.settle import dead_budget


@dataclass(frozen=True, slots=True)
class Begin:
    """To a worker: begin to read.

    Attributes:
        payload: The sources as they were fixed, and the sink, pickled.
        elsewhere: The URIs of sources; their splits are asked for.
    """

    payload: bytes
    elsewhere: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Drain:
    """To a worker: stop reading, and settle what was read."""


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """To a worker: how many dead letters the others have made.

    Attributes:
        dead: Of records that were read for the first time.
    """

    dead: int


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Of a worker: what it has counted, measured and noted so far.

    Attributes:
        tally: Its counters.
        measured: What it has measured.
        noted: What it says once of objects.
        standings: How its partitions stand.
        away: The services that are away from it.
        dead: How many dead letters it has made of records that it read for the first time.
    """

    tally: Mapping[str, int]
    measured: Measured
    noted: Sequence[Note]
    standings: Sequence[Standing]
    away: Mapping[str, float]
    dead: int

    @classmethod
    def taken(cls) -> Snapshot:
        """A snapshot of this process."""
        measured = instruments.measured()
        measured.gauges["leases"] = {(): leases.number()}
        measured.gauges["connections"] = {(state,): n for state, n in engine.connections().items()}
        return cls(
            metrics.tally(),
            measured,
            notes.noted(),
            standing.noted(),
            backoff.services_away(),
            dead_budget.spent(),
        )

    def adopt(self, worker: int) -> None:
        """Have this process count with it for the worker of that number, in place of its last one."""
        metrics.adopt(worker, self.tally)
        instruments.adopt(worker, self.measured)
        notes.adopt(worker, self.noted)
        standing.adopt(self.standings)
        backoff.adopt(worker, self.away)


@dataclass(frozen=True, slots=True)
class Logged:
    """Of a worker: a line of its log, which the parent writes, so that lines do not mix.

    Attributes:
        record: The record, with its text and without objects that only the worker has.
    """

    record: logging.LogRecord


@dataclass(frozen=True, slots=True)
class Ended:
    """Of a worker: nothing is left to read, and what was read is settled.

    Attributes:
        snapshot: The last one.
        signals: The names of the signals that asked the worker itself to stop.
    """

    snapshot: Snapshot
    signals: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Failed:
    """Of a worker: it ended with an error.

    Attributes:
        snapshot: The last one.
        error: The error, if it is one of this program's; they travel in pickles (``transforms.errors``).
        text: Its text.
        stack: Where it was raised.
    """

    snapshot: Snapshot
    error: SluiceError | None
    text: str
    stack: str


Report = Snapshot | Logged | Ended | Failed
