"""What is asked of the pipeline that this process reads for: asked by a thread, answered from memory.

A database that is away changes nothing: the last answer counts until it is back.

Limits are of all processes of the pipeline, each of which takes an equal share. A process that begins under a
limit waits until the others have learned of it.
"""

from __future__ import annotations

import logging
import operator
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from sinks.control.processes import Names, Process, living, sharing
from sinks.control.requests import WHOLE, Requested, rows_of
from sinks.database.database import Database
from sinks.database.engine import transaction
from sinks.database.label import TargetTable, pipeline_named
from sinks.runs import heartbeat
from transforms.batch.backoff import jitter
from transforms.errors import SluiceError
from transforms.per_process import PerProcess
from transforms.read.control import Control, Limit, State
from transforms.route.table_name import TableName
from transforms.secrets import redact

SECONDS = 2.0
"""Between two questions; a little less, at random, so that processes do not fall into step."""

FIRST_ANSWER_SECONDS = 5.0
"""How long the first reader waits for the first answer."""

LONGEST_SECONDS = 30.0
"""Within which an answer comes: over a connection that hangs, nobody would learn of a pause."""

IDLE_SECONDS = 600.0
"""A thread that nobody has asked for this long ends: its pipeline does no longer read here."""

_REMEMBERED = 6
"""Of so many answers, about as many as there are between two heartbeats, a process counts as alive: after the
database was away, its heartbeat may come late."""

_log = logging.getLogger(__name__)

_SEVERITY: dict[State, int] = {"running": 0, "draining": 1, "paused": 2}


class Owner(Protocol):
    """A source as the user named it."""

    @property
    def uri(self) -> str:
        """As the user wrote it."""
        ...

    def owns(self, source: str) -> bool:
        """Whether ``source``, as in ``Origin``, is a part of it."""
        ...


@dataclass(frozen=True, slots=True)
class SqlControls:
    """What is asked of a pipeline, from its rows in ``ingest_control``; ``transforms.read.control.Controls``.

    Attributes:
        target: Its own table, and the database of its ledger.
        pipeline: Its name; empty for the label of the table.
        sources: What it reads. Whatever else a process reads are due jobs.
        seconds: Between two questions.
        max_rate: Records per second that the pipeline may read unless an operator has said otherwise;
            None for no limit.
        max_bytes_rate: The same for bytes of records per second.
        names: How users name sources.
    """

    target: TargetTable
    pipeline: str
    sources: tuple[Owner, ...] = field(compare=False)
    seconds: float = SECONDS
    max_rate: float | None = None
    max_bytes_rate: float | None = None
    names: Names = field(default=operator.eq, compare=False)

    def begin(self) -> None:
        """Begin to ask, unless this process does so already; the first call waits for an answer.

        Under a limit, it also waits until other processes know of this one.
        """
        self._poller.begin()

    def of(self, source: str) -> Control:
        """What is asked of ``source``, as the user wrote it; of due jobs, if it is none of theirs."""
        poller = self._poller
        poller.begin()
        rows = poller.rows
        if not (rows or poller.limits):
            return _RUNNING
        owner = next((each for each in self.sources if each.uri == source), None)
        whole = rows.get(WHOLE)
        generation = whole.generation if whole is not None else 0
        if owner is None:
            paused = whole is not None and whole.state == "paused"
            return Control(
                "paused" if paused else "running",
                whole.reason if whole is not None and paused else "",
                tuple(limit for name, limit in poller.limits.items() if name == WHOLE),
                generation,
            )

        def concerns(name: str) -> bool:
            return name == WHOLE or name == owner.uri or owner.owns(name)

        own = [row for name, row in rows.items() if concerns(name)]
        limits = tuple(limit for name, limit in poller.limits.items() if concerns(name))
        if not own:
            return Control(limits=limits, generation=generation)
        strictest = max(own, key=lambda row: _SEVERITY[row.state])
        reason = strictest.reason if strictest.holds else ""
        return Control(strictest.state, reason, limits, generation)

    @property
    def name(self) -> str:
        """The name under which the pipeline's ledger is kept.

        Raises:
            SluiceError: It is not known yet, and the database is away.
        """
        poller = self._poller
        if not poller.name:
            poller.ask()
        return poller.name

    @property
    def whole_is_held(self) -> bool:
        """Whether somebody holds the whole pipeline, as far as this process knows."""
        whole = self._poller.rows.get(WHOLE)
        return whole is not None and whole.holds

    def held(self) -> Sequence[Requested]:
        """The rows that hold the pipeline or a source of it, that of the whole pipeline first."""
        return [row for row in self._poller.rows.values() if row.holds]

    def resumed_at(self) -> datetime | None:
        """When the whole pipeline was last resumed, as far as this process knows."""
        whole = self._poller.rows.get(WHOLE)
        return None if whole is None else whole.resumed_at

    def look(self) -> None:
        """Ask now, on the caller's thread.

        Raises:
            SluiceError: The database is away, or refuses.
        """
        self._poller.ask()

    @property
    def _poller(self) -> _Poller:
        return _pollers.get(
            _Subject(
                *(self.target.database, self.target.table_name, self.pipeline, self.seconds),
                *(Limit(WHOLE, self.max_rate, self.max_bytes_rate), self.names),
            )
        )


