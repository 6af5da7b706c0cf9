"""The actions on failed records by hand: replay, cancel, purge, adopt, each in the audit trail."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import sqlalchemy as sa

from sinks.database.database import Database
from sinks.database.dialect import Dialect
from sinks.database.dialects import dialect_of
from sinks.database.engine import transaction
from sinks.database.tables import READ_BY, jobs, queue
from sinks.database.update import update_each
from sinks.dead import upkeep
from sinks.jobs import audit_trail
from sinks.jobs import owner as job_owner
from sinks.jobs.chunks import Picked, change_in_chunks
from sinks.jobs.filter import JobFilter
from sinks.jobs.first.origin import origin_of
from sinks.jobs.orders import Order
from sinks.jobs.state import CURRENT
from sinks.jobs.store import enqueue, exists
from sinks.ledger import moves as ledger_moves
from transforms.batch.counts import Counts
from transforms.batch.expansion import expansion_of, renamed, text_of
from transforms.batch.job_states import DEAD_STATES, WAITING_STATES
from transforms.batch.record import Origin
from transforms.errors import ConfigError, Contention
from transforms.steps.pipeline_identity import PipelineIdentity


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an order has done, or would do.

    Attributes:
        count: How many jobs were changed.
        left_alone: How many jobs matched but were not changed, by reason; without zeros.
        states: How many of the changed jobs were in each state before; without zeros.
        owners: How many of the changed jobs belong to each pipeline; None stands for no pipeline.
    """

    count: int
    left_alone: Mapping[str, int]
    states: Mapping[str, int] = field(default_factory=dict, compare=False)
    owners: Mapping[PipelineIdentity | None, int] = field(default_factory=dict, compare=False)


def carry_out(database: Database, order: Order, *, actor: str, reason: str) -> Outcome:
    """Change the jobs of ``order``, at most ``chunks.CHUNK`` in each transaction.

    Each transaction changes the jobs, moves the ledger's counts and enters the audit trail.

    Args:
        database: The database.
        order: The action and its jobs.
        actor: Who acts.
        reason: Why.

    Raises:
        SinkUnavailable: The database cannot be reached; the chunks before are committed.
        Contention: It kept asking for another try.
        SinkFailed: It refuses the change.
    """

    owners: Counter[PipelineIdentity | None] = Counter()
    states: Counter[str] = Counter()

    def committed(picked: Sequence[Picked]) -> None:
        states.update(job.state for job in picked)
        owners.update(
            job_owner.owner_of(job.pipeline, job.steps, None, job.mapped) for job in picked
        )

    def changed(connection: sa.Connection, picked: Sequence[Picked]) -> None:
        change(connection, picked, order, actor=actor, reason=reason, which=order.as_json())

    left_alone = _counted(database, order.left_alone)
    count = change_in_chunks(
        database,
        order.where,
        changed,
        doing=f"{order.action.name} failed records",
        limit=order.limit,
        committed=committed,
    )
    return Outcome(count, left_alone, states, owners)


def change(
    connection: sa.Connection,
    picked: Sequence[Picked],
    order: Order,
    *,
    actor: str,
    reason: str,
    which: Mapping[str, Any],
) -> None:
    """Do to ``picked`` what ``order`` says, move the ledger's counts and enter the audit trail.

    Args:
        connection: In the transaction that picked them.
        picked: The jobs.
        order: The action.
        actor: Who acts.
        reason: Why.
        which: Which jobs were meant, for the audit trail.

    Raises:
        Contention: Another process changed the same jobs.
    """
    if _CHANGES[order.action.name](connection, picked, order) != len(picked):
        raise Contention("another process changed the same jobs; trying again")
    if order.action.moves is not None:
        out, into = order.action.moves
        ledger_moves.move_jobs(connection, picked, Counts(**{out: -1, into: 1}))
    name = order.action.name
    audit_trail.enter(connection, name, actor=actor, reason=reason, which=which, count=len(picked))


def adopter(
    database: Database, which: JobFilter, name: str, steps: tuple[str, ...] | None
) -> PipelineIdentity:
    """The pipeline that adopts the jobs ``which``; without ``steps``, the steps its own jobs name.

    Raises:
        ConfigError: They are not known for certain.
        SinkUnavailable: The database cannot be reached.
    """
    if steps is not None:
        return PipelineIdentity(name, steps)
    with transaction(
        database, "read failed records", write=False, refused=ConfigError
    ) as connection:
        if not exists(connection):
            return PipelineIdentity(name)
        return job_owner.adopter(connection, name, which.where(dialect_of(connection)))


def preview(database: Database, order: Order) -> Outcome:
    """How many jobs ``order`` would change now; changes nothing.

    Raises:
        SinkUnavailable: The database cannot be reached.
    """
    states = _states(database, order)
    return Outcome(sum(states.values()), _counted(database, order.left_alone), states)


def oldest(database: Database, order: Order, limit: int) -> list[int]:
    """The numbers of the first jobs that ``order`` would change.

    Raises:
        SinkUnavailable: The database cannot be reached.
    """
    with transaction(database, "read failed records", write=False) as connection:
        if not exists(connection):
            return []
        query = sa.select(jobs.c.id).where(order.where(dialect_of(connection)))
        size = limit if order.limit is None else min(limit, order.limit)
        return list(connection.execute(query.order_by(jobs.c.id).limit(size)).scalars())


