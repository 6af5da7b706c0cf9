"""The place in a database where the checks write: made, used and removed."""

from __future__ import annotations

import secrets
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any, NoReturn, TypeVar

import sqlalchemy as sa

from sinks.database import leases
from sinks.database.backends.apart import Apart
from sinks.database.database import Database
from sinks.database.dialect import Dialect
from sinks.database.engine import (
    DATABASE_ERRORS,
    dialect_for,
    dispose_engine,
    engine_of,
    transaction,
    translate,
)
from sinks.sql import SqlConfig, SqlSink
from transforms.batch.record import RecordBatch
from transforms.errors import ConfigError, Contention, SluiceError
from transforms.settle.sink import Settled

STATEMENT_SECONDS = 10
"""How long a statement of a check may take, or wait for another writer."""

TRIES = 50
"""How often a check repeats a transaction that the database asks to run again."""


Result = TypeVar("Result")


class Stopped(Exception):
    """The checks were broken off: nothing may be written any more."""


class Ground:
    """A place of its own in a database.

    Attributes:
        database: Connects to it.
        dialect: Of the database.
        what: The place, for people.
    """

    def __init__(self, database: Database, what: str) -> None:
        self._database = database
        self._stopped = threading.Event()
        self.dialect: Dialect = dialect_for(database)
        self.what = what

    @property
    def database(self) -> Database:
        """Connects to it.

        Raises:
            Stopped: It is about to be removed.
        """
        if self._stopped.is_set():
            raise Stopped
        return self._database

    @property
    def engine(self) -> sa.Engine:
        """This process's engine."""
        return engine_of(self.database)

    def stop(self) -> None:
        """Let nothing be written from now on; a check that runs ends with ``Stopped``."""
        self._stopped.set()

    def config(self, table: str, **options: Any) -> SqlConfig:
        """How ``table`` is written, with options as ``SqlConfig.of`` takes them."""
        config = SqlConfig.of("sqlite:///none", table, **options)
        return replace(config, database=self.database)

    def sink(self, table: str, **options: Any) -> SqlSink:
        """A sink that is ready to write ``table``."""
        sink = SqlSink(self.config(table, **options))
        sink.prepare()
        return sink

    def create(self, *tables: sa.Table) -> None:
        """Create tables."""
        with transaction(self.database, "create a table", refused=ConfigError) as connection:
            for table in tables:
                table.create(connection)

    def rows(self, table: str, *names: str, where: str = "") -> list[tuple[Any, ...]]:
        """Columns of a table as the driver returns them, ordered by the first.

        Args:
            table: Its name.
            names: The columns; all of one that is called ``count`` is the number of rows.
            where: A condition in SQL that every database has, over columns without quotes.
        """
        with transaction(self.database, "read a table", write=False) as connection:
            quote = connection.dialect.identifier_preparer.quote
            listed = ", ".join(map(quote, names))
            query = f"SELECT {listed} FROM {quote(table)}"  # noqa: S608 - quoted
            query += f" WHERE {where}" if where else ""
            result = connection.exec_driver_sql(f"{query} ORDER BY 1")
            return [tuple(row) for row in result.fetchall()]

    def number(self, table: str) -> int:
        """How many rows a table has."""
        with transaction(self.database, "read a table", write=False) as connection:
            query = sa.select(sa.func.count()).select_from(sa.table(table))
            return int(connection.execute(query).scalar_one())

    def execute(self, statement: sa.Executable, parameters: Any = None) -> None:
        """Run a statement in a transaction of its own."""
        with transaction(self.database, "change a table") as connection:
            connection.execute(statement, parameters)


def committed(sink: SqlSink, batches: Sequence[RecordBatch]) -> list[Settled]:
    """Commit ``batches``, again as often as the database asks for it, within bounds."""
    return repeated(lambda: sink.commit(batches))


def repeated(work: Callable[[], Result]) -> Result:
    """The result of ``work``, a transaction, run again as often as the database asks for it.

    Raises:
        Contention: It asked ``TRIES`` times.
    """
    for attempt in range(1, TRIES + 1):
        try:
            return work()
        except Contention:
            if attempt == TRIES:
                raise
            time.sleep(0.002 * secrets.randbelow(attempt + 1))
    raise AssertionError("unreachable: the last attempt returns or raises")


