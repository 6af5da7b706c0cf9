"""One transaction in which all that a sink does is tried, and that is always rolled back.

Within it, every transaction of its database (``Rehearsal.database``) is a savepoint. So the code that
writes is that of a run: it creates tables, writes rows, failed records and the ledger, and the database
says what it says to a run. Nothing of that stays, apart from the numbers that sequences have given out,
and from what triggers have done outside of the database.
"""

from __future__ import annotations

import re
import tempfile
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import Any

import sqlalchemy as sa

from sinks.database import watchdog
from sinks.database.database import Database
from sinks.database.dialects import dialect_of
from sinks.database.engine import (
    DATABASE_ERRORS,
    REHEARSALS,
    dialect_for,
    dispose_engine,
    engine_of,
    exists,
    translate,
)
from sinks.database.rehearsing import LOCK_SECONDS, Rehearsing
from sinks.rehearsal.bystanders import Bystanders
from transforms.errors import ConfigError, Contention, SluiceError
from transforms.secret_urls import resolve_url

_GRACE = 1.0
"""Seconds after which a connection is cut whose statement could not be ended."""

_DOING = "rehearse a write"

_DEFINES = re.compile(r"\s*(CREATE|ALTER|DROP)\s+(?!TEMP)", re.IGNORECASE)


class TooLong(SluiceError):
    """A rehearsal was ended so that it holds nobody up: a smaller one may be in time."""


@dataclass(slots=True)
class Rehearsal:
    """What is known of a rehearsal.

    Attributes:
        database: What to write to.
        connection: In the transaction.
        statements: The definitions of tables and indexes that were executed, in order.
        sequences: By the name of each sequence that has given out numbers, or has seen others do so:
            the last before, and after the rehearsal. None stands for no number yet.
    """

    database: Database
    connection: sa.Connection
    statements: list[str] = field(default_factory=list)
    sequences: dict[str, tuple[int | None, int]] = field(default_factory=dict)


def rehearsing_of(database: Database) -> Rehearsing | None:
    """How writes are tried in ``database``; None if what they create cannot be taken back.

    Raises:
        ConfigError: The URL cannot be used.
    """
    return dialect_for(database).rehearsing


@contextmanager
def rehearsal(database: Database) -> Iterator[Rehearsal]:
    """Try what the block writes to ``Rehearsal.database``, and take it back.

    Args:
        database: What would be written to. Its tables can be taken back (``rehearsing_of``).

    Raises:
        TooLong: The rehearsal was ended after its time.
        SluiceError: It was ended because it met a lock, or because others waited for it.
        ConfigError: The database refuses, or its tables cannot be taken back.
        SinkUnavailable: The database cannot be reached.
    """
    rehearsing = rehearsing_of(database)
    if rehearsing is None:
        raise ConfigError(f"tables in {database} cannot be taken back")
    bystanders: Bystanders | None = None
    began: float | None = None
    try:
        with ExitStack() as stack:
            own = _own(database, stack)
            engine = engine_of(own)
            connection = stack.enter_context(engine.connect())
            # What the session has set, and its temporary tables, end with it.
            stack.callback(connection.invalidate)
            transaction = connection.begin()
            stack.callback(_roll_back, transaction)
            began = time.monotonic()
            stack.enter_context(watchdog.watched(connection, rehearsing.seconds + _GRACE))
            dialect_of(connection).limit_statements(connection, rehearsing.seconds)
            rehearsing.begin(connection)
            session = rehearsing.session(connection)
            if session is not None:
                ends = began + rehearsing.seconds
                bystanders = Bystanders(engine, rehearsing, session, ends)
                stack.enter_context(bystanders)
            rehearsed = Rehearsal(own, connection)
            sa.event.listen(connection, "before_cursor_execute", _noting(rehearsed.statements))
            REHEARSALS[own.rehearsal] = connection
            stack.callback(REHEARSALS.pop, own.rehearsal)
            before = rehearsing.sequences(connection)
            yield rehearsed
            rehearsing.check_deferred(connection)
            rehearsed.sequences = _advanced(before, rehearsing.sequences(connection))
    except (SluiceError, *DATABASE_ERRORS) as error:
        lasted = 0.0 if began is None else time.monotonic() - began
        line = _why_ended(error, rehearsing, bystanders, lasted)
        if line:
            late = not _is_held_up(bystanders) and lasted >= rehearsing.seconds
            kind = TooLong if late else SluiceError
            raise kind(f"the trial in {database} {line}") from error
        if isinstance(error, SluiceError):
            raise
        raise translate(error, database, _DOING, ConfigError) from error


def _own(database: Database, stack: ExitStack) -> Database:
    """The database of one rehearsal: one in a folder of its own if its file does not exist."""
    own = replace(database, rehearsal=uuid.uuid4().hex, statement_timeout=LOCK_SECONDS)
    if not exists(database):
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="sluice-plan-"))
        url = sa.make_url(resolve_url(database.url)).set(database=f"{folder}/rehearsal.db")
        own = replace(own, url=url.render_as_string(hide_password=False))
    stack.callback(dispose_engine, own)
    return own


def _roll_back(transaction: sa.RootTransaction) -> None:
    with suppress(*DATABASE_ERRORS):  # the connection is lost, and with it the transaction
        transaction.rollback()


def _noting(statements: list[str]) -> Any:
    """A listener that keeps what defines tables and indexes."""

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if _DEFINES.match(statement):
            statements.append(statement.strip())

    return note


def _advanced(
    before: Mapping[str, int | None], after: Mapping[str, int | None]
) -> dict[str, tuple[int | None, int]]:
    """The sequences of before whose last number is another one now."""
    return {
        name: (before[name], last)
        for name, last in after.items()
        if last is not None and name in before and before[name] != last
    }


def _why_ended(
    error: BaseException, rehearsing: Rehearsing, bystanders: Bystanders | None, lasted: float
) -> str:
    """Why a rehearsal was ended, and what to do; empty if ``error`` says so itself."""
    if _is_held_up(bystanders):
        return (
            f"was ended after {lasted:.1f} s, since another session waited for it; nothing was changed; "
            "try again, or try a smaller --sample"
        )
    if lasted >= rehearsing.seconds:
        return (
            f"was ended after {rehearsing.seconds} s, so that it holds nobody up; nothing was changed; "
            "try a smaller --sample"
        )
    cause = error.__cause__ if isinstance(error, Contention) else error
    obstacle = "" if cause is None else rehearsing.obstacle_of(cause)
    if not obstacle:
        return ""
    seen = "" if bystanders is None else bystanders.obstacle
    return (
        f"waited {LOCK_SECONDS} s for {seen or obstacle} and was ended; nothing was changed; try again "
        "when that is free"
    )


def _is_held_up(bystanders: Bystanders | None) -> bool:
    return bystanders is not None and bystanders.held_up
