"""What the audit says in figures; reading it takes as long as the tables are large."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import timedelta

import sqlalchemy as sa

from sinks.database.database import Database
from sinks.database.dialects import dialect_of
from sinks.database.engine import transaction
from sinks.database.migrations import version
from sinks.database.tables import READ_BY, jobs, runs
from sinks.figures.labels import label_of, patterns_of
from sinks.figures.sample import Sample
from sinks.figures.totals import Patterns
from sinks.jobs.retention import FINISHED, Retention
from sinks.jobs.state import CURRENT
from sinks.ledger.accounts import accounts
from transforms.batch.job_states import JOB_STATES


def audited(database: Database, topics: str) -> list[Sample]:
    """Gaps, violations, partitions and jobs, each counted one by one.

    Args:
        database: Which database.
        topics: A pattern of those names of sources in the ledger that are labels themselves.

    Raises:
        ConfigError: There are no tables, or they have another version.
        SinkUnavailable: The database cannot be reached.
    """
    with transaction(database, "read its figures", write=False) as connection:
        version.check_present(connection, database)
        patterns = patterns_of(connection, topics)
        of_jobs = [*_jobs(connection), *_retention(connection)]
    return [*_partitions(database, patterns), *of_jobs]


def _partitions(database: Database, patterns: Patterns) -> Iterator[Sample]:
    names = ("gaps", "violations", "complete", "open")
    sums: dict[tuple[str, str], Counter[str]] = {}
    for account in accounts(database):
        progress = account.progress
        place = progress.pipeline, label_of(progress.source, patterns)
        whole = progress.counts.conserved and account.balanced and account.added_up
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
    now = dialect_of(connection).now(connection)
    kinds = sa.select(
        READ_BY.label("pipeline"), jobs.c.target, CURRENT.label("state"), jobs.c.discarded_at
    ).subquery()
    query = sa.select(
        kinds.c.pipeline,
        kinds.c.target,
        kinds.c.state,
        sa.func.count(),
        sa.func.min(kinds.c.discarded_at),
    ).group_by(kinds.c.pipeline, kinds.c.target, kinds.c.state)
    numbers: dict[tuple[str, str], Mapping[str, int]] = {}
    for pipeline, target, state, number, oldest in connection.execute(query):
        place = pipeline, target
        numbers[place] = {**numbers.get(place, dict.fromkeys(JOB_STATES, 0)), state: number}
        if state == "discarded" and oldest is not None:
            seconds = (now - oldest).total_seconds()
            labels = {"pipeline": pipeline, "target": target}
            yield Sample("sluice_dead_letter_oldest_seconds", seconds, labels)
    for (pipeline, target), states in sorted(numbers.items()):
        for state, number in states.items():
            labels = {"pipeline": pipeline, "target": target, "state": state}
            yield Sample("sluice_jobs", number, labels)


def _retention(connection: sa.Connection) -> Iterator[Sample]:
    """How much longer jobs are kept than their pipeline's last run said."""
    now = dialect_of(connection).now(connection)
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
        for state, period in Retention.parse(map(str, retain)).periods:
            of_state = jobs.c.target == target, jobs.c.state == state
            oldest = connection.scalar(sa.select(sa.func.min(FINISHED[state])).where(*of_state))
            over = timedelta(0) if oldest is None else now - oldest - period
            labels = {"pipeline": pipeline, "target": target, "state": state}
            seconds = max(0.0, over.total_seconds())
            yield Sample("sluice_retention_overdue_seconds", seconds, labels)
