"""Statements that are sent as they are, through the driver's own cursor.

Thousands of rows make a statement of a megabyte: SQLAlchemy would look for parameters in it, and its errors
would show the rows of others.
"""

# ruff: noqa: S608 - identifiers are quoted, values are literals

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import sqlalchemy as sa

from sinks.table.mariadb.description import quote, quoted
from sinks.table.target import Target

_PACKET = "sluice_packet"
"""Key of a connection's ``info``: how many bytes a statement may have."""

_SPARE = 4_096  # bytes of a statement besides its rows, and of the protocol
_LARGEST = 1 << 20
"""Bytes of one statement, unless one row has more."""

_DUPLICATES = re.compile(r"\s(\d+)\D+(\d+)\D+\d+\s*\Z")


class Session:
    """A connection whose transaction goes on.

    Args:
        connection: By PyMySQL.
    """

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection
        self._cursor: Any = connection.connection.cursor()
        self._errors: Any = connection.dialect.loaded_dbapi.Error
        self._packet = self._most()

    def parts(self, texts: Sequence[str], start: int, end: int) -> Iterator[tuple[int, int]]:
        """The range ``[start, end)`` of rows, divided so that each part is a statement of good size.

        Raises:
            ValueError: A row alone is longer than the server takes.
        """
        size, first = 0, start
        for position in range(start, end):
            length = len(texts[position]) + 1
            if length * 4 > self._packet:
                length = len(texts[position].encode()) + 1
                if length > self._packet:
                    raise ValueError(
                        f"the row takes {length:,} bytes, and the server takes {self._packet:,} a "
                        "statement (max_allowed_packet)"
                    )
            if size and size + length > min(_LARGEST, self._packet // 4):
                yield first, position
                size, first = 0, position
            size += length
        if first < end:
            yield first, end

    def insert(self, head: str, body: str, tail: str) -> tuple[int, int]:
        """Insert several rows, with what becomes of those that are there.

        Returns:
            How many rows that were there have changed, and how many were there.
        """
        affected = self._execute(head + body + tail, head)
        message = self._cursor._result.message.decode("ascii", "replace")
        match = _DUPLICATES.search(message)
        if match is None:
            raise RuntimeError(f"MariaDB does not say how many rows there were: {message!r}")
        records, there = int(match[1]), int(match[2])
        # A new row counts once, a row that is there once, and once more if it changes.
        return affected - records, there

    def run(self, head: str, rest: str) -> int:
        """Run a statement; returns how many rows it affects."""
        return self._execute(head + rest, head)

    def newer(self, column: str, value: str) -> str:
        """An expression: whether the literal ``value`` is greater than a column, or that is null."""
        return f"COALESCE({value} > {quote(column)}, {quote(column)} IS NULL)"

    def find(self, target: Target, expression: str, where: str) -> bool | None:
        """Lock a row, and say whether ``expression`` is true of it; None if there is no such row."""
        head = f"SELECT {expression} FROM {quoted(target.table)} WHERE "
        self._execute(f"{head}{where} FOR UPDATE", f"SELECT … FROM {quoted(target.table)}")
        row = self._cursor.fetchone()
        return None if row is None else bool(row[0])

    @contextmanager
    def savepoint(self, *, needed: bool) -> Iterator[None]:
        """Undo all of the block if it fails; one statement undoes itself.

        A deadlock has undone the whole transaction, and then there is nothing to go back to.
        """
        if not needed:
            yield
            return
        self._execute("SAVEPOINT sluice_piece", "SAVEPOINT")
        try:
            yield
        except Exception:
            with suppress(sa.exc.DBAPIError):
                self._execute("ROLLBACK TO SAVEPOINT sluice_piece", "ROLLBACK TO SAVEPOINT")
            raise
        self._execute("RELEASE SAVEPOINT sluice_piece", "RELEASE SAVEPOINT")

    def _execute(self, statement: str, shown: str) -> int:
        """Run a statement.

        Raises:
            sqlalchemy.exc.DBAPIError: With no more of the statement than ``shown``.
        """
        data = statement.encode()  # the driver would send half of a character as a byte
        try:
            affected: int = self._cursor.execute(data)
        except self._errors as error:
            raise sa.exc.DBAPIError.instance(
                shown,
                None,
                error,
                self._errors,
                hide_parameters=True,
                dialect=self._connection.dialect,
            ) from error
        return affected

    def _most(self) -> int:
        most = self._connection.info.get(_PACKET)
        if most is None:
            self._cursor.execute("SELECT @@max_allowed_packet")
            most = self._connection.info[_PACKET] = int(self._cursor.fetchone()[0]) - _SPARE
        return int(most)
