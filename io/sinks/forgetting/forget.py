"""Delete the ledger of files that are gone; what it has counted goes on being counted."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from sinks.database.database import Database
from sinks.database.dialects import dialect_of
from sinks.database.engine import retried, transaction
from sinks.database.tables import pipelines, progress
from sinks.figures.labels import labels_of
from sinks.forgetting.choice import (
    CHANGED,
    Choice,
    Kept,
    Place,
    again,
    judged,
    kept,
    page,
    place_of,
)
from sinks.jobs import audit_trail
from sinks.ledger import counts as table_counts

SHOWN = 20
"""How many partitions a preview names."""


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What was forgotten, or would be.

    Attributes:
        count: How many partitions.
        left_alone: How many were meant and have to stay, by the words of ``choice``.
        first: The first partitions that were forgotten, or would be.
    """

    count: int
    left_alone: Mapping[str, int] = field(default_factory=dict)
    first: Sequence[Place] = ()


@dataclass(frozen=True, slots=True)
class Order:
    """Who forgets what, for the audit trail.

    Attributes:
        which: What is meant, as JSON.
        actor: Who acts.
        reason: Why.
        topics: A pattern of the names that topics have, as ``labels_of`` takes it.
    """

    which: Mapping[str, Any]
    actor: str
    reason: str
    topics: str


def preview(database: Database, choice: Choice) -> Forgotten:
    """What ``forget`` would forget now; changes nothing.

    Raises:
        SinkUnavailable: The database cannot be reached.
        SourceUnavailable: Nobody can tell whether a file is still there.
    """
    left_alone: Counter[str] = Counter()
    first: list[Place] = []
    count = 0
    for places in _pages(database, choice, _kept(database, choice), left_alone):
        count += len(places)
        first += places[: SHOWN - len(first)]
    return Forgotten(count, dict(left_alone), first)


def forget(database: Database, choice: Choice, order: Order) -> Forgotten:
    """Delete the ledger of the partitions that are meant and need not stay.

    A transaction forgets at most ``choice.PAGE`` partitions, of which it makes sure again that
    they need not stay, under the locks that writers of them take. It moves their counts to what is
    forgotten, under a name with the same label in the metrics, and enters the audit trail. What
    failed midway can be called again.

    Raises:
        SinkUnavailable: The database cannot be reached; the transactions before are committed.
        SourceUnavailable: Likewise; nobody can tell whether a file is still there.
        Contention: It kept asking for another try.
        SinkFailed: It refuses the change.
    """
    stays = _kept(database, choice)
    left_alone: Counter[str] = Counter()
    first: list[Place] = []
    count = 0
    for places in _pages(database, choice, stays, left_alone):
        gone = _forget(database, choice, stays, order, places)
        left_alone[CHANGED] += len(places) - len(gone)
        count += len(gone)
        first += gone[: SHOWN - len(first)]
    return Forgotten(count, {word: n for word, n in left_alone.items() if n}, first)


def names(database: Database) -> list[str]:
    """The names of all pipelines that have a ledger here, or have begun to run.

    Raises:
        SinkUnavailable: The database cannot be reached.
    """
    with transaction(database, "read the pipelines", write=False) as connection:
        begun = connection.scalars(sa.select(pipelines.c.name))
        return sorted({*begun, *connection.scalars(sa.select(progress.c.pipeline).distinct())})


def _kept(database: Database, choice: Choice) -> Kept:
    with transaction(database, "read failed records", write=False) as connection:
        return kept(connection, choice)


def _pages(
    database: Database, choice: Choice, stays: Kept, left_alone: Counter[str]
) -> Iterator[list[Place]]:
    """Page by page, the partitions that may be forgotten; the others are counted.

    Each page is read in a transaction of its own.
    """
    after: Place | None = None
    while True:
        with transaction(database, "read the ledger", write=False) as connection:
            rows = page(connection, choice, after)
            verdicts = judged(connection, rows, choice, stays)
        if not rows:
            return
        after = place_of(rows[-1])
        left_alone.update(reason for reason in verdicts.values() if reason)
        places = [place for place, reason in verdicts.items() if not reason]
        if places:
            yield places


def _forget(
    database: Database, choice: Choice, stays: Kept, order: Order, places: Sequence[Place]
) -> list[Place]:
    """Forget those of ``places`` that need not stay now; returns them."""

    def transacted() -> list[Place]:
        with transaction(database, "forget files in the ledger") as connection:
            dialect_of(connection).lock(connection, sorted(places))
            verdicts = judged(connection, again(connection, places), choice, stays)
            gone = [place for place, reason in verdicts.items() if not reason]
            if gone:
                _delete(connection, gone, order)
        return gone

    return retried(transacted)


def _delete(connection: sa.Connection, places: Sequence[Place], order: Order) -> None:
    keys = [
        {"of_pipeline": pipeline, "of_source": source, "of_partition": partition}
        for pipeline, source, partition in places
    ]
    connection.execute(_DELETE, keys)
    labels = labels_of(connection, order.topics)
    by_pipeline = defaultdict(list)
    for pipeline, *place in places:
        by_pipeline[pipeline].append((place[0], place[1]))
    for pipeline, of_pipeline in sorted(by_pipeline.items()):
        table_counts.forget(connection, pipeline, of_pipeline, labels.pattern_of)
    audit_trail.enter(
        connection,
        "forget",
        actor=order.actor,
        reason=order.reason,
        which=order.which,
        count=len(places),
    )


_DELETE = sa.delete(progress).where(
    *(progress.c[n] == sa.bindparam(f"of_{n}") for n in ("pipeline", "source", "partition"))
)