_RUNNING = Control()


@dataclass(frozen=True, slots=True)
class _Subject:
    """What a thread asks for."""

    database: Database
    table: TableName
    pipeline: str
    seconds: float
    limit: Limit
    """By its options."""
    names: Names = field(compare=False)


class _Poller:
    """The rows of one pipeline, and the thread that keeps them up to date."""

    def __init__(self, subject: _Subject) -> None:
        self._subject = subject
        self._lock = threading.Lock()
        self._asking = threading.Lock()  # so that an answer never replaces a newer one
        self._thread: threading.Thread | None = None
        self._begun = threading.Event()
        self._stopped = threading.Event()
        self.name = ""
        self._patience = 0.0  # monotonic: until then, readers wait for the first answer
        self._used = time.monotonic()
        self._heard: deque[Sequence[Process]] = deque(maxlen=_REMEMBERED)
        self._sharing = 1
        self.rows: dict[str, Requested] = {}
        """By source, as of the last answer; never changed in place."""
        self.limits: dict[str, Limit] = _limits({}, subject.limit, lambda _: 1)
        """The shares of this process, by source; never changed in place."""

    def begin(self) -> None:
        self._used = time.monotonic()
        if self._thread is None and not self._stopped.is_set():
            with self._lock:
                if self._thread is None:
                    self._patience = self._used + FIRST_ANSWER_SECONDS
                    self._thread = threading.Thread(target=self._loop, name="control", daemon=True)
                    self._thread.start()
        if not self._begun.is_set():
            self._begun.wait(max(0.0, self._patience - time.monotonic()))

    def stop(self) -> None:
        self._stopped.set()

    def ask(self) -> None:
        """Replace the rows and shares by those that there are now, and say what has changed."""
        with self._asking:
            self._ask()

    def _ask(self) -> None:
        subject = self._subject
        with transaction(
            subject.database,
            "read what is asked of the pipeline",
            write=False,
            longest=LONGEST_SECONDS,
        ) as connection:
            pipeline = pipeline_named(connection, subject.table, subject.pipeline)
            rows = {row.source: row for row in rows_of(connection, pipeline)}
            limited = _limits(rows, subject.limit, lambda _: 1).keys()
            heard = living(connection, pipeline, with_sources=any(limited)) if limited else ()
        with self._lock:
            before, self.rows = self.rows, rows
            self.name = pipeline
            self._heard.append(heard)
            self.limits = _limits(rows, subject.limit, self._number_sharing)
        _report(before, rows)
        self._report_sharing()

    def _number_sharing(self, source: str) -> int:
        """How many processes share a limit, this one included."""
        alive = {process.name: process for heard in self._heard for process in heard}
        return sharing(alive.values(), heartbeat.names(), source, self._subject.names)

    def _report_sharing(self) -> None:
        number = self._number_sharing(WHOLE) if self.limits else 1
        if number != self._sharing:
            self._sharing = number
            processes = "one process has" if number == 1 else f"{number} processes share"
            _log.info("%s the limits of pipeline %s", processes, self.name)

    def _loop(self) -> None:
        while _pollers.peek(self._subject) is self:
            with self._lock:
                if time.monotonic() - self._used > IDLE_SECONDS:
                    self._thread = None
                    return
            try:
                self.ask()
                if not self._begun.is_set():
                    self._become_known()
            except SluiceError as error:
                _log.debug(
                    "what is asked of the pipeline is not known now, so that what was asked last counts: %s",
                    error,
                    extra={"service": "database"},
                )
            except Exception as error:  # noqa: BLE001 - otherwise the process would be deaf for good
                _log.warning(
                    "what is asked of the pipeline cannot be read now; it is asked for again: %s",
                    redact(f"{type(error).__name__}: {error}"),
                    extra={"service": "database"},
                )
            if self._stopped.wait(self._subject.seconds * jitter(0.8, 1.0)):
                return

    def _become_known(self) -> None:
        """Let the readers begin; under a limit, once other processes have asked and seen this one."""
        if self.limits:
            heartbeat.names(self._subject.seconds)
            if self._stopped.wait(self._subject.seconds):
                return
            self.ask()
        self._begun.set()