def _states(database: Database, order: Order) -> dict[str, int]:
    """How many jobs ``order`` would change now, by their state."""
    with transaction(database, "read failed records", write=False) as connection:
        if not exists(connection):
            return {}
        chosen = sa.select(CURRENT).where(order.where(dialect_of(connection)))
        if order.limit is not None:
            chosen = chosen.order_by(jobs.c.id).limit(order.limit)
        state = chosen.subquery().c.state
        query = sa.select(state, sa.func.count().label("number")).group_by(state).order_by(state)
        return {row.state: row.number for row in connection.execute(query)}


def _counted(
    database: Database, conditions: Callable[[Dialect], Mapping[str, sa.ColumnElement[bool]]]
) -> dict[str, int]:
    with transaction(database, "read failed records", write=False) as connection:
        if not exists(connection):
            return {}
        counted = {
            name: connection.execute(
                sa.select(sa.func.count()).select_from(jobs).where(where)
            ).scalar_one()
            for name, where in conditions(dialect_of(connection)).items()
        }
    return {name: number for name, number in counted.items() if number}


def _update(
    connection: sa.Connection, ids: Sequence[int], states: Sequence[str], values: dict[str, Any]
) -> int:
    which = dialect_of(connection).is_one_of(jobs.c.id, ids)
    statement = sa.update(jobs).where(which, jobs.c.state.in_(states)).values(**values)
    return connection.execute(statement).rowcount


def _replay(connection: sa.Connection, picked: Sequence[Picked], order: Order) -> int:
    ids = [job.id for job in picked]
    at = dialect_of(connection).now(connection)
    values = {
        "state": "available",
        "scheduled_at": at,
        "attempt": 0,
        "replays": jobs.c.replays + 1,
        "run": "",  # no run's counts have it any more
        "completed_at": None,
        "cancelled_at": None,
        "discarded_at": None,
    }
    changed = _update(connection, ids, order.states, values)
    upkeep.leave(connection, [job.id for job in picked if job.state == "discarded"])
    enqueue(connection, dialect_of(connection).is_one_of(jobs.c.id, ids))
    return changed


def _cancel(connection: sa.Connection, picked: Sequence[Picked], order: Order) -> int:
    ids = [job.id for job in picked]
    out = connection.execute(
        sa.delete(queue).where(dialect_of(connection).is_one_of(queue.c.job, ids))
    ).rowcount
    if out != len(ids):
        return out  # the others were taken meanwhile, and are at an attempt
    values = {"state": "cancelled", "cancelled_at": dialect_of(connection).now(connection)}
    return _update(connection, ids, order.states, values)


def _purge(connection: sa.Connection, picked: Sequence[Picked], order: Order) -> int:
    ids = [job.id for job in picked]
    statement = sa.delete(jobs).where(
        dialect_of(connection).is_one_of(jobs.c.id, ids), jobs.c.state.in_(order.states)
    )
    purged = connection.execute(statement).rowcount
    upkeep.forget(connection, ids)
    ledger_moves.purge_jobs(connection, [job for job in picked if job.state in DEAD_STATES])
    return purged


def _adopt(connection: sa.Connection, picked: Sequence[Picked], order: Order) -> int:
    """Give jobs another owner, in the queue as well. Their version stays the one that tried them.

    Where the owner has as many steps as the one before, each step has taken the place of another.
    """
    assert order.adopter is not None, "an order to adopt says by whom"  # noqa: S101
    _rename_steps(connection, picked, order.adopter.steps)
    changed = 0
    groups: dict[tuple[str, bool], list[int]] = defaultdict(list)
    for job in picked:
        groups[job.target, job.mapped and not order.unmapped].append(job.id)
    for (target, mapped), ids in groups.items():
        home = job_owner.home_of(connection, order.adopter.name, target)
        values = job_owner.columns_of(home, replace(order.adopter, mapped=mapped))
        del values["version"]
        queued = sa.update(queue).where(dialect_of(connection).is_one_of(queue.c.job, ids))
        moved = connection.execute(queued.values(owner=values["owner"])).rowcount
        waiting = sa.select(sa.func.count()).where(
            dialect_of(connection).is_one_of(jobs.c.id, ids), jobs.c.state.in_(WAITING_STATES)
        )
        if moved == connection.execute(waiting).scalar_one():
            changed += _update(connection, ids, order.states, values)
        # Otherwise some were taken meanwhile, and are at an attempt.
    return changed


def _rename_steps(
    connection: sa.Connection, picked: Sequence[Picked], labels: Sequence[str]
) -> None:
    """Let expansions name the steps as their new owner does; other jobs have none."""
    ids = [job.id for job in picked]
    expanded = sa.select(*_EXPANDED).where(
        dialect_of(connection).is_one_of(jobs.c.id, ids), jobs.c.expansion.is_not(None)
    )
    rows = []
    for row in connection.execute(expanded):
        before = json.loads(row.steps or "[]")
        names = dict(zip(before, labels, strict=True)) if len(before) == len(labels) else {}
        expansion = renamed(expansion_of(row.expansion), names)
        origin = Origin(row.source, row.partition, row.offset, row.element, expansion)
        if text_of(expansion) != row.expansion:
            key = origin_of(row.read_by, origin)
            rows.append({"id": row.id, "expansion": text_of(expansion), "origin": key})
    update_each(connection, jobs, rows)


_EXPANDED = (
    *(jobs.c.id, jobs.c.steps, READ_BY.label("read_by"), jobs.c.source, jobs.c.partition),
    *(jobs.c.offset, jobs.c.element, jobs.c.expansion),
)

_CHANGES: dict[str, Callable[[sa.Connection, Sequence[Picked], Order], int]] = {
    "adopt": _adopt,
    "replay": _replay,
    "cancel": _cancel,
    "purge": _purge,
}
