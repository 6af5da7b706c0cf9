"""Carry out one long order, chunk by chunk, under its lease."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from sinks.bulk import chunk
from sinks.bulk.chunk import Step
from sinks.bulk.long_orders import lease_of
from sinks.database import leases
from sinks.database.database import Database
from transforms.batch.backoff import Backoff
from transforms.errors import SinkFailed, SluiceError

LEASE_SECONDS = 30.0
"""How long the order of a process that is gone waits for another one."""

TRIES = 5
"""How often jobs that others hold are looked at again, at the end."""

_BACKOFF = Backoff(base=0.2, cap=5.0)
_one_at_a_time = threading.Lock()
_log = logging.getLogger(__name__)


def carry_out(
    database: Database,
    number: int,
    *,
    stopped: threading.Event | None = None,
    committed: Callable[[Step], object] = bool,
    seconds: float = LEASE_SECONDS,
) -> bool:
    """Carry out the order ``number`` until it has ended, or until ``stopped`` is set.

    An order that the database refuses ends as ``discarded``, with the reason in its message.

    Args:
        database: The database.
        number: The order.
        stopped: Ends the work after the chunk that is under way.
        committed: Called after each transaction.
        seconds: How long the lease lasts without being renewed.

    Returns:
        False if another process has the order, or this one is busy with another.

    Raises:
        ConfigError: Another version of the program has written the order.
        SinkUnavailable: The database cannot be reached. Another call goes on where this one ended.
        Contention: It kept asking for another try. Another call goes on, too.
    """
    stopped = stopped or threading.Event()
    if not _one_at_a_time.acquire(blocking=False):
        return False
    try:
        if not leases.hold(database, lease_of(number), seconds):
            return False
        try:
            _carry_on(database, number, stopped, committed)
        finally:
            _release(database, number)
    finally:
        _one_at_a_time.release()
    return True


def _carry_on(
    database: Database, number: int, stopped: threading.Event, committed: Callable[[Step], object]
) -> None:
    waits = 0
    while not stopped.is_set() and leases.touch(database, lease_of(number)):
        try:
            step = chunk.carry_on(database, number, last_try=waits >= TRIES)
        except SinkFailed as error:
            chunk.end(database, number, error)
            _log.warning("order %d is given up: %s", number, error, extra={"order": number})
            return
        committed(step)
        if step.ended:
            return
        if step.waits:
            waits += 1
            stopped.wait(_BACKOFF.delay(waits))


def _release(database: Database, number: int) -> None:
    """Give up the lease; one that cannot be given up runs out."""
    try:
        leases.release(database, lease_of(number))
    except SluiceError as error:
        _log.debug("the lease of order %d is left to run out: %s", number, error)
