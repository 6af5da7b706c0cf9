"""The objects that the state has of a sink: which are small, which are to be deleted."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import sqlalchemy as sa

from sinks.database.database import Database
from sinks.database.dialects import dialect_of
from sinks.database.engine import transaction
from sinks.database.tables import objects
from sinks.objects.compaction.plan import SMALL, Part
from sinks.objects.names import SEGMENTS

CHUNK = 500

IS_SEGMENT = sa.and_(
    objects.c.state == "orphan", objects.c.name.startswith(SEGMENTS, autoescape=True)
)
"""Parts of a manifest that a sweep has seen (``segments``)."""


class Place(NamedTuple):
    """Objects that may be merged with each other, as far as their names tell.

    Attributes:
        target: The dataset, as the ledger names it.
        pipeline: The pipeline that wrote them.
        folder: The folder that they are in.
    """

    target: str
    pipeline: str
    folder: str


def small(
    database: Database, sink: str, target: str | None, target_bytes: int
) -> dict[Place, array[int]]:
    """The numbers of the small settled objects of a sink, by place.

    Args:
        database: The state.
        sink: The label of the sink.
        target: The label of one dataset; None for all.
        target_bytes: How large objects should become.

    Raises:
        SinkUnavailable: The database cannot be reached.
    """
    where = [objects.c.state == "settled", objects.c.bytes < -(-target_bytes // SMALL)]
    if target is not None:
        where.append(objects.c.target == target)
    return by_place(database, sink, sa.and_(*where))


def by_place(
    database: Database, sink: str, where: sa.ColumnElement[bool]
) -> dict[Place, array[int]]:
    """The numbers of the objects of a sink that ``where`` selects, in order, by place.

    Only numbers are kept, so that a million objects fit.

    Raises:
        SinkUnavailable: The database cannot be reached.
    """
    columns = (objects.c.id, objects.c.target, objects.c.pipeline, objects.c.name)
    query = sa.select(*columns).where(objects.c.sink == sink, where).order_by(objects.c.id)
    places: dict[Place, array[int]] = {}
    with transaction(database, "read its objects", write=False) as connection:
        rows = connection.execute(query.execution_options(yield_per=1_000))
        for number, target, pipeline, name in rows:
            place = Place(target, pipeline, name.rpartition("/")[0])
            numbers = places.get(place)
            if numbers is None:
                numbers = places[place] = array("q")
            numbers.append(number)
    return places


def load(database: Database, numbers: Sequence[int]) -> list[Part]:
    """The objects with these numbers that the state still has, in the order of the numbers.

    Raises:
        SinkUnavailable: The database cannot be reached.
    """
    loaded: list[Part] = []
    with transaction(database, "read its objects", write=False) as connection:
        for chunk in chunks(numbers):
            chosen = dialect_of(connection).is_one_of(objects.c.id, chunk)
            rows = connection.execute(sa.select(*_COLUMNS).where(chosen).order_by(objects.c.id))
            loaded += [Part(*row) for row in rows]
    return loaded


def chunks(numbers: Sequence[int]) -> Iterator[list[int]]:
    """``numbers``, at most ``CHUNK`` at a time."""
    for start in range(0, len(numbers), CHUNK):
        yield list(numbers[start : start + CHUNK])


_COLUMNS = (
    *(objects.c.id, objects.c.target, objects.c.pipeline, objects.c.name, objects.c.source),
    *(objects.c.partition, objects.c.start_offset, objects.c.end_offset, objects.c.rows),
    *(objects.c.bytes, objects.c.etag),
)
