"""Who a rehearsal waits for, and who waits for it: seen from a second connection, which ends it in time."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from typing import Self

import sqlalchemy as sa

from sinks.database.engine import DATABASE_ERRORS
from sinks.database.rehearsing import LOCK_SECONDS, Rehearsing

LOOK_SECONDS = 0.1

_PATIENCE = 0.6 * LOCK_SECONDS
"""How long others may have waited, at two looks or more, before the rehearsal is ended."""


class Bystanders:
    """Looks at the session of a rehearsal again and again, as long as the block lasts.

    Without a second connection nobody looks, and the time-outs of the database bound the rehearsal.

    Args:
        engine: Gives the connection.
        rehearsing: How the database is asked.
        session: The session, as ``rehearsing`` names it.
        ends: When the rehearsal has lasted long enough (monotonic).

    Attributes:
        obstacle: What the session has waited for last; empty if it has not waited.
        held_up: Whether it was ended because others had waited for it.
    """

    def __init__(
        self, engine: sa.Engine, rehearsing: Rehearsing, session: int, ends: float
    ) -> None:
        self.obstacle = ""
        self.held_up = False
        self._engine = engine
        self._rehearsing = rehearsing
        self._session = session
        self._ends = ends
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="rehearsal", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        with suppress(*DATABASE_ERRORS), self._engine.connect() as watcher:
            watcher.execution_options(isolation_level="AUTOCOMMIT")
            since: float | None = None
            while not self._over.wait(LOOK_SECONDS):
                self.obstacle = self._rehearsing.obstacle(watcher, self._session) or self.obstacle
                awaited = self._rehearsing.is_awaited(watcher, self._session)
                since = (since or time.monotonic()) if awaited else None
                late = time.monotonic() >= self._ends
                self.held_up |= since is not None and time.monotonic() - since >= _PATIENCE
                if (late or self.held_up) and not self._over.is_set():
                    self._rehearsing.cancel(watcher, self._session)
