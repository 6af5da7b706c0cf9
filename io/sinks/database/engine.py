"""One engine for each database in a process, and transactions whose errors have a meaning."""

from __future__ import annotations

import atexit
import logging
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import psycopg2
import sqlalchemy as sa

from sinks.database import watchdog
from sinks.database.classify import classify
from sinks.database.database import Database
from sinks.database.dialect import WRITES, Dialect
from sinks.database.dialects import dialect_named
from sinks.text import encoding as text_encoding
from transforms.batch.backoff import Backoff
from transforms.errors import ConfigError, Contention, SinkFailed, SinkUnavailable, SluiceError
from transforms.parse.json_text import encode_json
from transforms.per_process import PerProcess
from transforms.secret_urls import resolve_url
from transforms.secrets import redact

DATABASE_ERRORS = (sa.exc.SQLAlchemyError, psycopg2.Error, sqlite3.Error)
"""What a statement may raise; anything else is a bug and passes through."""

Result = TypeVar("Result")

TRIES = 5
_BACKOFF = Backoff(base=0.1, cap=2.0)

POOL_SIZE = 4
MAX_OVERFLOW = 12
POOL_TIMEOUT = 30.0  # seconds to wait for a pooled connection
LONGEST = 4  # how many statement timeouts a transaction may take


def engine_of(database: Database) -> sa.Engine:
    """This process's engine for ``database``; it connects on first use only.

    Raises:
        ConfigError: The URL cannot be read, names an unknown database, or its driver is missing.
    """
    return _engines.get(database)


def connections() -> dict[str, int]:
    """How many connections of this process are used, and how many are idle in its pools."""
    pools = [engine.pool for engine in _engines.values()]
    queues = [pool for pool in pools if isinstance(pool, sa.pool.QueuePool)]
    return {
        "used": sum(pool.checkedout() for pool in queues),
        "idle": sum(pool.checkedin() for pool in queues),
    }


def exists(database: Database) -> bool:
    """Whether there is such a database, as far as that is known without creating its file.

    Raises:
        ConfigError: As ``engine_of``.
    """
    return dialect_for(database).exists(engine_of(database).url)


def dialect_for(database: Database) -> Dialect:
    """The dialect of ``database``, which need not be reached for that.

    Raises:
        ConfigError: As ``engine_of``.
    """
    url = engine_of(database).url
    return dialect_named(url.get_backend_name(), url.get_driver_name())


def dispose_engine(database: Database) -> None:
    """Close the pooled connections of this process to ``database``, and forget its engine."""
    engine = _engines.pop(database)
    if engine is not None:
        engine.dispose()


def dispose_engines() -> None:
    """Close every pooled connection of this process and forget the engines."""
    for engine in _engines.clear():
        engine.dispose()


# SQLite moves what is in its -wal file into the database when the last connection is closed, but
# the interpreter closes none when it exits: a copy of the database file alone would lack tables.
atexit.register(dispose_engines)


@contextmanager
def transaction(
    database: Database,
    doing: str,
    *,
    write: bool = True,
    refused: type[SluiceError] = SinkFailed,
    longest: float | None = None,
) -> Iterator[sa.Connection]:
    """A transaction that commits at the end of the block.

    Args:
        database: Which database.
        doing: What the block does, for messages: after "to", e.g. ``read the ledger``.
        write: Whether the block writes: SQLite then takes its write lock at once, since a
            lock taken later fails without waiting when another writer came between.
        refused: What to raise when no record is to blame and waiting would not help.
        longest: Seconds after which the connection is cut; None for ``LONGEST`` statement timeouts.

    In a rehearsal it is a part of that one's transaction, and commits nothing.

    Raises:
        SinkUnavailable: The database cannot be reached, or the connection was lost; at the
            end of the block the commit's fate is then unknown.
        Contention: The database rolled back and asks for another try.
        SinkFailed: Or ``refused``: the database refuses the statement.
    """
    if database.rehearsal:
        with _rehearsed(database, doing, refused) as connection:
            yield connection
        return
    engine = engine_of(database)
    connected = False
    try:
        with engine.connect() as connection:
            connected = True
            connection.info[WRITES] = write
            seconds = LONGEST * database.statement_timeout if longest is None else longest
            with watchdog.watched(connection, seconds), connection.begin():
                try:
                    yield connection
                except DATABASE_ERRORS as error:
                    # Now, because a rollback on a dead connection would raise an error of its own
                    # in place of the cause.
                    if classify(error).kind == "outage":
                        connection.invalidate()
                    raise
    except DATABASE_ERRORS as error:
        raise translate(error, database, doing, refused, connected=connected) from error


REHEARSALS: dict[str, sa.Connection] = {}
"""The connections of the rehearsals that go on in this process, each in its one transaction."""


