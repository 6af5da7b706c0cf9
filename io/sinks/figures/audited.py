"""What the audit says in figures; reading it takes as long as the tables are large."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta

import sqlalchemy as sa

from sinks.database.database import Database
from sinks.database.dialects import dialect_of
from sinks.database.tables import READ_BY, jobs, runs
from sinks.figures.labels import Labels
from sinks.figures.moment import one_moment
from sinks.figures.sample import Sample
from sinks.jobs.retention import FINISHED, Retention
from sinks.jobs.state import is_in
from sinks.ledger.accounts import accounts
from transforms.batch.job_states import EXECUTING, JOB_STATES


def audited(database: Database, topics: str) -> list[Sample]:
    """Gaps, violations, partitions and jobs, each counted one by one.

    Args:
        database: Which database.
        topics: A pattern of those names of sources in the ledger that are labels themselves.

    Raises:
        ConfigError: The tables are missing, or have another version.
        SinkUnavailable: The database cannot be reached.
    """
    with one_moment(database, topics) as (connection, labels):
        of_jobs = list(_jobs(connection))
    return [*_partitions(database, labels), *of_jobs]


def _partitions(database: Database, labels_of_sources: Labels) -> Iterator[Sample]:
    names = ("gaps", "violations", "complete", "open")
    sums: dict[tuple[str, str], Counter[str]] = {}
    for account in accounts(database):
        progress = account.progress
        place = progress.pipeline, labels_of_sources.of(progress.source)
        tables = account.added_up and not account.faulty_tables
        whole = progress.counts.conserved and account.balanced and tables
        sums.setdefault(place, Counter()).update(
            {
                "gaps": bool(progress.coverage.holes),
                "violations": not whole,
                "complete": progress.coverage.complete,
                "open": not progress.coverage.complete,
            }
        )
    for (pipeline, source), numbers in sorted(sums.items()):
        labels = {"pipeline": pipeline, "source": source}
        gaps, violations, complete, unfinished = (numbers[name] for name in names)
        yield Sample("sluice_ledger_gaps", gaps, labels)
        yield Sample("sluice_conservation_violations", violations, labels)
        yield Sample("sluice_partitions", complete, {**labels, "state": "complete"})
        yield Sample("sluice_partitions", unfinished, {**labels, "state": "open"})


def _jobs(connection: sa.Connection) -> Iterator[Sample]:
    """Jobs by state, and the ages of the oldest ones that have ended, in two passes over all of them."""
    now = dialect_of(connection).now(connection)
    numbers: dict[tuple[str, str], Counter[str]] = {}
    oldest: dict[tuple[str, str], datetime] = {}  # by table and state
    for pipeline, target, state, number, *ends in connection.execute(_BY_STATE):
        numbers.setdefault((pipeline, target), Counter())[state] += number
        end = dict(zip(FINISHED, ends, strict=True)).get(state)
        if end is not None:
            oldest[target, state] = min(end, oldest.get((target, state), end))
            if state == "discarded":
                seconds = (now - end).total_seconds()
                labels = {"pipeline": pipeline, "target": target}
                yield Sample("sluice_dead_letter_oldest_seconds", seconds, labels)
    for pipeline, target, state, number in connection.execute(_EXECUTING):
        numbers[pipeline, target].update({state: -number, EXECUTING: number})
    for (pipeline, target), states in sorted(numbers.items()):
        for state in JOB_STATES:
            labels = {"pipeline": pipeline, "target": target, "state": state}
            yield Sample("sluice_jobs", states[state], labels)
    yield from _retention(connection, now, oldest, numbers)


def _retention(
    connection: sa.Connection,
    now: datetime,
    oldest: Mapping[tuple[str, str], datetime],
    places: Iterable[tuple[str, str]],
) -> Iterator[Sample]:
    """How much longer jobs are kept than their pipeline's last run said, in each of its tables."""
    tables: dict[str, set[str]] = defaultdict(set)
    for pipeline, table in places:
        tables[pipeline].add(table)
    newest: dict[tuple[str, str], Mapping[str, object]] = {}
    rows = sa.select(runs.c.pipeline, runs.c.target, runs.c.options).order_by(
        runs.c.started_at.desc()
    )
    for pipeline, target, options in connection.execute(rows.limit(1_000)):
        newest.setdefault((pipeline, target), options)
    for (pipeline, target), options in sorted(newest.items()):
        retain = options.get("retain")
        if not isinstance(retain, list):
            continue
        periods = Retention.parse(map(str, retain)).periods
        for table in sorted(tables[pipeline] | {target}):
            for state, period in periods:
                end = oldest.get((table, state))
                over = timedelta(0) if end is None else now - end - period
                labels = {"pipeline": pipeline, "target": table, "state": state}
                seconds = max(0.0, over.total_seconds())
                yield Sample("sluice_retention_overdue_seconds", seconds, labels)


_PLACE = (READ_BY.label("pipeline"), jobs.c.target, jobs.c.state)
_GROUPS = (READ_BY, jobs.c.target, jobs.c.state)
# Each state as it is stored, so that Postgres lets several processes read: no look at the queue.
_BY_STATE = sa.select(
    *_PLACE, sa.func.count(), *(sa.func.min(end) for end in FINISHED.values())
).group_by(*_GROUPS)
_EXECUTING = sa.select(*_PLACE, sa.func.count()).where(is_in(EXECUTING)).group_by(*_GROUPS)
