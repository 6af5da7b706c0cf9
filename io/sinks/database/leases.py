"""Leases prove that a process which holds jobs, or does something alone, is still alive.

A lease is a row of ``ingest_leases`` with the time at which it runs out. One thread of this
process renews the leases that it holds, three times within their length. Once the process is
gone, or cannot reach the database, they run out, and others may take over what was done under
them. A lease that its user has not touched for long runs out too: the bundle that held it is
then gone, although the process lives.
"""

from __future__ import annotations

import logging
import os
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
from transforms import instruments
from transforms.batch.backoff import jitter
from transforms.errors import SluiceError
from transforms.per_process import PerProcess

_log = logging.getLogger(__name__)

UNTOUCHED_SECONDS = 900.0
"""A lease that nobody has touched for this long is no longer renewed."""

Beat = Callable[[], object]


def process_name() -> str:
    """This process, for people who look at the table."""
    return f"{socket.gethostname()[:100]}:{os.getpid()}"


def new_name(purpose: str) -> str:
    """A name that no other lease has."""
    return f"{purpose[:100]}:{process_name()}:{uuid.uuid4().hex[:12]}"


def hold(database: Database, name: str, seconds: float, beat: Beat | None = None) -> bool:
    """Take the lease ``name`` and keep renewing it.

    Args:
        database: Where the lease is kept.
        name: The lease.
        seconds: How long it lasts without being renewed.
        beat: Called in a thread of its own after each renewal, unless it is still running.

    Returns:
        False if another process has the lease.

    Raises:
        SinkUnavailable: The database cannot be reached.
        Contention: The database asks for another try.
    """
    return _held().hold(database, name, seconds, beat)


def touch(database: Database, name: str) -> bool:
    """Say that the work under ``name`` goes on; False if this process does not hold it any more."""
    return _held().touch(database, name)


def release(database: Database, name: str) -> None:
    """Give up ``name``: it runs out now, and others may take over at once.

    Raises:
        SinkUnavailable: The database cannot be reached; the lease then runs out by itself.
        Contention: The database asks for another try; likewise.
    """
    _held().release(database, name)


def release_all() -> None:
    """Give up all leases of this process: its pipeline is over. Those that cannot be run out."""
    _held().release_all()


def number() -> int:
    """How many leases this process holds."""
    held = held_leases.peek(None)
    return 0 if held is None else held.number()


@dataclass(slots=True)
class _Lease:
    """A lease of this process.

    Attributes:
        seconds: How long it lasts.
        touched: When its user touched it last (monotonic).
        due: When it is to be renewed (monotonic).
        beat: What is called after a renewal.
        beating: The thread in which that runs.
    """

    seconds: float
    touched: float
    due: float
    beat: Beat | None = None
    beating: threading.Thread | None = None


