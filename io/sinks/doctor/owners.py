"""Whether every job belongs to a pipeline that may run again."""

from __future__ import annotations

from collections.abc import Collection, Iterator

import sqlalchemy as sa

from sinks.database.tables import jobs, runs
from sinks.doctor.dead_letters import SAMPLE
from sinks.doctor.item import Item
from sinks.doctor.scope import MOST_COUNTED, Queue, Scope
from transforms.batch.job_states import DEAD_STATES

_CHECK = "owners"


def nobodys(of: Queue) -> Item | None:
    """The verdict on waiting jobs without a pipeline; None if these have one."""
    if of.pipeline is not None:
        return None
    number = f"{of.number:,}" + (" or more" if of.number >= MOST_COUNTED else "")
    what = f"{number} waiting jobs belong to no pipeline, so that nobody ever tries them"
    todo = f"give them to one: sluice dead-letters adopt --table {of.target} --pipeline NAME --reason …"
    return Item(_CHECK, "warning", what, of.target, todo, {"jobs": of.number, "sample": of.job})


def strangers(of: Queue, names: Collection[str]) -> Item | None:
    """The verdict on waiting jobs of a pipeline that has no run; None if it has one.

    Args:
        of: The jobs.
        names: The pipelines that have run.
    """
    if of.pipeline is None or of.pipeline in names:
        return None
    what = f"{of.number:,} waiting jobs belong to pipeline {of.pipeline}, which has never run here"
    todo = (
        f"if the name is a mistake: sluice dead-letters adopt --from_pipeline {of.pipeline} "
        "--pipeline NAME --reason …"
    )
    return Item(_CHECK, "warning", what, of.pipeline, todo, {"jobs": of.number, "sample": of.job})


def dead_of_nobody(number: int, sample: int | None) -> Item | None:
    """The verdict on dead letters without a pipeline: a replay would not help them; None without any.

    Args:
        number: How many of those that were looked at.
        sample: The number of one.
    """
    if not number:
        return None
    what = f"{number:,} of the newest {SAMPLE:,} jobs are dead letters of no pipeline"
    todo = "before a replay, give them to one: sluice dead-letters adopt --pipeline NAME --reason …"
    return Item(_CHECK, "warning", what, jobs.name, todo, {"jobs": number, "sample": sample})


def check(connection: sa.Connection, scope: Scope) -> Iterator[Item]:
    """Look at the queue by owner, and at the newest jobs."""
    ran = set(connection.scalars(sa.select(runs.c.pipeline).distinct()))
    items = [*map(nobodys, scope.queues), *(strangers(of, ran) for of in scope.queues)]
    if scope.question.pipeline is None:
        names = (jobs.c.id, jobs.c.state, jobs.c.pipeline)
        newest = sa.select(*names).order_by(jobs.c.id.desc()).limit(SAMPLE).subquery().c
        query = sa.select(sa.func.count(), sa.func.max(newest.id))
        nobody = newest.state.in_(DEAD_STATES), newest.pipeline.is_(None)
        items.append(dead_of_nobody(*connection.execute(query.where(*nobody)).one()))
    seen = [item for item in items if item is not None]
    yield from seen
    if not seen:
        yield Item(_CHECK, "ok", "every job belongs to a pipeline that has run here")