@contextmanager
def ground_in(database: Database) -> Iterator[Ground]:
    """A place of its own in ``database``, removed at the end of the block, whatever ends it.

    SIGTERM ends the block as Ctrl-C does.

    Raises:
        ConfigError: It cannot be made; the message says what to do.
        SinkUnavailable: The database cannot be reached.
        SluiceError: It cannot be removed; the message says what to remove.
    """
    name = f"sluice_conformance_{secrets.token_hex(6)}"
    url = engine_of(database).url
    place = dialect_for(database).apart(url, name)
    if place is None:
        place = Apart(url, f"{database}, which was empty")
        before: list[str] | None = _check_empty(database)
    else:
        before = None
    with _terminated():
        _administer(database, place.create, f"create the {place.what}")
        own = Database(
            place.url.render_as_string(hide_password=False),
            database.connect_timeout,
            STATEMENT_SECONDS,
        )
        ground = Ground(own, place.what)
        try:
            yield ground
        finally:
            ground.stop()
            leases.release_all()
            _remove(database, own, place, empties=before is not None)
            dispose_engine(database)


def _check_empty(database: Database) -> list[str]:
    with transaction(database, "look for tables", write=False, refused=ConfigError) as connection:
        inspector = sa.inspect(connection)
        names = [*inspector.get_table_names(), *inspector.get_view_names()]
    if names:
        raise ConfigError(
            f"{database} has tables ({', '.join(sorted(names)[:3])}, …), and nothing says how to make a "
            "schema apart from them there; create an empty database and give its URL"
        )
    return names


def _administer(database: Database, statement: str, doing: str) -> None:
    """Run a statement outside of a transaction, as CREATE DATABASE wants it."""
    if not statement:
        return
    connected = False
    try:
        with engine_of(database).connect() as connection:
            connected = True
            connection.execution_options(isolation_level="AUTOCOMMIT").exec_driver_sql(statement)
    except DATABASE_ERRORS as error:
        refusal = translate(error, database, doing, ConfigError, connected=connected)
        if isinstance(refusal, ConfigError) and connected:
            refusal = ConfigError(
                f"{refusal}; the conformance suite needs the right to do so, and writes nowhere else"
            )
        raise refusal from error


def _remove(database: Database, own: Database, place: Apart, *, empties: bool) -> None:
    try:
        if empties:
            _drop_all(own)
        dispose_engine(own)
        for path in place.files:
            path.unlink(missing_ok=True)
        _administer(database, place.remove, f"remove the {place.what}")
    except (SluiceError, OSError, *DATABASE_ERRORS) as error:
        what = f"run: {place.remove}" if place.remove else "delete it"
        raise SluiceError(f"the {place.what} could not be removed ({error}); {what}") from error


def _drop_all(own: Database) -> None:
    """Drop every table of a database that was empty before; those that others refer to come later."""
    with transaction(own, "remove the tables of the checks") as connection:
        names = sa.inspect(connection).get_table_names()
    while names:
        left = [name for name in names if not _is_dropped(own, name)]
        if len(left) == len(names):
            raise SluiceError(f"{own} keeps the tables {', '.join(left)}")
        names = left


def _is_dropped(own: Database, name: str) -> bool:
    """Whether a table could be dropped."""
    try:
        with transaction(own, f"remove the table {name}") as connection:
            sa.Table(name, sa.MetaData()).drop(connection)
    except SluiceError:
        return False
    return True


@contextmanager
def _terminated() -> Iterator[None]:
    """Let SIGTERM raise ``KeyboardInterrupt`` in this block, where signals can be caught at all."""

    def interrupt(_number: int, _frame: object) -> NoReturn:
        raise KeyboardInterrupt

    before: Any = None
    with suppress(ValueError):  # not in the main thread
        before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        if before is not None:
            signal.signal(signal.SIGTERM, before)
