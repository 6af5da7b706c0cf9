"""Forget offsets: the ledger's rows, the jobs and the generation change in one transaction.

The ledger keeps what it has counted, so that no sum ever falls: what is read again counts as read again,
and a record whose job is removed is counted as ``rewound``. Rows of tables and of the outbox stay.
"""

from __future__ import annotations

import operator
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

import sqlalchemy as sa

from sinks.database.database import Database
from sinks.database.dialects import dialect_of
from sinks.database.engine import retried, transaction
from sinks.database.tables import READ_BY, control, intents, jobs, objects, queue
from sinks.dead import upkeep
from sinks.expiry import marks
from sinks.jobs import audit_trail
from sinks.jobs.rescue import rescue
from sinks.jobs.state import executions
from sinks.ledger import ledger, moves
from sinks.ledger.ranges import Partition, Settlement, coverage_of, within, without
from sinks.rewind.at_rest import Names, obstacle
from sinks.rewind.order import Forgotten, Outcome, Rewind
from sinks.text.encoding import clean
from transforms.batch.counts import Counts
from transforms.batch.job_states import WAITING_STATES
from transforms.errors import ConfigError, Contention

_CHUNK = 100
"""Partitions of one query: a database bounds how deep a condition is."""

_DOING = "forget offsets"


def preview(database: Database, rewind: Rewind, names: Names = operator.eq) -> Outcome:
    """What ``carry_out`` would do now; changes nothing. ``names`` says how operators name sources.

    Raises:
        ConfigError: It would never be done, whether or not the pipeline is at rest.
        SinkUnavailable: The database cannot be reached.
    """
    with transaction(database, _DOING, write=False) as connection:
        dialect_of(connection).read_one_moment(connection)
        forgotten, _ = _plan(connection, rewind)
        sources = {source for source, _ in rewind.places}
        why = obstacle(connection, rewind.pipeline, sources, names)
        why = why or _executing(connection, rewind)
        return Outcome(forgotten, _generation(connection, rewind.pipeline), why)


def carry_out(
    database: Database, rewind: Rewind, *, actor: str, reason: str, names: Names = operator.eq
) -> Outcome:
    """Forget offsets: all of it is done, or nothing.

    Args:
        database: The database.
        rewind: What to forget.
        actor: Who acts.
        reason: Why.
        names: How operators name sources.

    Raises:
        ConfigError: The pipeline is neither paused nor stopped, nothing is settled there, it writes
            objects, or deletes that come later are forgotten.
        SinkUnavailable: The database cannot be reached.
        Contention: It kept asking for another try.
        SinkFailed: It refuses the change.
    """
    retried(lambda: rescue(database))  # what a lost process was trying is not tried any more
    return retried(lambda: _carry_out(database, rewind, actor, reason, names))


def _carry_out(
    database: Database, rewind: Rewind, actor: str, reason: str, names: Names
) -> Outcome:
    with transaction(database, _DOING) as connection:
        # Who forgets deletes waits at the first lock, a program that begins at the second, an operator at
        # the third, and a commit of these partitions at the others.
        places = sorted((rewind.pipeline, *place) for place in rewind.places)
        locks = [marks.LOCK, ("", "prepare"), (rewind.pipeline, "control"), *places]
        dialect_of(connection).lock(connection, locks)
        generation = _next_generation(connection, rewind.pipeline, actor, reason)
        sources = {source for source, _ in rewind.places}
        why = obstacle(connection, rewind.pipeline, sources, names)
        if why := why or _executing(connection, rewind):
            raise ConfigError(why)
        forgotten, settled = _plan(connection, rewind)
        _remove_jobs(connection, rewind, forgotten)
        deltas: dict[str, dict[Partition, Counts]] = defaultdict(dict)
        for part in forgotten:
            before = settled[part.place]
            after = without(before, rewind.start, rewind.end)
            ledger.replace_rows(connection, rewind.pipeline, part.place, before, after)
            for target, delta in part.moves.items():
                deltas[target][part.place] = delta
        moves.move(connection, rewind.pipeline, deltas)
        for part in forgotten:
            which = {**rewind.as_json(part.place), "ranges": [list(low) for low in part.ranges]}
            which |= {"jobs": part.states, "generation": generation}
            audit_trail.enter(
                connection, "rewind", actor=actor, reason=reason, which=which, count=part.removed
            )
        return Outcome(forgotten, generation)


def _plan(
    connection: sa.Connection, rewind: Rewind
) -> tuple[list[Forgotten], Mapping[Partition, Sequence[Settlement]]]:
    """What is to be forgotten, and the ledger's rows of these partitions.

    Raises:
        ConfigError: Nothing is settled there, the pipeline writes objects, or deletes are forgotten.
    """
    _refuse_objects(connection, rewind.pipeline)
    _refuse_forgotten_deletes(connection, rewind)
    settled = ledger.settlements(connection, rewind.pipeline, rewind.places)
    of_jobs = _jobs(connection, rewind)
    forgotten = [
        Forgotten(
            *place,
            tuple(within(rows, rewind.start, rewind.end)),
            of_jobs.get(place, {}),
            sum((row.counts for row in rows), Counts()),
            coverage_of(rows).end,
        )
        for place, rows in settled.items()
        if without(rows, rewind.start, rewind.end) != _in_order(rows) or place in of_jobs
    ]
    if not forgotten:
        upto = "" if rewind.end is None else f" to before {rewind.end:,}"
        raise ConfigError(
            f"the ledger of pipeline {rewind.pipeline} has nothing from offset {rewind.start:,}{upto} of "
            f"{_named(rewind.places)}: there is nothing to forget"
        )
    return forgotten, settled


def _in_order(rows: Sequence[Settlement]) -> list[Settlement]:
    return sorted(rows, key=lambda row: row.start)


