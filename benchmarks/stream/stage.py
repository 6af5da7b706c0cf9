"""What ``faults`` runs, and the faults that happen to it."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import psycopg

from benchmarks.jobs.outage import Postgres
from benchmarks.kafka.ingestion import Ingestion
from tests.services.kafka_broker import KafkaBroker
from tests.services.tcp_proxy import TcpProxy

LEASE_SECONDS = 8
"""The lease of a process on the jobs that it has claimed."""
MOVES_SECONDS = 30.0
"""How long a fault waits, at most, for the run to recover from the previous one."""
STOP_SECONDS = 120.0
POLL_SECONDS = 0.2


@dataclass
class Stage:
    """What the faults happen to.

    Attributes:
        broker: The broker.
        database: The database, without the proxy.
        proxy: The proxy through which the ingestions connect.
        first: The ingestion that always runs, except during its faults.
        second: An ingestion that runs beside it at times.
        timeline: What happened, and when.
        wrong: Errors that no fault excuses.
    """

    broker: KafkaBroker
    database: Postgres
    proxy: TcpProxy
    first: Ingestion
    second: Ingestion
    started: float = field(default_factory=time.monotonic)
    timeline: list[tuple[float, str]] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def note(self, text: str, since: float | None = None) -> None:
        """Add an event to the timeline, which happens now or began at ``since``."""
        now = time.monotonic() - self.started
        at = now if since is None else since
        line = f"{at:7.1f} s {now - at:5.1f} s  {text}"
        self.timeline.append((at, line))
        print(line, flush=True)

    def settled(self) -> int:
        """How many records the ledger has; 0 while the database is away."""
        try:
            with psycopg.connect(self.database.dsn) as connection:
                row = connection.execute("SELECT sum(read) FROM ingest_progress").fetchone()
        except psycopg.Error:
            return 0
        return int(row[0] or 0) if row else 0

    def until_moves(self, idle: Callable[[float], None], stop: threading.Event) -> None:
        """Wait until something is settled, at most ``MOVES_SECONDS``."""
        before, patience = self.settled(), time.monotonic() + MOVES_SECONDS
        while self.settled() <= before and time.monotonic() < patience and not stop.is_set():
            idle(POLL_SECONDS)

    def supervise(self) -> None:
        """Restart the first ingestion if it has ended by itself."""
        status = self.first.exit_status
        if status is not None:
            self.note(f"the process ended by itself with {status}: {self.last_line()}")
            if status != 1:
                self.wrong.append(f"the process ended by itself with {status}")
            self.first.start()

    def last_line(self) -> str:
        """The last line that the first ingestion has printed."""
        return self.first.tail().strip().rpartition("\n")[2][:300]

    def sleep(self, seconds: float) -> None:
        """Sleep, and keep the first ingestion running."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            self.supervise()
            time.sleep(min(left, POLL_SECONDS))


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that happens, and that is over when its function returns.

    Attributes:
        happen: Lets it happen for this number of seconds; returns a line for the timeline.
        least: Its shortest duration, in seconds.
        most: Its longest duration, in seconds.
    """

    happen: Callable[[Stage, float], str]
    least: float
    most: float


def killed(stage: Stage, seconds: float) -> str:
    """Kill the first ingestion, and restart it."""
    if stage.first.exit_status is None:
        stage.first.kill()
    time.sleep(seconds)
    stage.first.start()
    return "SIGKILL, started again"


def terminated(stage: Stage, seconds: float) -> str:
    """Stop the first ingestion by SIGTERM, and restart it."""
    waited, status = stage.first.terminate(STOP_SECONDS)
    if status not in (0, 1, -signal.SIGTERM):  # -SIGTERM while it is still starting
        stage.wrong.append(f"it ended with {status} after SIGTERM")
    why = f" ({stage.last_line()})" if status == 1 else ""
    time.sleep(seconds)
    stage.first.start()
    return f"SIGTERM, ended with {status}{why} within {waited:.1f} s, started again"


def suspended(stage: Stage, seconds: float) -> str:
    """Suspend the first ingestion, perhaps for longer than its lease."""
    if stage.first.exit_status is None:
        os.kill(stage.first.pid, signal.SIGSTOP)
        time.sleep(seconds)
        os.kill(stage.first.pid, signal.SIGCONT)
    beyond = ", longer than the lease" if seconds > LEASE_SECONDS else ""
    return f"SIGSTOP, SIGCONT{beyond}"


def postgres_killed(stage: Stage, seconds: float) -> str:
    """Crash Postgres, and restart it."""
    stage.database.kill()
    time.sleep(seconds)
    stage.database.start()
    return "Postgres killed by SIGKILL, started again"


def postgres_stopped(stage: Stage, seconds: float) -> str:
    """Stop Postgres at once, and restart it."""
    stage.database.stop()
    time.sleep(seconds)
    stage.database.start()
    return "Postgres stopped at once, started again"


def connections_cut(stage: Stage, seconds: float) -> str:
    """Cut every connection, again and again."""
    until_connected(stage)
    cuts, deadline = 0, time.monotonic() + seconds
    while time.monotonic() < deadline:
        cuts += stage.proxy.cut()
        time.sleep(min(0.5, seconds))
    return f"{cuts} connections cut"


def connections_refused(stage: Stage, seconds: float) -> str:
    """Cut every connection, and refuse new ones."""
    until_connected(stage)
    stage.proxy.refuse()
    cuts = stage.proxy.cut()
    time.sleep(seconds)
    stage.proxy.accept()
    return f"{cuts} connections cut, new ones refused"


def until_connected(stage: Stage) -> None:
    """Wait until there is a connection to cut; the process may be down for a while."""
    patience = time.monotonic() + MOVES_SECONDS
    while not stage.proxy.open and time.monotonic() < patience:
        time.sleep(0.05)


def answer_lost(stage: Stage, seconds: float) -> str:
    """Lose the answer to a COMMIT."""
    stage.proxy.cut_at(b"COMMIT", answered=True)
    deadline = time.monotonic() + seconds
    while stage.proxy.armed and time.monotonic() < deadline:
        time.sleep(0.05)
    lost = "the answer to a commit lost" if not stage.proxy.armed else "no commit came"
    stage.proxy.heal()
    return lost


def table_locked(stage: Stage, seconds: float) -> str:
    """Lock the table against everybody."""
    with psycopg.connect(stage.database.dsn) as connection:
        connection.execute("SET lock_timeout = '20s'")
        try:
            connection.execute("LOCK TABLE events IN ACCESS EXCLUSIVE MODE")
        except psycopg.errors.LockNotAvailable:
            return "no lock on the table within 20 s"
        time.sleep(seconds)
    return "the table locked"


def broker_killed(stage: Stage, seconds: float) -> str:
    """Kill the broker, and restart it."""
    stage.broker.kill()
    time.sleep(seconds)
    stage.broker.start()
    return "broker killed, started again"


def second_process(stage: Stage, seconds: float) -> str:
    """Run a second ingestion beside the first one, and kill it."""
    stage.second.start()
    time.sleep(seconds)
    status = stage.second.exit_status
    if status is None:
        stage.second.kill()
        return "a second process beside it, then killed"
    return f"a second process beside it, ended by itself with {status}"


SERIES: tuple[dict[str, Fault], ...] = (
    {
        "killed": Fault(killed, 0.0, 3.0),
        "terminated": Fault(terminated, 0.0, 3.0),
        "suspended": Fault(suspended, 5.0, 25.0),
    },
    {
        "postgres_killed": Fault(postgres_killed, 1.0, 12.0),
        "postgres_stopped": Fault(postgres_stopped, 1.0, 12.0),
        "connections_cut": Fault(connections_cut, 0.1, 4.0),
        "connections_refused": Fault(connections_refused, 3.0, 15.0),
        "answer_lost": Fault(answer_lost, 15.0, 15.0),
        "table_locked": Fault(table_locked, 3.0, 15.0),
        "broker_killed": Fault(broker_killed, 2.0, 12.0),
        "second_process": Fault(second_process, 10.0, 25.0),
    },
)
"""By name. The faults of one series never overlap; those of different series do."""
