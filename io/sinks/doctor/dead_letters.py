"""Why records are dead: dead letters by fingerprint, the most frequent ones first.

No index leads to a state. So it looks at the jobs with the highest numbers, the newest ones; the
ledger counts all dead letters.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from sinks.database.tables import READ_BY, counts, jobs
from sinks.doctor.item import Item, length
from sinks.doctor.scope import Scope
from sinks.ledger import hidden_fields
from transforms.batch.job_states import DEAD_STATES
from transforms.failure_fingerprint import LENGTH, Fingerprint, fingerprint
from transforms.parse.hidden.preview import WITHHELD

SAMPLE = 10_000
"""How many jobs are looked at, those with the highest numbers."""

SHOWN = 5
"""How many fingerprints are shown."""

_CHECK = "dead_letters"


@dataclass(frozen=True, slots=True)
class Group:
    """Dead letters that are alike.

    Attributes:
        kind: What they have in common.
        number: How many there are.
        first: When the first of them failed.
        last: When the last of them failed first.
        job: The number of the newest.
    """

    kind: Fingerprint
    number: int
    first: datetime
    last: datetime
    job: int


def grouped(groups: Iterable[Group]) -> list[Group]:
    """The groups with those of one fingerprint made one, the most frequent first."""
    merged: dict[Fingerprint, Group] = {}
    for group in groups:
        before = merged.get(group.kind)
        if before is not None:
            group = replace(
                group,
                number=before.number + group.number,
                first=min(before.first, group.first),
                last=max(before.last, group.last),
                job=max(before.job, group.job),
            )
        merged[group.kind] = group
    return sorted(merged.values(), key=lambda group: (-group.number, group.kind.id))


def verdicts(groups: list[Group], total: int, now: datetime) -> Iterator[Item]:
    """The verdicts on dead letters.

    Args:
        groups: From ``grouped``: those that were looked at.
        total: How many there are in all, by the ledger.
        now: The time of the database.
    """
    for group in groups[:SHOWN]:
        yield _verdict(group, now)
    more = total - sum(group.number for group in groups[:SHOWN])
    if more > 0:
        what = (
            f"{more:,} more dead letters, of other kinds or older than the newest {SAMPLE:,} jobs"
        )
        yield Item(_CHECK, "warning", what, "", "run: sluice dead-letters stats", {"count": more})
    elif not groups:
        yield Item(_CHECK, "ok", "there are no dead letters", figures={"count": 0})


def _verdict(group: Group, now: datetime) -> Item:
    kind = group.kind
    code = f" {kind.sqlstate}" if kind.sqlstate else ""
    noun = "letter" if group.number == 1 else "letters"
    what = (
        f"{group.number:,} dead {noun} of {kind.stage}/{kind.category}{code}, the first "
        f"{length(now - group.first)} and the last {length(now - group.last)} ago: {kind.message}"
    )
    todo = (
        f"look at one (sluice dead-letters show --id {group.job}), repair the cause, and replay with "
        f"--stage {kind.stage} --category {kind.category}, or purge"
    )
    figures = {
        "fingerprint": kind.id,
        "count": group.number,
        "first": group.first.isoformat(),
        "last": group.last.isoformat(),
        "sample": group.job,
        "stage": kind.stage,
        "category": kind.category,
        "sqlstate": kind.sqlstate,
        "message": kind.message,
    }
    return Item(_CHECK, "warning", what, kind.stage, todo, figures)


def check(connection: sa.Connection, scope: Scope) -> Iterator[Item]:
    """Look at the newest jobs, and at the counts."""
    pipeline = scope.question.pipeline
    number = sa.select(sa.func.coalesce(sa.func.sum(counts.c.dead - counts.c.purged), 0))
    if pipeline is not None:
        number = number.where(counts.c.pipeline == pipeline)
    total = int(connection.execute(number).scalar_one())
    yield from verdicts(grouped(_groups(connection, pipeline)), total, scope.now)


def _groups(connection: sa.Connection, pipeline: str | None) -> Iterator[Group]:
    rows = connection.execute(_query(pipeline)).all()
    names = {row.reader for row in rows} | {row.pipeline for row in rows if row.pipeline}
    hidden = hidden_fields.of_jobs(connection, {row.target for row in rows}, names)
    places = {(row.target, row.reader, row.pipeline) for row in rows}
    hiding = {place for place in places if hidden.of(*place).paths}
    for row in rows:
        # A message may quote the record, and nobody looks at the record here.
        hides = (row.target, row.reader, row.pipeline) in hiding
        kind = fingerprint(row.stage, row.category, row.sqlstate, WITHHELD if hides else row.text)
        yield Group(kind, row.number, row.first, row.last, row.job)


def _query(pipeline: str | None) -> sa.Select[Any]:
    names = ("stage", "category", "sqlstate", "target", "pipeline", "state", "id", "inserted_at")
    newest = (
        sa.select(
            *(jobs.c[name] for name in names),
            READ_BY.label("reader"),
            sa.func.substr(jobs.c.message, 1, LENGTH).label("text"),
        )
        .order_by(jobs.c.id.desc())
        .limit(SAMPLE)
        .subquery()
    )
    of = newest.c
    kind = (of.stage, of.category, of.sqlstate, of.target, of.pipeline, of.reader, of.text)
    number = sa.func.count().label("number")
    query = (
        sa.select(
            *kind,
            number,
            sa.func.min(of.inserted_at).label("first"),
            sa.func.max(of.inserted_at).label("last"),
            sa.func.max(of.id).label("job"),
        )
        .where(of.state.in_(DEAD_STATES))
        .group_by(*kind)
    )
    return query if pipeline is None else query.where(of.reader == pipeline)
