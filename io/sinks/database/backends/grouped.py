"""Rows of a PostgreSQL table in groups, whose columns it sends as arrays.

A driver makes an object of each cell of a row, and a tuple of each row. Of an array it only takes the text
apart, and what the rows of a group share is sent and looked at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate, pairwise
from typing import Any

import sqlalchemy as sa

from sinks.database.dialect import Group

Columns = Sequence[sa.ColumnElement[Any]]
Read = Callable[[Iterator[Any], int], Sequence[Any]]


def groups(
    connection: sa.Connection, which: sa.ColumnElement[bool], shared: Columns, cells: Columns
) -> list[Group]:
    """The rows ``which``, as ``Dialect.groups`` returns them.

    Args:
        connection: To PostgreSQL, by psycopg2, which makes lists of arrays.
        which: The condition of the rows.
        shared: What the rows of a group have in common.
        cells: The columns that are read of each row.
    """
    arrays = [sa.type_coerce(array, _AS_SENT) for column in cells for array in _arrays(column)]
    query = sa.select(*shared, sa.func.count(), *arrays).where(which).group_by(*shared)
    readers = [_reader(connection.dialect, column) for column in cells]
    answer: list[Group] = []
    for row in connection.execute(query):
        values = iter(row)
        common = tuple(next(values) for _ in shared)
        count = next(values)
        answer.append(Group(common, [read(values, count) for read in readers]))
    return answer


_AS_SENT = sa.types.NullType()
"""SQLAlchemy would look at each element of an array."""

_NOTHING: sa.ColumnElement[bytes] = sa.literal_column("''::bytea")


def _arrays(column: sa.ColumnElement[Any]) -> Columns:
    """What stands for the cells of a column: their array; null if all of them are null."""
    if _is_joined(column):
        # Half of what an array of bytes takes, whose every element is written and read by itself.
        return sa.func.string_agg(column, _NOTHING), sa.func.array_agg(sa.func.length(column))
    return (sa.case((sa.func.count(column) > 0, sa.func.array_agg(column)), else_=None),)


def _is_joined(column: sa.ColumnElement[Any]) -> bool:
    """Whether the cells of a column are sent as one: bytes that are never null."""
    return isinstance(column.type, sa.LargeBinary) and not getattr(column, "nullable", True)


def _reader(dialect: sa.Dialect, column: sa.ColumnElement[Any]) -> Read:
    """What makes the cells of a column of the values that stand for them."""
    if _is_joined(column):
        return _apart
    kind = column.type.dialect_impl(dialect)
    # The driver's numbers are right as they are; SQLAlchemy would ask for the type of the answer.
    value_of = (
        None if isinstance(kind, (sa.Numeric, sa.Float)) else kind.result_processor(dialect, None)
    )

    def read(values: Iterator[Any], count: int) -> Sequence[Any]:
        array = next(values)
        if array is None:
            return [None] * count
        cells: Sequence[Any] = array if value_of is None else list(map(value_of, array))
        return cells

    return read


def _apart(values: Iterator[Any], _count: int) -> Sequence[Any]:
    whole, lengths = bytes(next(values)), next(values)
    return [whole[start:end] for start, end in pairwise(accumulate(lengths, initial=0))]