class _HeldLeases:
    """The leases of this process, and the thread that renews them."""

    def __init__(self) -> None:
        # Two processes may have one number, on hosts of one name.
        self._holder = f"{process_name()}:{uuid.uuid4().hex[:12]}"
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._leases: dict[tuple[Database, str], _Lease] = {}
        self._thread: threading.Thread | None = None

    def hold(self, database: Database, name: str, seconds: float, beat: Beat | None) -> bool:
        with transaction(database, "take a lease") as connection:
            dialect = dialect_of(connection)
            at = dialect.now(connection)
            row = {
                "name": name,
                "holder": self._holder,
                "expires_at": at + timedelta(seconds=seconds),
            }
            before = connection.scalar(sa.select(leases.c.holder).where(leases.c.name == name))
            free = sa.or_(leases.c.holder == self._holder, leases.c.expires_at <= at)
            taken = connection.execute(
                sa.update(leases).where(leases.c.name == name, free).values(row)
            ).rowcount
            if not taken and not dialect.insert_absent(connection, leases, [row], "name"):
                return False
        if taken and before and before != self._holder:
            _log.warning(
                "took over the lease %s, which ran out: %s held it",
                *(name, before),
                extra={"lease": name, "holder": before},
            )
        clock = time.monotonic()
        with self._lock:
            self._leases[database, name] = _Lease(seconds, clock, clock + seconds / 3, beat)
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._renew_all, name="leases", daemon=True)
                self._thread.start()
        self._wake.set()
        return True

    def touch(self, database: Database, name: str) -> bool:
        with self._lock:
            lease = self._leases.get((database, name))
            if lease is not None:
                lease.touched = time.monotonic()
            return lease is not None

    def release(self, database: Database, name: str) -> None:
        with self._lock:
            self._leases.pop((database, name), None)
        with transaction(database, "give up a lease") as connection:
            of_this_process = sa.and_(leases.c.name == name, leases.c.holder == self._holder)
            at = dialect_of(connection).now(connection)
            # Without a holder, so that who takes it next does not speak of a process that is gone.
            given_up = {"holder": "", "expires_at": at}
            connection.execute(sa.update(leases).where(of_this_process).values(given_up))

    def release_all(self) -> None:
        with self._lock:
            keys = list(self._leases)
        for database, name in keys:
            try:
                self.release(database, name)
            except SluiceError as error:
                _log.debug(
                    "the lease %s is left to run out: %s", name, error, extra={"lease": name}
                )

    def _renew_all(self) -> None:
        """Renew what is due until nothing is held, or the process has forgotten its leases."""
        while True:
            clock = time.monotonic()
            with self._lock:
                for key, lease in list(self._leases.items()):
                    if clock - lease.touched > UNTOUCHED_SECONDS:
                        del self._leases[key]
                if not self._leases or held_leases.peek(None) is not self:
                    self._thread = None
                    return
                due = [key for key, lease in self._leases.items() if lease.due <= clock]
                pause = min(lease.due for lease in self._leases.values()) - clock
            for database, name in due:
                self._renew(database, name)
            if not due:
                self._wake.wait(max(0.05, pause))
                self._wake.clear()

    def number(self) -> int:
        with self._lock:
            return len(self._leases)

    def _renew(self, database: Database, name: str) -> None:
        key = (database, name)
        with self._lock:
            lease = self._leases.get(key)
        if lease is None:
            return
        try:
            with transaction(database, "renew a lease") as connection:
                renewed = self._renewed(connection, name, timedelta(seconds=lease.seconds))
        except SluiceError as error:
            line = "the lease %s could not be renewed, trying again: %s"
            _log.warning(line, name, error, extra={"lease": name, "service": "database"})
            renewed = True
        with self._lock:
            if renewed:
                # Jittered, so that processes do not fall into step.
                lease.due = time.monotonic() + lease.seconds / 3 * jitter(0.8, 1.0)
                _beat(lease)
            else:
                self._leases.pop(key, None)
                instruments.add("leases_lost", 1)
                _log.warning(
                    "the lease %s was taken by another process", name, extra={"lease": name}
                )

    def _renewed(self, connection: sa.Connection, name: str, after: timedelta) -> bool:
        """Let the lease run out ``after`` now; False if another process has it."""
        expires_at = dialect_of(connection).now(connection) + after
        of_this_process = sa.and_(leases.c.name == name, leases.c.holder == self._holder)
        changed = sa.update(leases).where(of_this_process).values(expires_at=expires_at)
        return bool(connection.execute(changed).rowcount)


def _beat(lease: _Lease) -> None:
    """Start what is done after a renewal; it must not delay the next renewal."""
    if lease.beat is None or (lease.beating is not None and lease.beating.is_alive()):
        return
    lease.beating = threading.Thread(target=_try, args=(lease.beat,), name="beat", daemon=True)
    lease.beating.start()


def _try(beat: Beat) -> None:
    try:
        beat()
    except SluiceError as error:
        _log.warning("will be tried again: %s", error)


held_leases: PerProcess[None, _HeldLeases] = PerProcess(lambda _: _HeldLeases())
"""What this process holds. A forked child holds nothing; to forget it is to let it run out."""


def _held() -> _HeldLeases:
    return held_leases.get(None)
