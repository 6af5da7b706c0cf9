"""The states of a failed record, the actions that a person may apply in each of them, and attempts at it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from transforms.batch.expansion import Expansion

EXECUTING = "executing"
"""A job that is being tried: the one state that is not stored, see ``sinks.jobs.state``."""

JOB_STATES = (
    "suspended",
    "available",
    "scheduled",
    EXECUTING,
    "retryable",
    "completed",
    "cancelled",
    "discarded",
)
"""Oban's states; a dead letter is ``discarded`` or ``cancelled``."""

WAITING_STATES = ("available", "scheduled", "retryable")
"""Jobs that are tried once ``scheduled_at`` has come."""

UNFINISHED_STATES = (*WAITING_STATES, "suspended")
"""Jobs that the ledger counts as ``retrying``, as stored."""

DEAD_STATES = ("cancelled", "discarded")
"""Jobs that the ledger counts as ``dead``."""

FINAL_STATES = ("completed", "cancelled", "discarded")

MAX_REPLAYS = 5
"""How often a job is replayed unless the order says otherwise."""


@dataclass(frozen=True, slots=True)
class Action:
    """A kind of change.

    Attributes:
        name: Its name in the audit trail.
        states: The states that it may be applied to.
        default: The states that it is applied to unless one is named.
        moves: The counts of the ledger that a job leaves and enters, if any.
    """

    name: str
    states: tuple[str, ...]
    default: tuple[str, ...]
    moves: tuple[str, str] | None = None


REPLAY = Action("replay", ("discarded", "cancelled"), ("discarded",), ("dead", "retrying"))
CANCEL = Action("cancel", WAITING_STATES, WAITING_STATES, ("retrying", "dead"))
PURGE = Action("purge", FINAL_STATES, ("discarded",))
_KEPT = (*UNFINISHED_STATES, "cancelled", "discarded")
ADOPT = Action("adopt", _KEPT, _KEPT)
ACTIONS = {action.name: action for action in (REPLAY, CANCEL, PURGE, ADOPT)}


class Attempt(NamedTuple):
    """One more attempt at a record that has failed before.

    Attributes:
        job: Number of its row in ``ingest_jobs``.
        number: Which attempt this is (1-based).
        max_attempts: How many attempts it has before it is discarded.
        run: The run that counted it as retrying.
    """

    job: int
    number: int
    max_attempts: int
    run: str


Job = tuple[int, int | None, Expansion]
"""The offset, the element and the expansion of the origin of a job's record."""


class Attempts(Mapping[Job, Attempt]):
    """The attempts of a claim, column by column; they are made once one is asked for.

    Of most claims none is: the records are written, and no more is said of them.

    Args:
        origins: Offsets, elements and expansions of the origins.
        columns: The columns of ``Attempt``.
    """

    __slots__ = ("_all", "_columns", "_origins", "jobs", "runs")

    def __init__(
        self,
        origins: tuple[Sequence[int], Sequence[int | None], Sequence[Expansion]],
        columns: tuple[Sequence[int], Sequence[int], Sequence[int], Sequence[str]],
    ) -> None:
        self._origins, self._columns = origins, columns
        self._all: dict[Job, Attempt] | None = None
        self.jobs, self.runs = columns[0], columns[-1]

    def __len__(self) -> int:
        return len(self.jobs)

    def __iter__(self) -> Iterator[Job]:
        return iter(self._attempts())

    def __getitem__(self, job: Job) -> Attempt:
        return self._attempts()[job]

    def __repr__(self) -> str:
        return repr(self._attempts())

    def _attempts(self) -> dict[Job, Attempt]:
        if self._all is None:
            attempts = map(Attempt._make, zip(*self._columns, strict=True))
            self._all = dict(zip(zip(*self._origins, strict=True), attempts, strict=True))
        return self._all


@dataclass(frozen=True, slots=True)
class Claim:
    """Jobs that one process runs while its lease lasts; they are settled together.

    Attributes:
        id: A UUID in hexadecimal: the id of its row in ``ingest_claims``.
        attempts: The attempt at each record, by the offset, the element and the expansion of its
            origin. A step may make several records of a job: then only the job is here.
        read_by: The pipeline that has read the records, whose ledger counts them. It may differ
            from the one that tries them again, which may have adopted them.
        target: The table that all of them are meant for; empty for the pipeline's own.
        last: Whether its reader expects no other claim at once, so that its jobs need not wait for
            company. It is not coded: a writer that is not fused with the reader does without it.
    """

    id: str
    attempts: Mapping[Job, Attempt]
    read_by: str
    target: str = ""
    last: bool = False

    @property
    def jobs(self) -> list[int]:
        """The numbers of its jobs."""
        if isinstance(self.attempts, Attempts):
            return list(self.attempts.jobs)
        return [attempt.job for attempt in self.attempts.values()]

    def of_run(self, run: str) -> int:
        """How many of its jobs ``run`` has counted as retrying."""
        if isinstance(self.attempts, Attempts):
            return self.attempts.runs.count(run)
        return sum(attempt.run == run for attempt in self.attempts.values())
