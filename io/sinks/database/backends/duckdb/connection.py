"""Connections to DuckDB as SQLAlchemy wants them: cursors of one transaction, and savepoints.

A cursor of DuckDB's own module is a connection with a transaction of its own, and there are no savepoints: the first
error aborts the transaction. So what a transaction has done is kept, and done again up to the savepoint that
it goes back to. Nothing comes between, since the transactions of a process that write take turns.
"""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from transforms.per_process import PerProcess

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

_SETTINGS = (
    "SET TimeZone = 'UTC'",
    # A name that is no table must not be looked for among Python's variables.
    "SET python_enable_replacements = false",
    # Nothing is to be fetched from the network.
    "SET autoinstall_known_extensions = false",
    "SET autoload_known_extensions = false",
)

_HELD = re.compile(r"held in (.*?) \(PID (\d+)")


Way = Literal["once", "many", "arrow"]
"""How a statement is executed: once, for each of several lists of parameters, or once with an Arrow table as its answer."""


@dataclass(frozen=True, slots=True)
class _Step:
    """A statement that a transaction has executed.

    Attributes:
        text: The statement.
        parameters: Its parameters; those of each execution if there were several.
        way: How it was executed.
        views: The Arrow tables that it could read.
        answer: What it returned.
        table: The same, if it was executed for an Arrow table.
    """

    text: str
    parameters: Sequence[Any]
    way: Way
    views: Mapping[str, pa.Table]
    answer: Sequence[tuple[Any, ...]]
    table: pa.Table | None


class Connection:
    """A connection with at most one transaction, which all of its cursors share."""

    def __init__(
        self, raw: duckdb.DuckDBPyConnection, turn: threading.Lock, patience: float
    ) -> None:
        self.raw = raw
        self._turn = turn
        self._patience = patience
        self._has_turn = False
        self._begun = False
        self._failed = False
        self._steps: list[_Step] = []
        self._savepoints: dict[str, int] = {}
        self._views: dict[str, pa.Table] = {}
        self._ends: float | None = None

    def begin(self, *, writes: bool) -> None:
        """Begin a transaction; one that writes waits for those of this process that do.

        Raises:
            duckdb.TransactionException: It has waited in vain.
        """
        if writes and not self._has_turn:
            self._has_turn = self._turn.acquire(timeout=self._patience)
            if not self._has_turn:
                raise _transaction_error(
                    f"another transaction of this process has been writing for {self._patience:g} s"
                )
        self._ends = None
        self.raw.execute("BEGIN TRANSACTION")
        self._begun = True

    def commit(self) -> None:
        """Commit; a transaction in which a statement has failed is undone.

        Raises:
            duckdb.Error: Nothing is committed.
        """
        if not self._begun:
            return
        if self._failed:  # DuckDB would undo it without a word
            self.rollback()
            raise _transaction_error(
                "a statement of the transaction has failed; all of it is undone"
            )
        try:
            self.raw.execute("COMMIT")
        except BaseException:
            self._roll_back()
            raise
        finally:
            self._end()

    def rollback(self) -> None:
        """Undo the transaction, if there is one."""
        if self._begun:
            try:
                self._roll_back()
            finally:
                self._end()

    def close(self) -> None:
        """Undo what is not committed, and close the connection."""
        try:
            self.rollback()
        finally:
            self.raw.close()

    def cursor(self) -> Cursor:
        """A cursor of the transaction."""
        return Cursor(self)

    def savepoint(self, name: str) -> None:
        """Note what has been done so far."""
        self._savepoints[name] = len(self._steps)

    def roll_back_to(self, name: str) -> None:
        """Undo what was done after a savepoint: undo all, and do again what came before it.

        Raises:
            duckdb.TransactionException: The database now answers differently.
        """
        del self._steps[self._savepoints[name] :]
        self._roll_back()
        self._failed = False
        self.raw.execute("BEGIN TRANSACTION")
        for step in self._steps:
            with self.reading(step.views):
                again = self._run(step.text, step.parameters, step.way)
            if again.rows != step.answer or again.table != step.table:
                self._failed = True
                raise _transaction_error("the database has changed since a savepoint")

    def release(self, name: str) -> None:
        """Forget a savepoint; what was done after it stays."""
        del self._savepoints[name]

    @contextmanager
    def reading(self, views: Mapping[str, pa.Table]) -> Iterator[None]:
        """Let statements read Arrow tables by these names."""
        for name, table in views.items():
            self.raw.register(name, table)
        before, self._views = self._views, {**self._views, **views}
        try:
            yield
        finally:
            self._views = before
            for name in views:
                with suppress(Exception):  # the transaction has failed, and its views with it
                    self.raw.unregister(name)

    def limit(self, seconds: float) -> None:
        """Interrupt whatever statement of this transaction runs ``seconds`` from now."""
        self._ends = time.monotonic() + seconds

    def execute(self, text: str, parameters: Sequence[Any], way: Way) -> _Answer:
        """Execute a statement, and keep it in case that it must be done again.

        Raises:
            duckdb.Error: The transaction can only be undone, at least up to a savepoint.
        """
        try:
            with self._limited():
                answer = self._run(text, parameters, way)
        except BaseException:
            self._failed = self._begun
            raise
        if self._begun and answer.changes:
            self._steps.append(_Step(text, parameters, way, self._views, answer.rows, answer.table))
        return answer

    def _run(self, text: str, parameters: Sequence[Any], way: Way) -> _Answer:
        changes, returns = _kind_of(text)
        if way == "many":
            self.raw.executemany(text, parameters)
            return _Answer((), None, self.raw.rowcount, changes)
        if way == "arrow":
            table = self.raw.sql(text, params=parameters).to_arrow_table()
            return _Answer((), None, -1, changes, table)
        self.raw.execute(text, parameters)
        count = self.raw.rowcount
        if not returns or count >= 0:
            return _Answer((), None, count, changes)
        description = self.raw.description
        return _Answer(self.raw.fetchall(), description, -1, changes)

    @contextmanager
    def _limited(self) -> Iterator[None]:
        if self._ends is None:
            yield
            return
        timer = threading.Timer(self._ends - time.monotonic(), self.raw.interrupt)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def _roll_back(self) -> None:
        with suppress(Exception):  # an error of COMMIT has undone it already
            self.raw.execute("ROLLBACK")

    def _end(self) -> None:
        self._begun = self._failed = False
        self._steps.clear()
        self._savepoints.clear()
        if self._has_turn:
            self._has_turn = False
            self._turn.release()