def _limits(
    rows: Mapping[str, Requested], options: Limit, number_of: Callable[[str], int]
) -> dict[str, Limit]:
    """The share that a process has of each limit.

    Args:
        rows: What operators ask for; of the whole pipeline, it takes the place of the options.
        options: What the options say of the whole pipeline.
        number_of: How many processes share the limit of a source.
    """
    limits = {name: Limit(name, row.max_rate, row.max_bytes_rate) for name, row in rows.items()}
    asked = limits.get(WHOLE, Limit())
    limits[WHOLE] = Limit(
        WHOLE,
        options.max_rate if asked.max_rate is None else asked.max_rate,
        options.max_bytes_rate if asked.max_bytes_rate is None else asked.max_bytes_rate,
    )
    return {name: limit.divided(number_of(name)) for name, limit in limits.items() if limit.is_set}


def _report(before: dict[str, Requested], now: dict[str, Requested]) -> None:
    """Log each row whose state or limits are others than before."""
    for source, row in now.items():
        was = before.get(source)
        fields = {"source": source} if source else {}
        if row.state != ("running" if was is None else was.state):
            _log.info("%s", row, extra=fields)
        limits = row.max_rate, row.max_bytes_rate
        if limits != ((None, None) if was is None else (was.max_rate, was.max_bytes_rate)):
            _log.info("%s", row.limits_in_words, extra=fields)


_pollers: PerProcess[_Subject, _Poller] = PerProcess(_Poller)
"""The threads of this process. A forked child has none, and starts its own."""


def held() -> list[Requested]:
    """The rows that hold a pipeline that this process reads for, or a source of it."""
    return [row for poller in _pollers.values() for row in poller.rows.values() if row.holds]


def asked() -> list[Requested]:
    """All rows of the pipelines that this process reads for."""
    return [row for poller in _pollers.values() for row in poller.rows.values()]


def shares() -> list[Limit]:
    """The limits of this process: its shares of those of the pipelines that it reads for."""
    return [limit for poller in _pollers.values() for limit in poller.limits.values()]


def stop_all() -> None:
    """Stop every thread: the pipelines of this process are over, and what was asked is forgotten."""
    for poller in _pollers.clear():
        poller.stop()
