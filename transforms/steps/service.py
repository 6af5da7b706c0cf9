"""What this process knows of the services that its steps call: whether they are away, and how fast they are.

The reader asks it before it reads on. While a service is away, one reader at a time tries it again, with
one record, each time that the backoff is over; the others wait. Otherwise it says how many records a batch
may have so that it spends about two seconds in every step.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass, field, replace
from typing import NamedTuple, Protocol

from transforms.batch.backoff import Backoff, Outage
from transforms.batch.divide import divided
from transforms.batch.record import RecordBatch
from transforms.errors import ServiceUnavailable
from transforms.per_process import PerProcess
from transforms.steps.passage import SECONDS, Passage, current

PROBE = 32
"""Records of the first batch, before anything is known of a step."""

TIMEOUTS = 20
"""Time-outs in a row that mean that the service is away."""

_GROWTH = 8
_LOOK_SECONDS = 0.5
_TURN_SECONDS = 10.0
"""How long a reader may have the turn to try; a record that fails before the step takes no turn."""


@dataclass(frozen=True, slots=True)
class Waits:
    """How long a step waits for its service.

    Attributes:
        backoff: The waits between two tries.
        budget: Seconds after which the run ends.
    """

    backoff: Backoff = Backoff(0.25, 15.0)  # noqa: RUF009 - frozen
    budget: float = 300.0


@dataclass(eq=False)
class Service:
    """The service of one step, as this process has seen it; used by all threads.

    Attributes:
        label: Of the step.
        waits: How long to wait for it.
        clock: Monotonic seconds.
    """

    label: str
    waits: Waits
    clock: Callable[[], float] = time.monotonic
    _outage: Outage = field(init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)
    _wait_until: float = field(default=0.0, init=False)
    _turn_until: float = field(default=0.0, init=False)
    _timeouts: int = field(default=0, init=False)
    _allowance: float = field(default=PROBE, init=False)

    def __post_init__(self) -> None:
        self._outage = Outage(
            self.waits.backoff, self.waits.budget, service=self.label, clock=self.clock
        )

    def take_turn(self) -> float:
        """Seconds until it may be called; with 0, the caller may call it now.

        During an outage, nobody else may meanwhile.
        """
        with self._lock:
            if not self._outage.under_way:
                return 0.0
            now = self.clock()
            if now < self._wait_until:
                return self._wait_until - now
            if now < self._turn_until:
                return min(self._turn_until - now, _LOOK_SECONDS)
            self._turn_until = now + _TURN_SECONDS
            return 0.0

    def leave_turn(self) -> None:
        """There was nothing to call it with."""
        with self._lock:
            self._turn_until = 0.0

    def away(self, reason: str) -> float:
        """It did not answer. Returns the seconds before the next try.

        Raises:
            ServiceUnavailable: The outage budget is used up.
        """
        with self._lock:
            now = self.clock()
            if self._outage.under_way and now < self._wait_until:
                return self._wait_until - now  # another call of the same moment has said so
            lasted = self._outage.seconds
            wait = self._outage.next_wait(f"the service of step {self.label!r} is away ({reason})")
            if wait is None:
                raise ServiceUnavailable(
                    f"the service of step {self.label!r} has been away for {lasted:.0f} s ({reason}); "
                    "nothing is lost, and the next run goes on from here (--outage_budget)"
                )
            self._turn_until = 0.0
            self._wait_until = now + wait
            return wait

    def answered(self, *, in_time: bool = True) -> None:
        """It answered a call, whatever it said; ``in_time`` is False for a time-out."""
        if in_time and not self._timeouts and not self._outage.under_way:
            return
        with self._lock:
            self._timeouts = 0 if in_time else self._timeouts + 1
            if in_time and self._outage.under_way:
                self._outage.end()

    @property
    def silent(self) -> bool:
        """Whether so many calls in a row have timed out that it is away."""
        return self._timeouts >= TIMEOUTS

    @property
    def trying(self) -> bool:
        """Whether it is away, or was when it was called last."""
        return self._outage.under_way

    def took(self, records: int, seconds: float, capacity: float = 0.0) -> None:
        """``records`` were in the step for ``seconds``; ``capacity`` is what it can take by its calls."""
        if records:
            fitting = max(records * SECONDS / max(seconds, 1e-9), capacity, 1.0)
            self._allowance = min(fitting, max(records, capacity, 1.0) * _GROWTH)

    @property
    def allowance(self) -> int:
        """How many records a batch may have."""
        return 1 if self._outage.under_way else int(self._allowance)


class Step(Hashable, Protocol):
    """What has a service: a step of a pipeline, equal in all its copies."""

    def service(self) -> Service:
        """Make what is known of its service at first."""
        ...


_SERVICES: PerProcess[Step, Service] = PerProcess(lambda step: step.service())


def of(step: Step) -> Service:
    """The service of ``step`` in this process."""
    return _SERVICES.get(step)


def turn() -> float:
    """Seconds until the steps may be called, as ``Service.take_turn``, of all steps together."""
    wait = max((service.take_turn() for service in _SERVICES.values()), default=0.0)
    if wait:
        leave_turns()
    return wait


def leave_turns() -> None:
    """Nothing was read that the steps could have been called with."""
    for service in _SERVICES.values():
        service.leave_turn()


def is_away() -> bool:
    """Whether the service of a step is away."""
    return any(service.trying for service in _SERVICES.values())


def allowance() -> int | None:
    """How many records a batch may have; None if there are no steps."""
    return min((service.allowance for service in _SERVICES.values()), default=None)


def reset() -> None:
    """Forget every service: another pipeline begins in this process."""
    _SERVICES.clear()


class Taken(NamedTuple):
    """One try of a step at a batch.

    Attributes:
        part: What it took; None if it took nothing.
        back_from: The offset from which on it took nothing; None if it took all.
        away: Why its service is away; empty if it is not.
    """

    part: RecordBatch | None
    back_from: int | None = None
    away: str = ""


def parts_taken(
    batch: RecordBatch, service: Service, take: Callable[[RecordBatch, Passage | None], Taken]
) -> Iterator[RecordBatch]:
    """What a step takes of ``batch``; it waits for its service where no reader can.

    Args:
        batch: The records.
        service: What the step calls.
        take: Tries the step at a batch, which may be the rest of this one.

    Raises:
        ServiceUnavailable: The outage budget is used up.
    """
    passage = current(batch)
    while True:
        part, back_from, away = take(batch, passage)
        whole = batch.claim is not None
        if back_from is None or not (whole or part is None):
            assert part is not None  # noqa: S101 - one of them is there
            yield part if back_from is None else _with_content(part, passage)
        if back_from is None:
            return
        if part is None or whole:
            back_from = batch.span.start
        wait = service.away(away) if away else 0.0
        if passage is not None:
            passage.give_back(back_from)
            return
        time.sleep(wait)
        if not whole:
            batch = divided(batch, back_from)[1]


def _with_content(part: RecordBatch, passage: Passage | None) -> RecordBatch:
    """``part``, the first of a batch, with the bytes of its span."""
    content = None if passage is None else passage.content(part.span.end)
    return replace(part, span=replace(part.span, content=content))
