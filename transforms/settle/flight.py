"""Which commits may be in flight side by side, so that the result is that of one at a time.

The commits of a bundle are a line. They write side by side as far as they touch nothing in common,
and settle in their order: before a commit settles, it waits for its turn, which it has when every
commit ahead of it in the line has gone through. So at any moment, what is settled is a beginning of
the line, whatever breaks.

Commits of all lines of a process that write to the same place are kept apart where they share a key.
A commit that waits to start holds nothing but its place in the order, so no two wait for each other.
One that waits for its turn holds what it has written. Where another process waits for that, and the
commit ahead for what that process has written, they would wait in a circle that no database sees; so
it gives way to whoever waits for it. One that must begin again lets those that follow it in its line
begin again, too.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Hashable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Protocol

from transforms.metrics import MetricName
from transforms.per_process import PerProcess

Range = tuple[int, int]

MOST = 8
"""Commits in flight to one database in each process; its pool has twice as many connections."""

LONGEST_TURN = 10.0
"""Seconds that a commit waits for its turn with its transaction open, whatever keeps the one ahead."""

ASKED_EVERY = 0.1
"""Seconds of this wait after which a commit asks, again and again, whether somebody waits for it."""


class Overtaken(Exception):
    """A commit ahead in the line begins again, or has failed, so this one must not settle."""


class TurnTimedOut(Overtaken):
    """A commit has waited for its turn for too long."""


class Aside(Exception):
    """A commit wants something done first, while nothing else of the process is in flight.

    Attributes:
        work: Does it, and returns what to count. It raises what ``Sink.commit`` does.
    """

    def __init__(self, work: Callable[[], Mapping[MetricName, int]]) -> None:
        super().__init__()
        self.work = work


class Turn(Protocol):
    """Waits for the turn of a commit; see ``Flight.turn``."""

    def __call__(self, is_awaited: Callable[[], bool] = ...) -> None: ...


def _never() -> bool:
    return False


@dataclass(frozen=True, slots=True)
class Footprint:
    """What a commit touches.

    Attributes:
        place: What it writes to, such as a database: commits elsewhere do not touch it.
        tables: The keys that it writes, by table; None for any key of a table.
        ancestors: The tables that its tables refer to, directly or not.
        spans: The offsets that it settles, by reader, source and partition: ranges in order, apart.
        exclusive: Whether it has to be alone.
    """

    place: Hashable = None
    tables: Mapping[str, AbstractSet[Hashable] | None] = field(default_factory=dict)
    ancestors: Collection[str] = ()
    spans: Mapping[tuple[str, str, str], tuple[Range, ...]] = field(default_factory=dict)
    exclusive: bool = False

    def conflicts(self, other: Footprint) -> bool:
        """Whether the two must not be in flight together."""
        if self.exclusive or other.exclusive:
            return True
        if any(table in other.tables for table in self.ancestors):
            return True
        if any(table in self.tables for table in other.ancestors):
            return True
        return self._shares_keys(other) or self._shares_offsets(other)

    def _shares_keys(self, other: Footprint) -> bool:
        for table in self.tables.keys() & other.tables.keys():
            own, others = self.tables[table], other.tables[table]
            if own is None or others is None or not own.isdisjoint(others):
                return True
        return False

    def _shares_offsets(self, other: Footprint) -> bool:
        for place in self.spans.keys() & other.spans.keys():
            ranges = sorted((*self.spans[place], *other.spans[place]))
            if any(start < end for (_, end), (start, _) in pairwise(ranges)):
                return True
        return False


class Line:
    """The commits of one bundle, in the order in which they entered.

    Attributes:
        failed: Whether one of them has failed, or the bundle has: no further one settles.
    """

    def __init__(self) -> None:
        self.failed = False


class Flight:
    """One commit on its way. Used by the thread that commits, once it has entered."""

    def __init__(self, flights: Flights, line: Line, footprint: Footprint) -> None:
        self._flights = flights
        self.line = line
        self.footprint = footprint
        self.conflicting: set[Flight] = set()  # that entered before
        self.running = False
        self.last_in_line = False  # whether it starts only once all ahead in its line are gone
        self.alone = False
        self.counted: Counter[MetricName] = Counter()  # what was done aside
        self.had_company = False  # whether another was in flight during its last attempt

    def is_waiting(self) -> bool:
        """Whether it has not begun: it must not be in flight with others."""
        return self._flights.is_waiting(self)

    def fail_line(self) -> None:
        """Let no further commit of its line settle."""
        self._flights.fail(self.line)

    def start(self) -> None:
        """Wait until this commit may be in flight.

        Raises:
            Overtaken: A commit ahead in its line has failed.
        """
        self._flights.start(self)

    def turn(self, is_awaited: Callable[[], bool] = _never) -> None:
        """Wait until every commit ahead in the line has gone through.

        Args:
            is_awaited: Whether another transaction waits for what this one has written.

        Raises:
            Overtaken: One of them begins again or has failed, or somebody waits for this one: undo
                everything, and begin again too.
        """
        self._flights.turn(self, is_awaited)

    def stumble(self, *, alone: bool = False) -> None:
        """Begin again: nothing of it is written, and ``start`` is called next.

        Args:
            alone: Start when nothing else is in flight, and let nothing else start meanwhile.
        """
        self._flights.stumble(self, alone=alone)

    def leave(self, *, settled: bool) -> None:
        """End: it is settled, or has failed for good."""
        self._flights.leave(self, settled=settled)


class Flights:
    """The commits to one place, of all lines, in the order in which they entered.

    Args:
        most: How many are in flight at most.
        longest_turn: Seconds that one waits for its turn.
    """

    def __init__(self, most: int = MOST, longest_turn: float = LONGEST_TURN) -> None:
        self._most = most
        self._longest_turn = longest_turn
        self._changed = threading.Condition()
        self._flights: list[Flight] = []

    def enter(self, line: Line, footprint: Footprint) -> Flight:
        """Take the next place in the order, without waiting."""
        flight = Flight(self, line, footprint)
        with self._changed:
            flight.conflicting = {
                other for other in self._flights if footprint.conflicts(other.footprint)
            }
            self._flights.append(flight)
        return flight

    def is_waiting(self, flight: Flight) -> bool:
        """Whether ``flight`` has not started."""
        with self._changed:
            return not flight.running and flight in self._flights

    def fail(self, line: Line) -> None:
        """Let no further commit of ``line`` settle."""
        with self._changed:
            line.failed = True
            self._changed.notify_all()

    def may_start(self, flight: Flight) -> bool:
        """Whether a commit that waits may be in flight now."""
        with self._changed:
            return self._may_start(flight)

    def start(self, flight: Flight) -> None:
        """As ``Flight.start``."""
        with self._changed:
            self._changed.wait_for(lambda: flight.line.failed or self._may_start(flight))
            if flight.line.failed:
                raise Overtaken
            company = [other for other in self._flights if other.running]
            for other in company:
                other.had_company = True
            flight.running, flight.had_company = True, bool(company)
            self._changed.notify_all()  # the next one in the line may start

    def turn(self, flight: Flight, is_awaited: Callable[[], bool]) -> None:
        """As ``Flight.turn``."""
        deadline = time.monotonic() + self._longest_turn
        while not self._has_turn(flight, min(ASKED_EVERY, deadline - time.monotonic())):
            if time.monotonic() >= deadline:
                raise TurnTimedOut(f"not done after {self._longest_turn:g} s")
            if is_awaited():
                raise Overtaken

    def _has_turn(self, flight: Flight, patience: float) -> bool:
        """Whether all ahead in the line have gone through, within ``patience`` seconds."""
        with self._changed:
            self._changed.wait_for(
                lambda: flight.line.failed or flight.last_in_line or not self._is_behind(flight),
                max(0.0, patience),
            )
            behind = self._is_behind(flight)
            if flight.line.failed or (behind and flight.last_in_line):
                raise Overtaken
            return not behind

    def stumble(self, flight: Flight, *, alone: bool) -> None:
        """As ``Flight.stumble``."""
        with self._changed:
            flight.running = False
            flight.alone |= alone
            flight.last_in_line = True
            place = self._flights.index(flight)
            for other in self._flights[place + 1 :]:
                if other.line is flight.line:
                    other.last_in_line = True
            self._changed.notify_all()

    def leave(self, flight: Flight, *, settled: bool) -> None:
        """As ``Flight.leave``."""
        with self._changed:
            flight.running = False
            flight.line.failed |= not settled
            if flight in self._flights:
                self._flights.remove(flight)
            self._changed.notify_all()

    def _may_start(self, flight: Flight) -> bool:
        running = 0
        ahead = True
        for other in self._flights:
            if other is flight:
                ahead = False
                continue
            running += other.running
            if ahead and other.line is flight.line and (flight.last_in_line or not other.running):
                return False
            if (ahead or other.running) and (
                flight.alone or other.alone or other in flight.conflicting
            ):
                return False
        return running < self._most

    def _is_behind(self, flight: Flight) -> bool:
        ahead = self._flights[: self._flights.index(flight)]
        return any(other.line is flight.line for other in ahead)


def flights_to(place: Hashable) -> Flights:
    """The commits of this process to ``place``."""
    return _flights.get(place)


_flights: PerProcess[Hashable, Flights] = PerProcess(lambda _: Flights())
