"""What a database says of itself and of its tables, whatever it is called; None is not known."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime


@dataclass(frozen=True, slots=True)
class TableSize:
    """A table as its database sees it.

    Attributes:
        rows: About how many there are.
        bytes: With its indexes.
        dead: About how many rows were deleted or replaced, and still take room.
        grown: How many rows it has more than at ``since``.
        since: Since when the database counts.
        vacuums: Whether the database cleans it by itself.
    """

    rows: int
    bytes: int | None = None
    dead: int | None = None
    grown: int | None = None
    since: datetime | None = None
    vacuums: bool | None = None


@dataclass(frozen=True, slots=True)
class Server:
    """A database as a whole.

    Attributes:
        name: Its product.
        version: Its version, as text.
        too_old: Whether this program does not support the version.
        supported_until: When its makers end or have ended their support.
        connections: How many are open now.
        most_connections: How many there may be.
        vacuums: Whether the server cleans tables by itself.
        transactions: How many transactions ago the oldest row was written that is not frozen.
        most_transactions: After how many it takes no more writes.
        bytes: How large it is.
        free_bytes: How much of that holds nothing.
    """

    name: str
    version: str
    too_old: bool = False
    supported_until: date | None = None
    connections: int | None = None
    most_connections: int | None = None
    vacuums: bool | None = None
    transactions: int | None = None
    most_transactions: int | None = None
    bytes: int | None = None
    free_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Need:
    """A right that a role needs.

    Attributes:
        right: ``SELECT``, ``INSERT``, ``UPDATE`` or ``DELETE`` on a table, ``USAGE`` of the sequence
            that numbers its rows, ``TEMPORARY`` in the database, ``CREATE`` in the default schema.
        table: The table, quoted as in SQL; empty for the last two.
        column: The column that the right is for, or that is numbered; empty for the whole table.
    """

    right: str
    table: str = ""
    column: str = ""
