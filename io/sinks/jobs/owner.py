"""Whose a job is: the pipeline that stored it, and that alone may try it again.

A job without an owner belongs to nobody: one that was stored before pipelines had names, or by a
write that was not told which pipeline it is of. No program takes it before it is adopted.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from hashlib import blake2b
from typing import Any

import sqlalchemy as sa

from sinks.database.tables import jobs, queue
from transforms.errors import ConfigError
from transforms.read.job_queue import Waiting
from transforms.steps.pipeline_identity import PipelineIdentity

STAGES = ("read", "parse", "validate", "write")
"""The stages that every pipeline has; any other is the label of a user's step."""

LISTED = 10
"""Pipelines whose waiting jobs are counted one by one."""


def id_of(target: str, pipeline: PipelineIdentity) -> uuid.UUID:
    """What the queue is asked for: a hash of the table, the pipeline's name and its steps."""
    named = pipeline.named(target)
    text = json.dumps([target, named.name, *named.steps])
    return uuid.UUID(bytes=blake2b(text.encode(), digest_size=16).digest())


def columns_of(target: str, pipeline: PipelineIdentity | None) -> dict[str, Any]:
    """The columns of a job that say whose it is."""
    if pipeline is None:
        return {"pipeline": None, "steps": None, "version": None, "owner": None}
    return {
        "pipeline": pipeline.named(target).name,
        "steps": steps_text(pipeline.steps),
        "version": pipeline.version,
        "owner": id_of(target, pipeline),
    }


def steps_text(steps: Sequence[str]) -> str:
    """The labels as a job has them."""
    return json.dumps(list(steps), ensure_ascii=False)


def owner_of(name: str | None, steps: str | None, version: str | None) -> PipelineIdentity | None:
    """The pipeline that these columns of a job name; None is nobody."""
    if name is None:
        return None
    return PipelineIdentity(name, tuple(json.loads(steps or "[]")), version or "")


def adopter(
    connection: sa.Connection, name: str, which: sa.ColumnElement[bool]
) -> PipelineIdentity:
    """The pipeline ``name``, with the steps that it is known to have.

    It is known by its jobs. A pipeline that has none has no steps, as ``pipelines.ingest`` itself,
    unless a job that it is to have failed in one.

    Args:
        connection: In a transaction.
        name: The pipeline's name.
        which: The jobs that it is to have.

    Raises:
        ConfigError: Several pipelines have the name, or a job went through steps that are not known.
    """
    said = "; give --steps A,B as the pipeline has them, or --no_steps if it has none"
    stored = sa.select(jobs.c.steps).where(jobs.c.pipeline == name).distinct().limit(LISTED)
    known = sorted(connection.execute(stored).scalars())
    if len(known) > 1:
        listed = ", ".join(str(owner_of(name, steps, None)) for steps in known)
        raise ConfigError(f"several pipelines are called {name}: {listed}{said}")
    if known:
        return PipelineIdentity(name, tuple(json.loads(known[0])))
    failed = sa.select(jobs.c.stage).where(which, jobs.c.stage.not_in(STAGES))
    stages = sorted(connection.execute(failed.distinct().limit(LISTED)).scalars())
    if stages:
        raise ConfigError(f"some of these jobs failed in the step {', '.join(stages)}{said}")
    return PipelineIdentity(name)


def left(connection: sa.Connection, target: str, mine: PipelineIdentity | None) -> list[Waiting]:
    """The queued jobs of ``target`` that are not of ``mine``: how many wait for which pipeline.

    The pipelines with most jobs first, at most ``LISTED``.
    """
    others = queue.c.target == target
    if mine is not None:
        owner = id_of(target, mine)
        others = sa.and_(others, sa.or_(queue.c.owner.is_(None), queue.c.owner != owner))
    count = sa.func.count()
    each = (
        sa.select(queue.c.owner, count.label("count"), sa.func.min(queue.c.job).label("one"))
        .where(others)
        .group_by(queue.c.owner)
        .order_by(count.desc())
        .limit(LISTED)
        .subquery()
    )
    query = (
        sa.select(jobs.c.pipeline, jobs.c.steps, jobs.c.version, each.c.count)
        .join(each, jobs.c.id == each.c.one)
        .order_by(each.c.count.desc(), jobs.c.pipeline, jobs.c.steps)
    )
    program = None if mine is None else mine.named(target)
    return [
        Waiting(target, owner_of(*owner), number, program)
        for *owner, number in connection.execute(query)
    ]
