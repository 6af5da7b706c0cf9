"""Rows that are gone: deleted, or marked so, by their keys."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from sinks.database.classify import classify
from sinks.database.columns import LOOSE_INSTANT, InstantText
from sinks.order.keys import KeyForm, Kind
from sinks.table.evidence import Evidence
from sinks.table.isolate import Blame, blame_of, isolate
from sinks.table.target import Target
from transforms.errors import ConfigError

CHUNK = 500
"""How many keys one statement has."""

_TYPES: dict[Kind, Any] = {
    "number": sa.BigInteger(),
    "uuid": sa.Uuid(as_uuid=False),
    "text": sa.Text(),
}

Cells = tuple[Any, ...]
"""The key of a row, in its one form."""


@dataclass(frozen=True, slots=True)
class Mark:
    """The column that says that a row is gone.

    Attributes:
        column: Its name.
        instant: Whether it has the time of the delete, otherwise true or false.
        type: How the database takes it.
    """

    column: str
    instant: bool
    type: sa.types.TypeEngine[Any]

    @property
    def present(self) -> bool | None:
        """What the column has of a row that is there."""
        return None if self.instant else False

    def gone(self) -> Any:
        """What it has of one that is gone."""
        return datetime.now(UTC) if self.instant else True


def mark_of(target: Target, column: str, *, typed: bool) -> Mark:
    """How rows of ``target`` are marked.

    Args:
        target: The table.
        column: The column.
        typed: Whether the database has a type for instants.

    Raises:
        ConfigError: There is no such column, or it can tell no such thing.
    """
    types = {each.name: each.type for each in target.columns}
    if target.whole_payload or column in target.key or column not in types:
        raise ConfigError(
            f"table {target.table} has no column {column} that --on_delete mark:{column} could set; add "
            "it, as boolean or as a timestamp, without NOT NULL"
        )
    type_ = types[column]
    if type_.startswith("bool"):
        return Mark(column, False, sa.Boolean())
    if type_.startswith(("timestamp", "datetime")):
        return Mark(column, True, sa.DateTime(timezone=True) if typed else LOOSE_INSTANT)
    if not typed and type_ == "text":
        return Mark(column, True, InstantText())
    raise ConfigError(
        f"table {target.table}: --on_delete mark:{column} needs a boolean or a timestamp, and the column "
        f"is {type_ or 'of no type'}"
    )


def remove(
    connection: sa.Connection,
    target: Target,
    form: KeyForm,
    mark: Mark | None,
    keys: Sequence[Cells],
    fail: Callable[[int, BaseException], None],
    *,
    blames_contention: bool,
) -> Evidence:
    """Delete, or mark, the rows of ``keys``, as far as they are there.

    Args:
        connection: In a transaction that writes.
        target: The table.
        form: How its key is read.
        mark: How rows are marked; None deletes them.
        keys: Different keys.
        fail: Takes the position of each key whose row the database keeps, with its error.
        blames_contention: Whether keys that make the database roll back are set aside as well.

    Returns:
        What the rows tell; the caller checks and notes it.
    """
    table, columns = _table(target, form, mark)
    evidence = Evidence.of(connection, target)

    def run(start: int, end: int) -> int:
        count = 0
        with connection.begin_nested():
            for chunk in _chunks(keys[start:end]):
                statement: Any = sa.delete(table)
                if mark is not None:
                    statement = sa.update(table).values({mark.column: mark.gone()})
                count += connection.execute(statement.where(_among(columns, chunk))).rowcount
        return count

    def blame(error: BaseException) -> Blame:
        if blames_contention and classify(error).kind == "transient":
            return "row"
        return blame_of(error)

    isolate(len(keys), run, fail, blame, evidence)
    return evidence


def values_of(
    connection: sa.Connection, target: Target, form: KeyForm, name: str, keys: Sequence[Cells]
) -> Iterator[tuple[Cells, Any]]:
    """The value that the column ``name`` has in the rows of ``keys``, as far as they are there."""
    table, columns = _table(target, form, None, name)
    for chunk in _chunks(keys):
        query = sa.select(*columns, table.c[name]).where(_among(columns, chunk))
        for *cells, value in connection.execute(query):
            yield (
                form.cells_of(dict(zip((column.name for column in columns), cells, strict=True))),
                value,
            )


def _table(
    target: Target, form: KeyForm, mark: Mark | None, *names: str
) -> tuple[sa.TableClause, list[sa.ColumnClause[Any]]]:
    """The table, and its key columns."""
    columns = [sa.column(name, _TYPES[kind]) for name, kind in form.kinds]
    others: list[sa.ColumnClause[Any]] = [sa.column(name) for name in names]
    if mark is not None:
        others.append(sa.column(mark.column, mark.type))
    table = sa.table(target.table.name, *columns, *others, schema=target.table.schema)
    return table, columns


def _among(
    columns: Sequence[sa.ColumnClause[Any]], keys: Sequence[Cells]
) -> sa.ColumnElement[bool]:
    if len(columns) == 1:
        return columns[0].in_([cells[0] for cells in keys])
    return sa.tuple_(*columns).in_(list(keys))


def _chunks(keys: Sequence[Cells]) -> Iterator[Sequence[Cells]]:
    return (keys[start : start + CHUNK] for start in range(0, len(keys), CHUNK))