def _named(places: Sequence[Partition]) -> str:
    (source, partition), *others = places
    return f"{source} ({partition})" + (f" and {len(others):,} more partitions" if others else "")


def _refuse_objects(connection: sa.Connection, pipeline: str) -> None:
    """Refuse a pipeline that writes objects: read again, its records would be in two of them."""
    of_pipeline = sa.union_all(
        sa.select(sa.literal(1)).where(objects.c.pipeline == pipeline),
        sa.select(sa.literal(1)).where(intents.c.pipeline == pipeline),
    )
    if connection.execute(of_pipeline.limit(1)).first() is not None:
        raise ConfigError(
            f"pipeline {pipeline} writes objects, which cannot tell that a record is there already: its "
            "records would be there twice. Read it under another --pipeline into another prefix"
        )


def _refuse_forgotten_deletes(connection: sa.Connection, rewind: Rewind) -> None:
    """Refuse offsets below a delete that nobody remembers: their records would bring its row back."""
    for place, (offset, target) in marks.highest_of(
        connection, rewind.pipeline, rewind.places
    ).items():
        if rewind.start <= offset:
            raise ConfigError(
                f"deletes of {_named([place])} up to offset {offset:,} are forgotten (--retain deletes=…), "
                f"and what was read before them would bring rows of table {target} back: give "
                f"--from_offset {offset + 1} or more, or read it under another --pipeline into an empty table"
            )


def _conditions(rewind: Rewind, places: Sequence[Partition]) -> Iterator[sa.ColumnElement[bool]]:
    """Conditions that the jobs of the offsets in ``places`` meet, each job one of them."""
    offsets = [jobs.c.offset >= rewind.start]
    if rewind.end is not None:
        offsets.append(jobs.c.offset < rewind.end)
    for first in range(0, len(places), _CHUNK):
        either = [
            sa.and_(jobs.c.source == source, jobs.c.partition == partition)
            for source, partition in places[first : first + _CHUNK]
        ]
        yield sa.and_(READ_BY.in_([rewind.pipeline]), *offsets, sa.or_(*either))


def _jobs(connection: sa.Connection, rewind: Rewind) -> dict[Partition, dict[tuple[str, str], int]]:
    """How many jobs of the offsets there are, by partition, table and stored state."""
    key = (jobs.c.source, jobs.c.partition, jobs.c.target, jobs.c.state)
    counted: dict[Partition, dict[tuple[str, str], int]] = defaultdict(dict)
    for condition in _conditions(rewind, rewind.places):
        query = sa.select(*key, sa.func.count()).where(condition).group_by(*key)
        for source, partition, target, state, number in connection.execute(query):
            counted[source, partition][target, state] = number
    return counted


def _executing(connection: sa.Connection, rewind: Rewind) -> str:
    """Why the jobs must not be removed now: one of them is being tried."""
    numbers = sorted(executions(connection))
    if not numbers:
        return ""
    tried = dialect_of(connection).is_one_of(jobs.c.id, numbers)
    for condition in _conditions(rewind, rewind.places):
        job = sa.select(jobs.c.id).where(condition, tried).order_by(jobs.c.id).limit(1)
        if (number := connection.scalar(job)) is not None:
            return (
                f"job {number} of these offsets is being tried at this moment: try again once the "
                "attempt has ended (sluice dead-letters list --state executing)"
            )
    return ""


def _remove_jobs(connection: sa.Connection, rewind: Rewind, forgotten: Sequence[Forgotten]) -> None:
    """Delete the jobs of the offsets, in every state, and those of them that are in the queue."""
    numbers: dict[str, int] = defaultdict(int)
    for part in forgotten:
        for state, number in part.states.items():
            numbers[state] += number
    waiting = sum(numbers[state] for state in WAITING_STATES)
    unqueued = deleted = 0
    for condition in _conditions(rewind, [part.place for part in forgotten]):
        of_offsets = sa.select(jobs.c.id).where(condition)
        unqueued += connection.execute(sa.delete(queue).where(queue.c.job.in_(of_offsets))).rowcount
        upkeep.forget_where(connection, condition)
        deleted += connection.execute(sa.delete(jobs).where(condition)).rowcount
    if (unqueued, deleted) != (waiting, sum(numbers.values())):
        raise Contention("another process changed the same jobs; trying again")


def _generation(connection: sa.Connection, pipeline: str) -> int:
    """How often offsets of a pipeline were forgotten."""
    generation: int | None = connection.scalar(
        sa.select(control.c.generation).where(_whole(pipeline))
    )
    return generation or 0


def _next_generation(connection: sa.Connection, pipeline: str, actor: str, reason: str) -> int:
    """Enter that offsets were forgotten once more; returns how often that is now.

    Whoever asks something else of the pipeline waits for the end of the transaction.

    Raises:
        Contention: Somebody has asked something of it for the first time meanwhile.
    """
    one_more = sa.update(control).where(_whole(pipeline))
    if not connection.execute(one_more.values(generation=control.c.generation + 1)).rowcount:
        row = {
            "pipeline": pipeline,
            "source": "",
            "state": "running",
            "generation": 1,
            "actor": clean(actor, audit_trail.ACTOR_LIMIT),
            "reason": clean(reason, audit_trail.REASON_LIMIT),
            "changed_at": dialect_of(connection).now(connection),
        }
        try:
            connection.execute(sa.insert(control), row)
        except sa.exc.IntegrityError as error:
            raise Contention(
                f"another program asked something of pipeline {pipeline}; trying again"
            ) from error
    return _generation(connection, pipeline)


def _whole(pipeline: str) -> sa.ColumnElement[bool]:
    return sa.and_(control.c.pipeline == pipeline, control.c.source == "")
