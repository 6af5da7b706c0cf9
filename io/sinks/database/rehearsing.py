"""What a rehearsal needs of its database: a transaction that holds nobody up, and is taken back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import sqlalchemy as sa

from transforms.route.table_name import TableName

LOCK_SECONDS = 1
"""How long a rehearsal waits for a lock, and how long others wait for a rehearsal."""


class Rehearsing(Protocol):
    """How a database lets a write be tried and taken back, with the tables that it creates.

    ``watcher`` is a second connection, outside of any transaction. ``session`` is what ``session``
    has returned for the connection of the rehearsal.
    """

    @property
    def seconds(self) -> int:
        """How long the transaction may last."""
        ...

    def begin(self, connection: sa.Connection) -> None:
        """Bound the waits of a transaction that has just begun."""
        ...

    def session(self, connection: sa.Connection) -> int | None:
        """By what other sessions call this one; None where they cannot see it."""
        ...

    def obstacle(self, watcher: sa.Connection, session: int) -> str:
        """What the session waits for, and who has it; empty if it waits for nothing."""
        ...

    def obstacle_of(self, error: BaseException) -> str:
        """What a statement has waited for in vain, as far as its error says; otherwise empty."""
        ...

    def is_awaited(self, watcher: sa.Connection, session: int) -> bool:
        """Whether others wait for a lock of the session."""
        ...

    def cancel(self, watcher: sa.Connection, session: int) -> None:
        """End the statement that the session is at."""
        ...

    def check_deferred(self, connection: sa.Connection) -> None:
        """Check now what a commit would check.

        Raises:
            sqlalchemy.exc.DBAPIError: The commit would fail.
        """
        ...

    def sequences(self, connection: sa.Connection) -> Mapping[str, int | None]:
        """The last number of each sequence that a rollback does not set back; None before the first."""
        ...

    def triggers(self, connection: sa.Connection, table: TableName) -> Sequence[str]:
        """The names of the user's triggers on a table."""
        ...
