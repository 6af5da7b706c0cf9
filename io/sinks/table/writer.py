"""How rows are written into the target table: the contract that each database's writer keeps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import sqlalchemy as sa

from sinks.table.records import Records, Written
from sinks.table.schema import NewColumn
from sinks.table.target import Column, Description, Target
from transforms.route.table_name import TableName


@dataclass(frozen=True, slots=True)
class Wider:
    """A type that takes all that the type of a column takes, and more.

    Attributes:
        type: Its name.
        change: Gives the column of a table this type; returns the statement.
    """

    type: str
    change: Callable[[sa.Connection, TableName], str]


class TableWriter(Protocol):
    """Describes, creates and writes a table in one kind of database."""

    def describe(self, connection: sa.Connection, table: TableName) -> Description | None:
        """``table`` as the database describes it; None if there is no such table."""
        ...

    def create(
        self,
        connection: sa.Connection,
        table: TableName,
        columns: Sequence[NewColumn],
        key: Sequence[str],
    ) -> None:
        """Create ``table`` with ``key`` as its primary key, unless it exists."""
        ...

    def add_column(self, connection: sa.Connection, table: TableName, column: NewColumn) -> str:
        """Add a nullable column, unless it is there; returns the statement."""
        ...

    def widened(self, column: Column, values: Sequence[Any]) -> Wider | None:
        """A type that takes ``values`` and all that ``column`` takes, exactly.

        None if there is none, or the type of the column takes them already.
        """
        ...

    def misfits(self, column: Column, value: object) -> bool:
        """Whether the type of ``column`` certainly does not take ``value``, which is not None."""
        ...

    def depths(self, connection: sa.Connection, tables: Sequence[TableName]) -> list[int]:
        """How deep each of ``tables`` lies in the graph of all foreign keys (``depths_of``)."""
        ...

    def write(self, connection: sa.Connection, target: Target, records: Records) -> Written:
        """Write ``records``; those that the database refuses become poison.

        Raises:
            sqlalchemy.exc.SQLAlchemyError: Or the driver's error, if no record is to blame.
        """
        ...

    def committed(self, target: Target, written: Written) -> None:
        """Learn from how ``written`` went, now that it is committed."""
        ...