@dataclass(frozen=True, slots=True)
class _Answer:
    """What a statement has come to.

    Attributes:
        rows: What it returns.
        description: Of their columns, as PEP 249 has it; None if it returns no rows.
        count: How many rows it has changed; -1 if that is not known.
        changes: Whether it may have changed something.
        table: What it returns, if it was executed for an Arrow table.
    """

    rows: Sequence[tuple[Any, ...]]
    description: Sequence[tuple[Any, ...]] | None
    count: int
    changes: bool
    table: pa.Table | None = None


class Cursor:
    """A statement of the connection's transaction, and its rows, as PEP 249 has it.

    Attributes:
        table: The rows of a statement that was executed for an Arrow table.
    """

    arraysize = 1

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.description: Sequence[tuple[Any, ...]] | None = None
        self.rowcount = -1
        self.table: pa.Table | None = None
        self._rows: Iterator[tuple[Any, ...]] = iter(())

    def execute(self, text: str, parameters: Sequence[Any] = (), *, arrow: bool = False) -> Cursor:
        """Execute a statement.

        Args:
            text: The statement.
            parameters: Its parameters.
            arrow: Whether its rows become the attribute ``table`` and nothing else.
        """
        way: Way = "arrow" if arrow else "once"
        return self._take(self.connection.execute(text, list(parameters), way))

    def executemany(self, text: str, parameters: Sequence[Sequence[Any]]) -> Cursor:
        """Execute a statement for each of several lists of parameters."""
        return self._take(self.connection.execute(text, list(parameters), "many"))

    def fetchone(self) -> tuple[Any, ...] | None:
        """The next row."""
        return next(self._rows, None)

    def fetchmany(self, size: int | None = None) -> list[tuple[Any, ...]]:
        """The next rows."""
        return [row for _, row in zip(range(size or self.arraysize), self._rows, strict=False)]

    def fetchall(self) -> list[tuple[Any, ...]]:
        """All rows that are left."""
        return list(self._rows)

    def close(self) -> None:
        """Forget the rows."""
        self._rows = iter(())

    def _take(self, answer: _Answer) -> Cursor:
        self.description, self.rowcount = answer.description, answer.count
        self.table = answer.table
        self._rows = iter(answer.rows)
        return self


def connect(path: str, patience: float = 30.0, **config: Any) -> Connection:
    """Connect to the database in a file, which is made if it does not exist.

    Args:
        path: The file.
        patience: How many seconds a transaction that writes waits for another one of this process.
        config: DuckDB's settings; the same for all connections of a process to the file.

    Raises:
        duckdb.Error: It cannot be opened; the message says who has it, if another process does.
    """
    import duckdb

    real = os.path.realpath(path)
    is_new = not Path(real).exists()
    try:
        raw = duckdb.connect(real, config=config)
    except duckdb.IOException as error:
        raise _opening_error(error) from error
    if is_new:
        with suppress(OSError):
            os.chmod(real, 0o600)  # it will hold dead letters
    for setting in _SETTINGS:
        raw.execute(setting)
    return Connection(raw, _TURNS.get(real), patience)


def _opening_error(error: duckdb.Error) -> duckdb.Error:
    """What prevents a file from being opened, and what to do."""
    import duckdb

    text = str(error)
    if "Could not set lock" in text:
        who = _HELD.search(text)
        process = f"process {who[2]} ({who[1]})" if who else "another process"
        return duckdb.IOException(
            f"{process} has the file open, and DuckDB lets one process at a time have it; "
            "try again when that has ended"
        )
    if "not a valid DuckDB" in text:
        return duckdb.InvalidInputException("the file is no DuckDB database; name another one")
    return error


_TURNS: PerProcess[str, threading.Lock] = PerProcess(lambda _: threading.Lock())
"""Of each file, whose turn it is to write."""


@lru_cache(maxsize=4_000)
def _kind_of(text: str) -> tuple[bool, bool]:
    """Whether a statement may change something, and whether it may return rows."""
    import duckdb

    types = {statement.type for statement in duckdb.extract_statements(text)}
    kind = duckdb.StatementType
    reading = {kind.SELECT, kind.EXPLAIN, kind.PRAGMA, kind.CALL}
    return not types <= reading, bool(types & {*reading, kind.INSERT, kind.UPDATE, kind.DELETE})


def _transaction_error(message: str) -> Exception:
    import duckdb

    return duckdb.TransactionException(f"TransactionContext Error: {message}")
