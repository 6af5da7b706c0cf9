"""The counts of a commit for each table: what was read for it, and what became of that.

A record read counts for the table of its first row, and each further row is ``expanded`` for its own.
What a step left out counts for the pipeline's own table. So for each table and for the whole: read and
expanded together are the sum of the outcomes.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from sinks.work import Work
from transforms.batch.counts import Counts
from transforms.batch.expansion import Expansion
from transforms.batch.record import Attempt, Claim
from transforms.settle.sink import Settled

Job = tuple[int, int | None, Expansion]
"""Offset, element and expansion of a record that is a job."""

Kind = str
"""``read`` or ``expanded``: how a row was counted."""


class _Row(NamedTuple):
    """A row, or what should have become one."""

    offset: int
    element: int | None
    expansion: Expansion
    target: str


@dataclass(slots=True)
class _Sums:
    """Counts of each table that are added up."""

    numbers: defaultdict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))

    def add(self, target: str, name: str, number: int = 1) -> None:
        self.numbers[target][name] += number

    def counts(self) -> dict[str, Counts]:
        """The counts of each table; of one whose counts are all zero as well."""
        return {target: Counts(**numbers) for target, numbers in self.numbers.items()}


@dataclass(frozen=True, slots=True)
class Tally:
    """The counts of one batch by table.

    Attributes:
        run: What they add to the counts of this run (``Settled.by_target``).
        ledger: What they add to the ledger of the pipeline that has read the records.
    """

    run: Mapping[str, Counts]
    ledger: Mapping[str, Counts]


def tally_of(work: Work, home: str, run: str) -> Tally:
    """The counts of ``work``, whose failures have been decided on.

    Args:
        work: What was done for one batch.
        home: The label of the pipeline's own table.
        run: The run that counts them.
    """
    outcomes = _Sums()
    for target, counts in work.outcomes.items():
        for name, number in counts:
            outcomes.add(target, name, number)
    for fate in work.fates:
        outcomes.add(fate.failure.target or home, "dead" if fate.is_dead else "retrying")
    if work.batch.filtered:
        outcomes.add(home, "filtered", len(work.batch.filtered))
    if work.batch.claim is None:
        _add_read(outcomes, work, home)
        counts_of = outcomes.counts()
        return Tally(counts_of, counts_of)
    ledger, of_run = _Sums(), _Sums()
    for sums in (ledger, of_run):
        for target, numbers in outcomes.numbers.items():
            sums.numbers[target] = numbers.copy()
    _add_jobs(ledger, of_run, work, work.batch.claim, home, run)
    return Tally(of_run.counts(), ledger.counts())


def settled_of(work: Work, home: str, run: str) -> Settled:
    """What became of one batch, whose failures have been decided on; sets ``work.tally``.

    The arguments are those of ``tally_of``.
    """
    batch = work.batch
    again = 0 if batch.claim is None else batch.claim.of_run(run)
    expanded = batch.expanded
    dead = tuple(fate.failure for fate in work.fates if fate.is_dead)
    retry = tuple(fate.failure for fate in work.fates if not fate.is_dead)
    written = sum(work.outcomes.values(), Counts())
    by_target: Mapping[str, Counts] = {}
    if work.is_routed:
        tally = tally_of(work, home, run)
        by_target, work.tally = tally.run, tally.ledger
    return Settled(
        span=batch.span,
        counts=Counts(
            read=batch.read - expanded - again,
            expanded=expanded,
            inserted=written.inserted,
            updated=written.updated,
            deleted=written.deleted,
            duplicates=written.duplicates,
            filtered=len(batch.filtered),
            dead=len(dead),
            retrying=len(retry) - again,
        ),
        trimmed=work.trimmed,
        attempts=0 if batch.claim is None else len(batch.claim.attempts),
        again=again,
        failed_again=work.failed_again,
        raw_bytes=work.raw_bytes,
        dead=dead,
        retry=retry,
        by_target=by_target,
    )


def _add_read(sums: _Sums, work: Work, home: str) -> None:
    """Count the records of a source: once as read, and what else was made of them as expanded."""
    batch = work.batch
    if batch.elements is None and batch.expansions is None:
        targets = Counter(_targets(work, home))
        for row in _failed(work, home):
            targets[row.target] += 1
        for target, number in targets.items():
            sums.add(target, "read", number)
        if batch.filtered:
            sums.add(home, "read", len(batch.filtered))
        return
    firsts: set[int] = set()
    other: dict[int, str] = {}
    for row in _rows(work, home):
        if row.offset not in firsts and _is_first(row.element, row.expansion):
            firsts.add(row.offset)
            sums.add(row.target, "read")
        else:
            sums.add(row.target, "expanded")
            other.setdefault(row.offset, row.target)
    for offset in batch.filtered:
        sums.add(home, "expanded" if offset in firsts else "read")
        firsts.add(offset)
    for offset, target in other.items():
        if offset not in firsts:
            sums.add(target, "read")
            sums.add(target, "expanded", -1)


def _add_jobs(ledger: _Sums, of_run: _Sums, work: Work, claim: Claim, home: str, run: str) -> None:
    """Let each job leave the table that it was of; what was made of it is counted where it is now.

    One row takes the place of the job. Each further one is expanded, as for a source.
    """
    before = claim.target or home
    filtered = Counter(work.batch.filtered)
    rows: dict[Job, list[_Row]] = {job: [] for job in claim.attempts}
    for row in _rows(work, home):
        rows[_job_of(row, claim.attempts)].append(row)
    for job, attempt in claim.attempts.items():
        offset, element, expansion = job
        kind = "read" if _is_first(element, expansion) else "expanded"
        again = attempt.run == run
        for sums in (ledger, of_run) if again else (ledger,):
            sums.add(before, kind, -1)
            sums.add(before, "retrying", -1)
        targets = [row.target for row in _heir_first(job, rows[job])]
        if not targets or (filtered[offset] and not _has_heir(job, rows[job])):
            targets.insert(0, home)
            filtered[offset] -= 1
        ledger.add(targets[0], kind)
        of_run.add(targets[0], kind if again else "read")
        for target in targets[1:]:
            ledger.add(target, "expanded")
            of_run.add(target, "expanded")
    for number in filtered.values():
        if number > 0:
            ledger.add(home, "expanded", number)
            of_run.add(home, "expanded", number)


def _rows(work: Work, home: str) -> Iterator[_Row]:
    batch = work.batch
    nothing: Sequence[None] = [None] * len(batch.raws)
    elements = nothing if batch.elements is None else batch.elements
    expansions = [()] * len(batch.raws) if batch.expansions is None else batch.expansions
    yield from map(_Row, batch.offsets, elements, expansions, _targets(work, home))
    yield from _failed(work, home)


def _targets(work: Work, home: str) -> Sequence[str]:
    """The table of each record."""
    return [home] * len(work.batch.raws) if work.batch.targets is None else work.targets


def _failed(work: Work, home: str) -> Iterator[_Row]:
    """What had failed before the write; what failed in it is one of the batch's records."""
    for fate in work.fates[: len(work.batch.failures)]:
        origin, target = fate.failure.origin, fate.failure.target or home
        yield _Row(origin.offset, origin.element, origin.expansion, target)


def _is_first(element: int | None, expansion: Expansion) -> bool:
    """Whether a row is the first of its message."""
    return not element and not any(branch.number for branch in expansion)


def _job_of(row: _Row, attempts: Mapping[Job, Attempt]) -> Job:
    """The job that a row was made of."""
    for length in range(len(row.expansion), -1, -1):
        job = (row.offset, row.element, row.expansion[:length])
        if job in attempts:
            return job
    raise KeyError(row)


def _heir_first(job: Job, rows: Sequence[_Row]) -> list[_Row]:
    """The rows of a job, first the one that takes its place."""
    return sorted(rows, key=lambda row: not _is_heir(job, row))


def _has_heir(job: Job, rows: Sequence[_Row]) -> bool:
    return any(_is_heir(job, row) for row in rows)


def _is_heir(job: Job, row: _Row) -> bool:
    return not any(branch.number for branch in row.expansion[len(job[2]) :])
