"""The driver's cursor within one commit: savepoints, COPY, and which errors are a row's."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg2
import sqlalchemy as sa

from sinks.database.classify import classify, sqlstate_of
from sinks.table.evidence import Evidence
from sinks.table.isolate import Blame, blame_of, isolate, poison_of
from sinks.table.postgres import rights
from sinks.table.postgres.lines import Lines
from sinks.table.postgres.rights import Right
from sinks.table.rows import Poison
from sinks.table.target import Target
from sinks.text.quoting import quote
from transforms.errors import SinkFailed

_SHORT_WAITS = "SET LOCAL lock_timeout = '1s'; SET LOCAL statement_timeout = '15s'"
"""For isolating blocked records: each of them waits for its lock again."""

_CHECK_DEFERRED = "SET CONSTRAINTS ALL IMMEDIATE"


class Session:
    """The connection during the transaction of one commit.

    Args:
        connection: In that transaction.
        target: The table.
        isolate: Whether records that make the database roll back are set aside as well. Waits
            for locks are then short until the transaction ends.
    """

    def __init__(self, connection: sa.Connection, target: Target, *, isolate: bool) -> None:
        self._connection = connection
        driver: Any = connection.connection.dbapi_connection
        self._cursor = driver.cursor()
        self._target = target
        self._blamed = {"record", "transient"} if isolate else {"record"}
        self._savepoints: list[str] = []
        self._set = 0  # how many of them the server has set
        self.isolate = isolate
        if isolate:
            self.execute(_SHORT_WAITS)

    @property
    def server_version(self) -> int:
        """As libpq has it: 160004 is 16.4."""
        version: int = self._cursor.connection.server_version
        return version

    def execute(self, statement: str) -> None:
        """Run a statement without a result."""
        self._cursor.execute(self._with_savepoints(statement))

    def query(
        self, statement: str, values: Sequence[object] | None = None
    ) -> list[tuple[Any, ...]]:
        """The rows of a statement's result; ``values`` are bound to its placeholders."""
        self._cursor.execute(self._with_savepoints(statement), values)
        return list(self._cursor.fetchall())

    def blame(self, error: BaseException) -> Blame:
        """Whose ``error`` is; a row that is to blame is set aside."""
        return "row" if classify(error).kind in self._blamed else blame_of(error)

    def refuse_lack_of(
        self, error: BaseException, lacked: Callable[[], Sequence[tuple[Right, str]]]
    ) -> None:
        """Raise a clear error if ``error`` is due to a right that the role lacks.

        Args:
            error: An error after which the transaction can go on.
            lacked: The rights that may be lacking.

        Raises:
            SinkFailed: One is; the message names all of them.
        """
        if sqlstate_of(error) == rights.INSUFFICIENT_PRIVILEGE:
            complaint = rights.complaint(self._cursor, self._target, lacked())
            if complaint:
                raise SinkFailed(complaint) from error

    def check_deferred(self) -> None:
        """Have deferred constraints checked now, while the rows to blame can be found."""
        if self._target.deferrable:
            self.execute(_CHECK_DEFERRED)

    def load(
        self,
        table: str,
        names: Sequence[str],
        data: bytes,
        *,
        closing: str = "",
        binary: bool = False,
    ) -> None:
        """COPY ``data``, lines with the columns ``names``, into a table of this quoted name.

        With ``closing``, deferred constraints are checked and the savepoint of that name is released
        in the same round trip. With ``binary``, the data is in COPY's binary format.
        """
        copy = f"COPY {table} ({', '.join(map(quote, names))}) FROM STDIN"
        if binary:
            copy += " (FORMAT binary)"
        statements = [self._with_savepoints(copy)]
        if closing:
            statements += [_CHECK_DEFERRED] * self._target.deferrable + [_release(closing)]
        # In one piece: every further one would wait for the interpreter's lock again.
        self._cursor.copy_expert("; ".join(statements), io.BytesIO(data), size=len(data) + 1)
        if closing:
            self._set = self._savepoints.index(closing)

    def copy(
        self,
        table: str,
        lines: Lines,
        poison: list[Poison],
        blame: Callable[[BaseException], Blame] | None = None,
        *,
        closing: str = "piece",
    ) -> set[int]:
        """COPY ``lines`` into a table; in one round trip if no row is refused.

        Args:
            table: Its quoted name.
            lines: What to copy.
            poison: Gets the rows that are refused.
            blame: Whose an error is, if other than the method of that name says.
            closing: The savepoint to release with the COPY if that takes all rows: one that the
                caller is about to leave.

        Returns:
            The positions of the rows that are refused.
        """

        def copy(start: int, end: int) -> int:
            data = lines.data(start, end)
            with self.savepoint("piece"):
                whole = start == 0 and end == len(lines.indices)
                self.load(table, lines.names, data, closing=closing if whole else "piece")
            return end - start

        # What a staging table takes says nothing about what the target refuses.
        evidence = Evidence.of(self._connection, self._target)
        refused = isolate(
            len(lines.indices),
            copy,
            lambda position, error: poison.append(poison_of(lines.indices[position], error)),
            blame or self.blame,
            evidence,
        )
        evidence.check()
        return refused

    def undoes(self, error: BaseException) -> bool:
        """Whether a savepoint undoes what raised ``error``, after which the transaction goes on."""
        kinds = {*self._blamed, "fatal"}
        return classify(error).kind in kinds and not self._cursor.connection.closed

    @contextmanager
    def savepoint(self, name: str) -> Iterator[None]:
        """Undo the block if it raises an error after which the transaction can go on.

        The savepoint is set together with the first statement of the block: a round trip to the
        server costs more than many a statement.
        """
        depth = len(self._savepoints)
        self._savepoints.append(name)
        try:
            yield
        except psycopg2.Error as error:
            if self._set > depth and self.undoes(error):
                # Without the release each failure would nest one level deeper, and every row
                # that is read looks at all levels.
                self.execute(f"ROLLBACK TO SAVEPOINT sluice_{name}; {_release(name)}")
            raise
        else:
            if self._set > depth:
                self.execute(_release(name))
        finally:
            del self._savepoints[depth:]
            self._set = min(self._set, depth)

    def undo(self, name: str) -> None:
        """Take back what the block under the innermost savepoint, of this name, has done."""
        self.execute(f"ROLLBACK TO SAVEPOINT sluice_{name}")

    def _with_savepoints(self, statement: str) -> str:
        """``statement`` after those that set the savepoints which the server does not have yet."""
        names, self._set = self._savepoints[self._set :], len(self._savepoints)
        return "; ".join([*(f"SAVEPOINT sluice_{name}" for name in names), statement])


def _release(name: str) -> str:
    return f"RELEASE SAVEPOINT sluice_{name}"
