"""The budget for dead letters: where too many records fail, a run ends or a stream pauses, and nothing is lost.

A wrong option, such as a wrong delimiter or schema, makes a dead letter of every record. In a run that ends,
the commit that would use the budget up is rolled back, so that few of them are stored, however often the run
is tried. A stream commits it and is paused: it has its dead letters until somebody resumes it.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from transforms.batch.counts import Counts
from transforms.batch.record import Failure, Span
from transforms.errors import ConfigError, DeadBudgetExceeded
from transforms.per_process import PerProcess

RECORDS = 10_000
"""How many of the last records of a source a percentage is of."""

LEAST = 1_000
"""From how many records of a source on a percentage means something."""

SAMPLE_LIMIT = 200
"""The most characters of a message that is shown as an example."""


class Owner(Protocol):
    """A source as the user named it."""

    @property
    def uri(self) -> str:
        """As the user wrote it."""
        ...

    def owns(self, source: str) -> bool:
        """Whether ``source``, as in ``Origin``, is a part of it."""
        ...


class Outcome(Protocol):
    """What became of a batch; ``transforms.settle.write.Settled`` is one."""

    @property
    def span(self) -> Span:
        """Where its records come from."""
        ...

    @property
    def counts(self) -> Counts:
        """What became of them."""
        ...

    @property
    def attempts(self) -> int:
        """How many of them are attempts at jobs."""
        ...

    @property
    def dead(self) -> tuple[Failure, ...]:
        """The dead letters."""
        ...


@dataclass(frozen=True, slots=True)
class DeadBudget:
    """How many dead letters a run may make of records that it reads for the first time.

    Attempts at jobs and replays do not count. The worker processes of one machine know of each other's
    dead letters, a moment later (``elsewhere``); where a cluster shares the work, each process keeps to the
    budget by itself. A percentage is of what one process reads.

    Attributes:
        text: As the user wrote it, for messages.
        number: The most dead letters; None for no such limit.
        percent: The most dead letters among the last ``RECORDS`` records of a source, in percent;
            None for no such limit.
        sources: The sources, each of which has its own percentage.
        pauses: Whether the pipeline is paused, as a stream is; otherwise the run ends.
    """

    text: str
    number: int | None = None
    percent: float | None = None
    sources: tuple[Owner, ...] = ()
    pauses: bool = False

    @classmethod
    def parse(cls, text: str, sources: Sequence[Owner] = (), *, pauses: bool = False) -> DeadBudget:
        """Read ``N`` or ``P%``.

        Raises:
            ConfigError: It is neither, or more than 100 %.

        >>> DeadBudget.parse("2.5%").percent
        2.5
        """
        number, percent = text.strip(), text.strip().endswith("%")
        try:
            if not percent and number.isascii() and number.isdigit():
                return cls(text, int(number), sources=tuple(sources), pauses=pauses)
            value = float(number.removesuffix("%")) if percent else -1.0
        except ValueError:
            value = -1.0
        if not 0 <= value <= 100:
            raise ConfigError(f"max_dead must be a number or a percentage up to 100%, got {text!r}")
        return cls(text, percent=value, sources=tuple(sources), pauses=pauses)

    def source_of(self, source: str) -> str:
        """The source that the user named of which ``source`` is a part."""
        return next((owner.uri for owner in self.sources if owner.owns(source)), source)


@dataclass(slots=True)
class _Window:
    """The last records of one source: commit by commit, how many were read and how many died."""

    commits: deque[tuple[int, int]] = field(default_factory=deque)
    read: int = 0
    dead: int = 0

    def add(self, read: int, dead: int) -> None:
        self.commits.append((read, dead))
        self.read += read
        self.dead += dead
        while self.read - self.commits[0][0] >= RECORDS:
            first_read, first_dead = self.commits.popleft()
            self.read -= first_read
            self.dead -= first_dead


@dataclass(slots=True)
class Spending:
    """What one run has spent of its budget in this process."""

    budget: DeadBudget
    dead: int = 0
    windows: dict[str, _Window] = field(default_factory=dict)
    since: datetime | None = None
    """When the pipeline was last resumed: what failed before does not count."""

    def count_from(self, resumed_at: datetime | None) -> None:
        """Forget what was spent before the pipeline was resumed, unless that is forgotten already."""
        if resumed_at != self.since:
            self.since = resumed_at
            self.dead = 0
            self.windows.clear()

    def check(self, outcomes: Iterable[Outcome]) -> None:
        """Refuse a commit that would use up more than the budget.

        Raises:
            DeadBudgetExceeded: It would. The message names the commonest category and an example.
        """
        line = self.excess(outcomes, quoting=True)
        if line:
            raise DeadBudgetExceeded(
                f"{line}; nothing of this commit was written, so repair the cause and run again, or "
                "pass --max_dead 100%"
            )

    def excess(self, outcomes: Iterable[Outcome], *, quoting: bool = False) -> str:
        """By what a commit uses up more than the budget, in one line; empty if it does not.

        Args:
            outcomes: Of the commit.
            quoting: Whether to quote the message of an example, which may quote its record.
        """
        fresh = [outcome for outcome in outcomes if not outcome.attempts]
        failures = [failure for outcome in fresh for failure in outcome.dead]
        if not failures:
            return ""
        budget = self.budget
        number = self.dead + len(failures) + _elsewhere.get(None).number
        if budget.number is not None and number > budget.number:
            counted = f"{number:,} records are dead letters"
            return _line(counted, budget, failures, quoting=quoting)
        if budget.percent is None:
            return ""
        for source, (read, dead) in self._by_source(fresh).items():
            window = self.windows.get(source, _Window())
            read, dead = read + window.read, dead + window.dead
            if read >= LEAST and dead * 100 > budget.percent * read:
                of_source = [f for f in failures if budget.source_of(f.origin.source) == source]
                counted = f"{dead:,} of the last {read:,} records of {source} are dead letters"
                return _line(counted, budget, of_source, quoting=quoting)
        return ""

    def spend(self, outcomes: Iterable[Outcome]) -> None:
        """Count a commit that went through."""
        fresh = [outcome for outcome in outcomes if not outcome.attempts]
        for source, (read, dead) in self._by_source(fresh).items():
            self.windows.setdefault(source, _Window()).add(read, dead)
            self.dead += dead

    def _by_source(self, outcomes: Iterable[Outcome]) -> dict[str, tuple[int, int]]:
        sums: dict[str, tuple[int, int]] = {}
        for outcome in outcomes:
            source = self.budget.source_of(outcome.span.source)
            read, dead = sums.get(source, (0, 0))
            sums[source] = (read + outcome.counts.records, dead + outcome.counts.dead)
        return {source: numbers for source, numbers in sums.items() if numbers[0]}


@dataclass(slots=True)
class _Elsewhere:
    """How many dead letters the other workers of this run have made."""

    number: int = 0


def elsewhere(number: int) -> None:
    """Say how many dead letters the other workers of this run have made so far."""
    _elsewhere.get(None).number = number


def spent() -> int:
    """How many dead letters this process has made of records that it read for the first time."""
    return sum(spending.dead for spending in _spendings.values())


def spending_of(budget: DeadBudget, run: str) -> Spending:
    """What ``run`` has spent of ``budget`` in this process."""
    return _spendings.get((budget, run))


def _line(counted: str, budget: DeadBudget, failures: Sequence[Failure], *, quoting: bool) -> str:
    kinds = Counter((failure.stage, failure.category) for failure in failures)
    (stage, category), number = kinds.most_common(1)[0]
    example = next(f for f in failures if (f.stage, f.category) == (stage, category))
    origin = example.origin
    message = " ".join(example.message.split())[:SAMPLE_LIMIT]
    return (
        f"{counted}, more than --max_dead {budget.text} allows; most are {stage}/{category} "
        f"({number:,} in this commit), e.g. {origin.source} {origin.partition} at {origin.place}"
        + (f": {message}" if quoting else "")
    )


_spendings: PerProcess[tuple[DeadBudget, str], Spending] = PerProcess(
    lambda key: Spending(budget=key[0])
)

_elsewhere: PerProcess[None, _Elsewhere] = PerProcess(lambda _: _Elsewhere())
