"""The owner of a job: the pipeline that stored it, which alone may try it again.

A job has no owner if it was stored before pipelines had names, or by a write that did not know its
pipeline. No program takes such a job before it is adopted.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from dataclasses import replace
from hashlib import blake2b
from typing import Any

import sqlalchemy as sa

from sinks.database.tables import READ_BY, counts, jobs, pipelines, queue
from transforms.errors import ConfigError
from transforms.read.job_queue import Waiting
from transforms.route.table_name import UNROUTED
from transforms.steps.pipeline_identity import PipelineIdentity

STAGES = ("read", "parse", "map", "route", "validate", "write")
"""The stages that every pipeline has. Any other stage is the label of a user's step."""

LISTED = 10
"""For how many pipelines the waiting jobs are counted separately."""


def id_of(target: str, pipeline: PipelineIdentity) -> uuid.UUID:
    """The owner in the queue: a hash of the table, the pipeline's name, its steps and ``mapped``.

    ``target`` is the pipeline's own table, whatever other tables its records are meant for: all its
    jobs have one owner.
    """
    named = pipeline.named(target)
    fields = [target, named.name, *named.steps]
    text = json.dumps([fields, "mapped"] if named.mapped else fields)
    return uuid.UUID(bytes=blake2b(text.encode(), digest_size=16).digest())


def owners_of(target: str, pipeline: PipelineIdentity) -> tuple[uuid.UUID, ...]:
    """The owners whose jobs ``pipeline`` takes: with a mapping, also itself without one."""
    own = id_of(target, pipeline)
    if not pipeline.mapped:
        return (own,)
    return own, id_of(target, replace(pipeline, mapped=False))


def columns_of(target: str, pipeline: PipelineIdentity | None) -> dict[str, Any]:
    """The columns of a job that name its owner."""
    if pipeline is None:
        return {"pipeline": None, "steps": None, "version": None, "mapped": False, "owner": None}
    return {
        "pipeline": pipeline.named(target).name,
        "steps": steps_text(pipeline.steps),
        "version": pipeline.version,
        "mapped": pipeline.mapped,
        "owner": id_of(target, pipeline),
    }


def steps_text(steps: Sequence[str]) -> str:
    """The labels of steps as a job stores them."""
    return json.dumps(list(steps), ensure_ascii=False)


def owner_of(
    name: str | None, steps: str | None, version: str | None, mapped: bool = False
) -> PipelineIdentity | None:
    """The pipeline that these columns of a job name; None if they name none."""
    if name is None:
        return None
    return PipelineIdentity(name, tuple(json.loads(steps or "[]")), version or "", mapped)


def adopter(
    connection: sa.Connection, name: str, which: sa.ColumnElement[bool]
) -> PipelineIdentity:
    """The pipeline ``name`` that adopts jobs, with the steps that its own jobs name.

    A pipeline without jobs is assumed to have no steps, like ``pipelines.ingest`` itself, unless a
    job that it adopts failed in a step.

    Args:
        connection: In a transaction.
        name: The pipeline's name.
        which: The jobs that it adopts.

    Raises:
        ConfigError: Several pipelines have this name, or a job failed in an unknown step.
    """
    advice = "; give --steps A,B as the pipeline has them, or --no_steps if it has none"
    stored = sa.select(jobs.c.steps).where(jobs.c.pipeline == name).distinct().limit(LISTED)
    steps_found = sorted(connection.execute(stored).scalars())
    if len(steps_found) > 1:
        listed = ", ".join(str(owner_of(name, steps, None)) for steps in steps_found)
        raise ConfigError(f"several pipelines are called {name}: {listed}{advice}")
    if steps_found:
        return PipelineIdentity(name, tuple(json.loads(steps_found[0])))
    failed = sa.select(jobs.c.stage).where(which, jobs.c.stage.not_in(STAGES))
    stages = sorted(connection.execute(failed.distinct().limit(LISTED)).scalars())
    if stages:
        raise ConfigError(f"some of these jobs failed in the step {', '.join(stages)}{advice}")
    return PipelineIdentity(name)


def home_of(connection: sa.Connection, name: str, target: str) -> str:
    """The table by which the pipeline ``name`` owns jobs that are meant for ``target``.

    It is its own table if it sends records to ``target``, and ``target`` as far as is known
    otherwise.

    Args:
        connection: In a transaction.
        name: The pipeline's name.
        target: The table, as the ledger names it.
    """
    own = sa.select(pipelines.c.target).where(pipelines.c.name == name)
    home: str | None = connection.scalar(own)
    if home is None or target in (home, UNROUTED):
        return home or target
    sent = sa.select(counts.c.target).where(counts.c.pipeline == name, counts.c.target == target)
    return target if connection.execute(sent.limit(1)).first() is None else home


def left(
    connection: sa.Connection, target: str, pipeline: PipelineIdentity | None
) -> list[Waiting]:
    """How many queued jobs of a pipeline's tables wait for each pipeline other than itself.

    The tables are its own and those that its records were meant for. The pipelines with most jobs
    come first, at most ``LISTED`` of them.

    Args:
        connection: In a transaction.
        target: The pipeline's own table, as the ledger names it.
        pipeline: The pipeline; None if it has no name.
    """
    program = None if pipeline is None else pipeline.named(target)
    others: sa.ColumnElement[bool] = sa.true()
    if pipeline is not None:
        owners = owners_of(target, pipeline)
        others = sa.or_(queue.c.owner.is_(None), queue.c.owner.not_in(owners))
    count = sa.func.count().label("count")
    groups = (
        sa.select(queue.c.target, queue.c.owner, count, sa.func.min(queue.c.job).label("one"))
        .where(others)
        .group_by(queue.c.target, queue.c.owner)
        .subquery()
    )
    name = target if program is None else program.name
    # Many pipelines share the name of no table; the jobs of others there are not its concern.
    here = groups.c.target == target if target != UNROUTED else READ_BY.in_([name])
    routed = sa.exists().where(
        counts.c.pipeline == name, counts.c.target == groups.c.target, counts.c.target != UNROUTED
    )
    query = (
        sa.select(
            groups.c.target,
            jobs.c.pipeline,
            jobs.c.steps,
            jobs.c.version,
            jobs.c.mapped,
            groups.c.count,
        )
        .join(groups, jobs.c.id == groups.c.one)
        .where(sa.or_(here, routed))
        .order_by(groups.c.count.desc(), groups.c.target, jobs.c.pipeline, jobs.c.steps)
        .limit(LISTED)
    )
    return [
        Waiting(table, owner_of(*owner), number, program)
        for table, *owner, number in connection.execute(query)
    ]