@contextmanager
def _rehearsed(
    database: Database, doing: str, refused: type[SluiceError]
) -> Iterator[sa.Connection]:
    """A part of the transaction of a rehearsal, undone by itself if it fails."""
    connection = REHEARSALS.get(database.rehearsal)
    if connection is None:
        raise SinkFailed(f"the rehearsal in {database} is over, so nothing may {doing} there")
    try:
        with connection.begin_nested():
            try:
                yield connection
            except DATABASE_ERRORS as error:
                if classify(error).kind == "outage":
                    connection.invalidate()
                raise
    except DATABASE_ERRORS as error:
        raise translate(error, database, doing, refused) from error


def retried(work: Callable[[], Result]) -> Result:
    """Run ``work``, a transaction, until the database no longer asks to run it again.

    Raises:
        Contention: It asked for that ``TRIES`` times.
    """
    for attempt in range(1, TRIES + 1):
        try:
            return work()
        except Contention:
            if attempt == TRIES:
                raise
            time.sleep(_BACKOFF.delay(attempt))
    raise AssertionError("unreachable: the last attempt returns or raises")


def translate(
    error: BaseException,
    database: Database,
    doing: str,
    refused: type[SluiceError] = SinkFailed,
    *,
    connected: bool = True,
) -> SluiceError:
    """The project's error for a database error, in one clear line without secrets.

    Without a connection it was the log-in that was refused, or the file that could not be opened,
    whatever was to be done.
    """
    verdict = classify(error)
    message = verdict.message
    if verdict.kind == "outage":
        return SinkUnavailable(f"cannot reach {database} to {doing}: {message}")
    if verdict.kind == "transient":
        return Contention(f"{database} rolled back a transaction that was to {doing}: {message}")
    code = f" [{verdict.sqlstate}]" if verdict.sqlstate else ""
    if not connected:
        return refused(f"cannot connect to {database}: {message}{code}")
    return refused(f"{database} refuses to {doing}: {message}{code}")


_POOL = logging.getLogger("sqlalchemy.pool")
"""It logs a stack for each connection that cannot be closed since its server is gone: what an outage
says in one line. Whoever wants the stacks sets its level."""


def _create(database: Database) -> sa.Engine:
    if _POOL.level == logging.NOTSET:
        _POOL.setLevel(logging.CRITICAL)
    url = _url_of(database)
    serializer = _JsonSerializer()
    try:
        dialect = dialect_named(url.get_backend_name(), url.get_driver_name())
        engine = sa.create_engine(
            url,
            json_serializer=serializer,
            pool_size=POOL_SIZE,
            max_overflow=MAX_OVERFLOW,
            pool_timeout=POOL_TIMEOUT,
            pool_recycle=3600,
            hide_parameters=True,  # SQLAlchemy's message of an error would print all rows' values
            **dialect.engine_options(database, url),
        )
        serializer.dialect = engine.dialect
    except sa.exc.NoSuchModuleError as error:
        raise ConfigError(
            f"unknown database {url.drivername!r} in the sink URL; "
            "use postgresql://, mysql://, sqlite:///, duckdb:/// or install its SQLAlchemy dialect"
        ) from error
    except ImportError as error:
        raise ConfigError(
            f"the driver for {url.drivername} is missing ({error.name or error}); install it"
        ) from error
    except (sa.exc.ArgumentError, TypeError) as error:
        if "'json_serializer'" in str(error):
            raise ConfigError(
                f"sink URL for {url.drivername}: its SQLAlchemy dialect has no JSON, which the tables "
                "beside the target need; choose another database"
            ) from error
        raise ConfigError(f"sink URL for {url.drivername}: {redact(str(error))}") from error
    dialect.configure(engine, database)
    return engine


def _url_of(database: Database) -> sa.URL:
    try:
        url = sa.make_url(resolve_url(database.url))
    except (sa.exc.ArgumentError, ValueError):
        raise ConfigError(
            "sink URL cannot be read; write e.g. sqlite:///ingest.db or "
            "postgresql://user:${env:PGPASSWORD}@host:5432/database"
        ) from None  # the cause quotes what it takes for the port, which may be a password
    backend, _, driver = url.drivername.partition("+")
    return dialect_named(backend, driver).complete(url)


class _JsonSerializer:
    """Encodes JSON so that the database of one engine can hold it."""

    dialect: sa.Dialect | None = None

    def __call__(self, value: Any) -> str:
        text = encode_json(value).decode()
        if self.dialect is None or text_encoding.holds_all(self.dialect):
            return text
        return text_encoding.ascii_json(text)


_engines: PerProcess[Database, sa.Engine] = PerProcess(_create)
