"""Bring the tables named ``ingest_`` to the version that this program reads and writes."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from io import StringIO

import sqlalchemy as sa

from sinks.database import activity
from sinks.database.classify import classify
from sinks.database.database import Database
from sinks.database.dialect import Dialect
from sinks.database.dialects import dialect_of
from sinks.database.engine import DATABASE_ERRORS, engine_of, retried, transaction, translate
from sinks.database.migrations import plan
from sinks.database.migrations.migration import Migration
from sinks.database.migrations.operations import executing, writing
from sinks.database.migrations.plan import Act
from sinks.database.migrations.present import Present
from sinks.database.migrations.version import MIGRATE, complete, create, refuse_newer, version_of
from sinks.database.tables import VERSION
from transforms.batch.backoff import Backoff
from transforms.errors import ConfigError, Contention

_log = logging.getLogger(__name__)

LOCK_SECONDS = 1
"""How long a statement waits for a table that others use: they wait behind it."""

BY_ITSELF_SECONDS = 1.0
"""How long tables may be locked by a migration that nobody asked for."""

_LONGEST_STATEMENT = 6 * 3600  # seconds: for an index that holds off nobody, or if asked for
_OTHERS_SECONDS = 600.0  # to wait for another process that migrates
_BACKOFF = Backoff(base=0.1, cap=2.0)

_LOOKING = "read the version of its tables"
_DOING = "migrate its tables"
_PREPARING = [("", "prepare")]  # the lock under which every version creates and alters tables
_MIGRATING = ("", "migrate")


class _Moved(Exception):
    """Another process has migrated the tables meanwhile."""


def prepare(database: Database, *, create: bool = True) -> None:
    """Create the tables, or bring them up to date. If they are, that takes no more than a look.

    Args:
        database: Where they are.
        create: Whether to create what is missing.

    Raises:
        ConfigError: A later program has migrated them, a program is at work, the migration is one to
            be asked for, or the database refuses.
        SinkUnavailable: The database cannot be reached.
        Contention: The database kept asking for another try.
    """
    version, lacking = retried(lambda: _look(database))
    if create and lacking:
        version = retried(lambda: _created(database))
    refuse_newer(version)
    if version is not None and version < VERSION:
        if database.rehearsal:  # a migration has several transactions
            raise ConfigError(
                f"the ingest_ tables in {database} have version {version}, and a run would migrate them to "
                f"version {VERSION} first, which cannot be tried: run {MIGRATE}"
            )
        _migrate(database, force=False, by_itself=True)


def due(database: Database) -> tuple[int, tuple[Migration, ...]]:
    """The version of the tables, and the migrations that they lack.

    Raises:
        ConfigError: There are no tables, or a later program has migrated them.
        SinkUnavailable: The database cannot be reached.
    """
    version = _version(database)
    if version is None:
        raise ConfigError(f"{database} has no ingest_ tables; the first ingest creates them")
    refuse_newer(version)
    return version, plan.due(version)


def migrate(database: Database, *, force: bool) -> tuple[int, int]:
    """Bring the tables up to date.

    Args:
        database: Where they are.
        force: Whether to go on although a program is at work: it fails at its next commit, and
            loses nothing.

    Returns:
        The versions that the tables had, and have: the same, if another process was faster.

    Raises:
        ConfigError: There are no tables, a later program has migrated them, a program is at work, or
            the database refuses.
        SinkUnavailable: The database cannot be reached.
        Contention: Others kept using a table.
    """
    version, lacking = due(database)
    if lacking:
        version = _migrate(database, force=force, by_itself=False)
    return version, VERSION


def script(database: Database) -> str:
    """What ``migrate`` would execute, as SQL; nothing is changed.

    Raises:
        ConfigError: There are no tables, or a later program has migrated them.
        SinkUnavailable: The database cannot be reached.
    """
    version, lacking = due(database)
    if not lacking:
        return f"-- The ingest_ tables have version {version}: nothing is to be done.\n"
    out = StringIO()
    out.write(
        f"-- From version {version} of the ingest_ tables to version {VERSION}. End the programs that\n"
        "-- use them first, and let the first error end the script.\n\n"
    )
    with transaction(database, "read its tables", write=False) as connection:
        dialect, op, present = dialect_of(connection), writing(connection, out), Present(connection)
        for beside, acts in plan.groups(version, builds_beside=dialect.builds_beside):
            out.write("-- Outside of a transaction:\n\n" if beside else "BEGIN;\n\n")
            for statement in () if beside else dialect.lock_wait(LOCK_SECONDS):
                op.execute(statement)
            for act in acts:
                act.step.change(op, present)
            out.write("" if beside else "COMMIT;\n\n")
    return out.getvalue()


def _look(database: Database) -> tuple[int | None, bool]:
    """The version of the tables, and whether tables of the latest version are lacking."""
    with transaction(database, _LOOKING, write=False, refused=ConfigError) as connection:
        version = version_of(connection)
        latest = version == VERSION
        return version, version is None or (latest and not complete(connection))


def _version(database: Database) -> int | None:
    with transaction(database, _LOOKING, write=False, refused=ConfigError) as connection:
        return version_of(connection)


def _created(database: Database) -> int:
    """Create the tables that are missing; returns the version of all of them."""
    with transaction(database, "create its tables", refused=ConfigError) as connection:
        dialect_of(connection).lock(connection, _PREPARING)
        version = version_of(connection)
        if version is None or version == VERSION:  # else another program came in between
            create(connection)
            return VERSION
        return version


def _migrate(database: Database, *, force: bool, by_itself: bool) -> int:
    """Bring tables up to date; returns the version that they had when their turn came."""
    with _alone(database) as beside:
        while True:
            version = _version(database)
            if version is None or version >= VERSION:
                refuse_newer(version)
                return VERSION
            if by_itself:
                _refuse_long(database, version)
            groups = plan.groups(version, builds_beside=beside is not None)
            altered = database if by_itself or beside is None else _patient(database)
            try:
                for number, (outside, acts) in enumerate(groups):
                    if outside and beside is not None:
                        _build(beside, acts)
                    else:
                        watches = not force and not number
                        retried(partial(_alter, altered, acts, watches=watches))
            except _Moved:
                continue
            return version


@contextmanager
def _alone(database: Database) -> Iterator[sa.Connection | None]:
    """Keep other processes from migrating where one has to hold on between transactions.

    Yields:
        A connection outside of any transaction, for indexes that are built beside others; None if
        the database does not build them so. A transaction then keeps others away by itself.
    """
    with transaction(database, _DOING, write=False, refused=ConfigError) as connection:
        dialect = dialect_of(connection)
    if not dialect.builds_beside:
        yield None
        return
    try:
        with engine_of(_patient(database)).connect() as connection:
            connection.execution_options(isolation_level="AUTOCOMMIT")
            connection.detach()  # not for others: it ends with its lock
            _wait_for_others(dialect, connection)
            yield connection
    except DATABASE_ERRORS as error:
        raise translate(error, database, _DOING, ConfigError) from error


def _patient(database: Database) -> Database:
    """The database, of which one statement may take long: of those that build indexes beside."""
    return replace(database, statement_timeout=_LONGEST_STATEMENT)


def _wait_for_others(dialect: Dialect, connection: sa.Connection) -> None:
    deadline, attempt = time.monotonic() + _OTHERS_SECONDS, 1
    while not dialect.only_one(connection, _MIGRATING):
        if attempt == 1:
            _log.warning("another process migrates the ingest_ tables; waiting for it")
        if time.monotonic() > deadline:
            raise Contention(
                f"another process still migrates the ingest_ tables after {_OTHERS_SECONDS:.0f} s; "
                "try again when it has ended"
            )
        time.sleep(_BACKOFF.delay(attempt))
        attempt += 1


def _alter(database: Database, acts: Sequence[Act], *, watches: bool) -> None:
    """Carry out ``acts`` in one transaction.

    Raises:
        _Moved: The tables have another version by now.
    """
    with transaction(database, _DOING, refused=ConfigError) as connection:
        dialect = dialect_of(connection)
        dialect.lock(connection, _PREPARING)
        if version_of(connection) != acts[0].version:
            raise _Moved
        if watches:
            activity.refuse(connection)
        try:
            for statement in dialect.lock_wait(LOCK_SECONDS):
                connection.exec_driver_sql(statement)
            op = executing(connection)
            for act in acts:
                act.step.change(op, Present(connection))
        except sa.exc.DBAPIError as error:
            table = re.search(r"\bingest_\w+", error.statement or "")
            if classify(error).kind == "transient" and table:
                raise Contention(
                    f"the tables cannot be migrated while another session uses table {table[0]} "
                    f"(waited {LOCK_SECONDS} s, several times): they still have version "
                    f"{acts[0].version}; end what uses it, and try again"
                ) from error
            raise


def _build(connection: sa.Connection, acts: Sequence[Act]) -> None:
    op = executing(connection)
    for act in acts:
        act.step.change(op, Present(connection))


def _refuse_long(database: Database, version: int) -> None:
    """Refuse what would keep others waiting for long: somebody has to choose the time."""
    with transaction(database, "estimate a migration", write=False) as connection:
        dialect = dialect_of(connection)
        present = Present(connection)
        for beside, acts in plan.groups(version, builds_beside=dialect.builds_beside):
            for table, rows_a_second in (
                () if beside else [r for act in acts for r in act.step.reads]
            ):
                if not present.has(table):
                    continue
                rows = dialect.about_rows(connection, table)
                seconds = rows / rows_a_second
                if seconds > BY_ITSELF_SECONDS:
                    raise ConfigError(
                        f"to migrate the ingest_ tables from version {version} to {VERSION} locks "
                        f"them for about {seconds:.0f} s ({table} has about {rows:,} rows): run "
                        f"{MIGRATE} at a time that suits you"
                    )
