"""Leases: which processes that do something alone, or have taken jobs, are alive.

A lease is a row of ``ingest_leases`` with a time at which it runs out. One thread of this
process renews the leases it holds, at a third of their length; once the process is gone, or
cannot reach the database, they run out, and others may take over what was done under them.
A lease that its user has not touched for long runs out too: then the bundle that held it is
gone although the process lives.
"""

from __future__ import annotations

import logging
import os
import random
import socket
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

import sqlalchemy as sa

from sinks.database.database import Database
from sinks.database.dialects import dialect_of
from sinks.database.engine import transaction
from sinks.database.tables import leases
from transforms.errors import SluiceError

_log = logging.getLogger(__name__)

UNTOUCHED_SECONDS = 900.0
"""A lease that nobody has touched for so long is not renewed any more."""

_lock = threading.Lock()
_wake = threading.Event()
_held: dict[tuple[Database, str], _Held] = {}
_thread: threading.Thread | None = None


@dataclass(slots=True)
class _Held:
    """A lease of this process, when it is renewed next (monotonic), and what is done then."""

    seconds: float
    touched: float
    due: float
    beat: Callable[[], object] | None = None
    beating: threading.Thread | None = None


def holder() -> str:
    """Names this process, for people who look at the table."""
    return f"{socket.gethostname()[:100]}:{os.getpid()}"


def new_name(what: str) -> str:
    """A name that no other lease has."""
    return f"{what[:100]}:{holder()}:{uuid.uuid4().hex[:12]}"


def hold(
    database: Database, name: str, seconds: float, beat: Callable[[], object] | None = None
) -> bool:
    """Take the lease ``name`` and keep renewing it; False when somebody else has it.

    Args:
        database: Where it is kept.
        name: The lease.
        seconds: How long it lasts without being renewed.
        beat: Called in a thread of its own after each renewal, unless it is still at work.

    Raises:
        SinkUnavailable: The database cannot be reached.
        Contention: The database asks for another try.
    """
    with transaction(database, "take a lease") as connection:
        dialect = dialect_of(connection)
        at = dialect.now(connection)
        row = {"name": name, "holder": _token(), "expires_at": at + timedelta(seconds=seconds)}
        free = sa.or_(leases.c.holder == _token(), leases.c.expires_at <= at)
        taken = connection.execute(
            sa.update(leases).where(leases.c.name == name, free).values(row)
        ).rowcount
        if not taken and not dialect.insert_absent(connection, leases, [row], "name"):
            return False
    clock = time.monotonic()
    with _lock:
        _held[database, name] = _Held(seconds, clock, clock + seconds / 3, beat)
    _ensure_thread()
    return True


def touch(database: Database, name: str) -> bool:
    """Say that whoever holds ``name`` is still at work; False when it is not held any more."""
    with _lock:
        held = _held.get((database, name))
        if held is not None:
            held.touched = time.monotonic()
        return held is not None


def release(database: Database, name: str) -> None:
    """Give ``name`` up: it runs out now, and others may take over at once.

    Raises:
        SinkUnavailable: The database cannot be reached; the lease runs out by itself then.
        Contention: The same.
    """
    with _lock:
        _held.pop((database, name), None)
    with transaction(database, "give a lease up") as connection:
        connection.execute(
            sa.update(leases)
            .where(leases.c.name == name, leases.c.holder == _token())
            .values(expires_at=dialect_of(connection).now(connection))
        )


def release_all() -> None:
    """Give up all leases of this process: its pipeline is over. One that cannot be runs out."""
    with _lock:
        held = list(_held)
    for database, name in held:
        try:
            release(database, name)
        except SluiceError as error:
            _log.info("the lease %s is left to run out: %s", name, error)


def _ensure_thread() -> None:
    global _thread
    with _lock:
        if _thread is None or not _thread.is_alive():
            _thread = threading.Thread(target=_renew_for_ever, name="leases", daemon=True)
            _thread.start()
    _wake.set()


def _renew_for_ever() -> None:
    """Renew what is due; ends when nothing is held any more."""
    global _thread
    while True:
        clock = time.monotonic()
        with _lock:
            for key, held in list(_held.items()):
                if clock - held.touched > UNTOUCHED_SECONDS:
                    del _held[key]
            if not _held:
                _thread = None
                return
            due = [key for key, held in _held.items() if held.due <= clock]
            pause = min(held.due for held in _held.values()) - clock
        for database, name in due:
            _renew(database, name)
        if not due:
            _wake.wait(max(0.05, pause))
            _wake.clear()


def _renew(database: Database, name: str) -> None:
    key = (database, name)
    with _lock:
        held = _held.get(key)
    if held is None:
        return
    try:
        with transaction(database, "renew a lease") as connection:
            expires = dialect_of(connection).now(connection) + timedelta(seconds=held.seconds)
            kept = connection.execute(
                sa.update(leases)
                .where(leases.c.name == name, leases.c.holder == _token())
                .values(expires_at=expires)
            ).rowcount
    except SluiceError as error:
        _log.warning("the lease %s could not be renewed, trying again: %s", name, error)
        kept = 1
    with _lock:
        if kept:
            # Jittered, so that processes do not come in step.
            held.due = time.monotonic() + held.seconds / 3 * random.uniform(0.8, 1.0)  # noqa: S311
            _beat(held)
        else:
            _held.pop(key, None)
            _log.warning("the lease %s was taken by another process", name)


def _beat(held: _Held) -> None:
    """Begin what is done after a renewal; it must not keep the next renewal waiting."""
    if held.beat is None or (held.beating is not None and held.beating.is_alive()):
        return
    held.beating = threading.Thread(target=_try, args=(held.beat,), name="beat", daemon=True)
    held.beating.start()


def _try(beat: Callable[[], object]) -> None:
    try:
        beat()
    except SluiceError as error:
        _log.warning("will be tried again: %s", error)


_own = uuid.uuid4().hex[:12]


def _token() -> str:
    """What distinguishes this process from one of the same number on a host of the same name."""
    return f"{holder()}:{_own}"


def _forget_after_fork() -> None:
    """A child holds none of its parent's leases."""
    global _lock, _wake, _thread, _own
    _lock = threading.Lock()
    _wake = threading.Event()
    _thread = None
    _own = uuid.uuid4().hex[:12]
    _held.clear()


os.register_at_fork(after_in_child=_forget_after_fork)
