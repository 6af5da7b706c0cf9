"""A thread that carries out the long orders of a database, one at a time."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass, field

from sinks.bulk import chunk
from sinks.bulk.carry_out import LEASE_SECONDS, carry_out
from sinks.bulk.long_orders import waiting
from sinks.database.database import Database
from transforms.batch.backoff import Backoff, jitter
from transforms.errors import SluiceError
from transforms.secrets import redact

SECONDS = 2.0
"""Between two looks for orders; a little less, at random, so that processes do not fall into step."""

_BACKOFF = Backoff(base=1.0, cap=60.0)
_log = logging.getLogger(__name__)


@dataclass(slots=True, eq=False)
class Worker:
    """Carries out orders that wait, until it is stopped.

    It survives that the database is away: it keeps what went wrong last in ``message``, and tries
    again later and later.

    Attributes:
        database: Where the orders are.
        seconds: Between two looks for orders.
        lease_seconds: How long its order waits for another process once this one is gone.
        backoff: The waits after a failure.
        message: What went wrong last; None while nothing does.
    """

    database: Database
    seconds: float = SECONDS
    lease_seconds: float = LEASE_SECONDS
    backoff: Backoff = _BACKOFF
    message: str | None = field(default=None, init=False)
    _stopped: threading.Event = field(default_factory=threading.Event, init=False)
    _woken: threading.Event = field(default_factory=threading.Event, init=False)
    _thread: threading.Thread | None = field(default=None, init=False)
    _failures: int = field(default=0, init=False)

    def start(self) -> None:
        """Begin to look for orders, in a thread of its own."""
        self._thread = threading.Thread(target=self._loop, name="orders", daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """Look at once: an order has just been given."""
        self._woken.set()

    def stop(self, timeout: float | None = None) -> bool:
        """End after the chunk that is under way; whether it has ended within ``timeout`` seconds."""
        self._stopped.set()
        self._woken.set()
        if self._thread is not None:
            self._thread.join(timeout)
            return not self._thread.is_alive()
        return True

    def look(self) -> bool:
        """Carry out the orders that wait now; whether there were none, or none failed."""
        number: int | None = None
        failed: SluiceError | None = None
        try:
            for number in waiting(self.database):
                if self._stopped.is_set():
                    break
                failed = self._carry_out(number) or failed
        except SluiceError as error:
            failed = error
        return self._said(failed)

    def _carry_out(self, number: int) -> SluiceError | None:
        """Carry out one order; what went wrong with it is no reason to leave the others."""
        try:
            carry_out(self.database, number, stopped=self._stopped, seconds=self.lease_seconds)
        except SluiceError as error:
            self._note(number, error)
            return error
        return None

    def _note(self, number: int, error: SluiceError) -> None:
        """Say in the order's row what holds it up, if the database can be reached for that."""
        try:
            chunk.note(self.database, number, redact(str(error)))
        except SluiceError:
            _log.debug("order %d is held up: %s", number, error, extra={"order": number})

    def _said(self, failed: SluiceError | None) -> bool:
        message = None if failed is None else redact(str(failed))
        if message is not None and message != self.message:
            _log.warning("long orders wait: %s", message, extra={"service": "database"})
        elif message is None and self.message is not None:
            _log.warning("long orders go on", extra={"service": "database"})
        self.message = message
        return message is None

    def _loop(self) -> None:
        while not self._stopped.is_set():
            self._woken.clear()
            try:
                went_well = self.look()
            except Exception as error:  # noqa: BLE001 - otherwise orders would wait for good
                self.message = redact(f"{type(error).__name__}: {error}")
                _log.exception("long orders cannot be carried out; trying again")
                went_well = False
            self._failures = 0 if went_well else self._failures + 1
            pause = self.seconds * jitter(0.8, 1.0)
            if self._failures:
                pause = max(pause, self.backoff.delay(self._failures))
            if not self._stopped.is_set():
                self._woken.wait(pause)
