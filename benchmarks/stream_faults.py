"""A stream under random faults, held to account by counts from outside.

    python -m benchmarks.stream_faults [--minutes 15] [--rate 1500] [--seed N]
        [--on_conflict ignore|update]

``pipelines.ingest --streaming`` reads a topic of several partitions into Postgres through a
proxy, while a producer feeds duplicates, changes and six kinds of broken records
(``stream_records``). Two series of random faults run side by side: those of the process (killed,
stopped by SIGTERM, suspended) and those around it (Postgres crashed, connections cut or refused,
a commit's answer lost, the table locked, the broker killed, a second process). When all is read
and no retry waits, every offset that was produced must be accounted for once
(``stream_check``). Exit 1 when one is not.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import secrets
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

from benchmarks.kafka_checks import ends, settled
from benchmarks.kafka_ingestion import Ingestion
from benchmarks.outage import Postgres, postgres
from benchmarks.stream_check import APPLIED, Findings, check
from benchmarks.stream_feed import feed
from benchmarks.stream_records import SCHEMA, TABLE, Plan, records
from tests.services.kafka_broker import KafkaBroker, available
from tests.services.tcp_proxy import TcpProxy

TOPIC, PARTITIONS = "stream", 4
TABLE_NAME = "events"
LEASE_SECONDS = 8
ATTEMPTS, BASE_SECONDS, CAP_SECONDS = 10, 1, 4
"""Of a record whose parent is missing: 15 seconds at least, and the parent comes within 3."""
REACH_SECONDS = 3.0
GAP_SECONDS = (3.0, 12.0)
"""Between two faults of a series."""
RUSHED = 0.25
"""Share of the faults that do not wait until the last one is got over."""
MOVES_SECONDS = 30.0
"""How long the others wait for that."""
STALLED_SECONDS = 120.0
"""After the faults, something must have moved within so long."""
STOP_SECONDS = 120.0
POLL_SECONDS = 0.2


@dataclass
class Stage:
    """What the faults happen to.

    Attributes:
        broker: The broker.
        database: The database, also without the proxy.
        proxy: What the ingestions connect through.
        first: The ingestion that always runs, but for its faults.
        second: One that runs beside it at times.
        timeline: What happened, and when.
        wrong: What must not happen, whatever the faults are.
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
        """Add to the timeline what happens now, or has happened since then."""
        now = time.monotonic() - self.started
        at = now if since is None else since
        line = f"{at:7.1f} s {now - at:5.1f} s  {text}"
        self.timeline.append((at, line))
        print(line, flush=True)

    def settled(self) -> int:
        """How many records the ledger has; 0 while it cannot be asked."""
        try:
            with psycopg.connect(self.database.dsn) as connection:
                row = connection.execute("SELECT sum(read) FROM ingest_progress").fetchone()
        except psycopg.Error:
            return 0
        return int(row[0] or 0) if row else 0

    def until_moves(self, idle: Callable[[float], None], stop: threading.Event) -> None:
        """Wait until something is settled, but not for long."""
        before, patience = self.settled(), time.monotonic() + MOVES_SECONDS
        while self.settled() <= before and time.monotonic() < patience and not stop.is_set():
            idle(POLL_SECONDS)

    def supervise(self) -> None:
        """Start the first ingestion again if it has ended by itself."""
        status = self.first.exit_status
        if status is not None:
            line = self.first.tail().strip().rpartition("\n")[2]
            self.note(f"the process ended by itself with {status}: {line[:300]}")
            if status != 1:
                self.wrong.append(f"the process ended by itself with {status}")
            self.first.start()

    def sleep(self, seconds: float) -> None:
        """Wait, and keep the first ingestion running."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            self.supervise()
            time.sleep(min(left, POLL_SECONDS))


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that happens, and is over when its function returns.

    Attributes:
        happen: Does it; the seconds are how long it lasts.
        least: Shortest, in seconds.
        most: Longest.
    """

    happen: Callable[[Stage, float], str]
    least: float
    most: float


def killed(stage: Stage, seconds: float) -> str:
    if stage.first.exit_status is None:
        stage.first.kill()
    time.sleep(seconds)
    stage.first.start()
    return "SIGKILL, started again"


def terminated(stage: Stage, seconds: float) -> str:
    waited, status = stage.first.terminate(STOP_SECONDS)
    if status not in (0, 1, -signal.SIGTERM):  # the last one as long as it is starting
        stage.wrong.append(f"it ended with {status} after SIGTERM")
    time.sleep(seconds)
    stage.first.start()
    return f"SIGTERM, ended with {status} within {waited:.1f} s, started again"


def suspended(stage: Stage, seconds: float) -> str:
    if stage.first.exit_status is None:
        os.kill(stage.first.pid, signal.SIGSTOP)
        time.sleep(seconds)
        os.kill(stage.first.pid, signal.SIGCONT)
    beyond = ", longer than the lease" if seconds > LEASE_SECONDS else ""
    return f"SIGSTOP, SIGCONT{beyond}"


def postgres_killed(stage: Stage, seconds: float) -> str:
    stage.database.kill()
    time.sleep(seconds)
    stage.database.start()
    return "Postgres killed by SIGKILL, started again"


def postgres_stopped(stage: Stage, seconds: float) -> str:
    stage.database.stop()
    time.sleep(seconds)
    stage.database.start()
    return "Postgres stopped at once, started again"


def connections_cut(stage: Stage, seconds: float) -> str:
    cuts, deadline = 0, time.monotonic() + seconds
    while time.monotonic() < deadline:
        cuts += stage.proxy.cut()
        time.sleep(min(0.5, seconds))
    return f"{cuts} connections cut"


def connections_refused(stage: Stage, seconds: float) -> str:
    stage.proxy.refuse()
    cuts = stage.proxy.cut()
    time.sleep(seconds)
    stage.proxy.accept()
    return f"{cuts} connections cut, new ones refused"


def answer_lost(stage: Stage, seconds: float) -> str:
    stage.proxy.cut_at(b"COMMIT", answered=True)
    deadline = time.monotonic() + seconds
    while stage.proxy.armed and time.monotonic() < deadline:
        time.sleep(0.05)
    lost = "the answer to a commit lost" if not stage.proxy.armed else "no commit came"
    stage.proxy.heal()
    return lost


def table_locked(stage: Stage, seconds: float) -> str:
    with psycopg.connect(stage.database.dsn) as connection:
        connection.execute("SET lock_timeout = '20s'")
        try:
            connection.execute("LOCK TABLE events IN ACCESS EXCLUSIVE MODE")
        except psycopg.errors.LockNotAvailable:
            return "no lock on the table within 20 s"
        time.sleep(seconds)
    return "the table locked"


def broker_killed(stage: Stage, seconds: float) -> str:
    stage.broker.kill()
    time.sleep(seconds)
    stage.broker.start()
    return "broker killed, started again"


def second_process(stage: Stage, seconds: float) -> str:
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
"""By name; the faults of a series never overlap, those of two do."""


@dataclass(frozen=True, slots=True)
class Planned:
    """A fault that is to come.

    Attributes:
        name: Which one.
        rushed: Whether it comes even if nothing is settled since the one before.
        gap: Seconds to wait first.
        lasting: How long it lasts.
    """

    name: str
    rushed: bool
    gap: float
    lasting: float


def schedule(rng: random.Random, faults: Mapping[str, Fault]) -> Iterator[Planned]:
    """Faults without end; each comes once in a round."""
    while faults:
        for name in rng.sample(list(faults), len(faults)):
            lasting = rng.uniform(faults[name].least, faults[name].most)
            yield Planned(name, rng.random() < RUSHED, rng.uniform(*GAP_SECONDS), lasting)


def series(
    stage: Stage,
    faults: Mapping[str, Fault],
    rng: random.Random,
    idle: Callable[[float], None],
    stop: threading.Event,
) -> Counter[str]:
    """Let faults happen, one after the other; returns how often each did.

    Args:
        stage: What they happen to.
        faults: By name.
        rng: Chooses.
        idle: Waits for so many seconds.
        stop: Ends it after the fault that happens.
    """
    done: Counter[str] = Counter()
    for planned in schedule(rng, faults):
        if not planned.rushed:
            stage.until_moves(idle, stop)
        due = time.monotonic() + planned.gap
        while (left := due - time.monotonic()) > 0 and not stop.is_set():
            idle(min(left, POLL_SECONDS))
        if stop.is_set():
            break
        at = time.monotonic() - stage.started
        stage.note(faults[planned.name].happen(stage, planned.lasting), at)
        done[planned.name] += 1
    return done


@contextmanager
def staged(root: Path, on_conflict: str) -> Iterator[Stage]:
    """Services and ingestions, all ended afterwards."""
    with (
        postgres(root) as database,
        KafkaBroker() as broker,
        TcpProxy(f"{database.folder}/.s.PGSQL.5432") as proxy,
    ):
        broker.create_topic(TOPIC, PARTITIONS)
        with psycopg.connect(database.dsn, autocommit=True) as connection:
            connection.execute(TABLE)
            connection.execute(APPLIED)
        schema = root / "schema.json"
        schema.write_text(json.dumps(SCHEMA))
        options = (
            *("--key", "id", "--schema", str(schema), "--on_conflict", on_conflict),
            *("--max_attempts", str(ATTEMPTS), "--backoff_base", str(BASE_SECONDS)),
            *("--backoff_cap", str(CAP_SECONDS), "--job_lease", str(LEASE_SECONDS)),
        )
        sink = f"postgresql://postgres@127.0.0.1:{proxy.port}/postgres"
        source = f"kafka://{broker.bootstrap}/{TOPIC}?group=faults"
        first = Ingestion(root / "first", source, sink, TABLE_NAME, options)
        second = Ingestion(root / "second", source, sink, TABLE_NAME, options)
        try:
            yield Stage(broker, database, proxy, first, second)
        finally:
            first.close()
            second.close()


def run(given: argparse.Namespace, stage: Stage, log: Path) -> Findings:
    """Feed under faults, drain, check."""
    plan = Plan(
        seed=given.seed,
        records=round(given.minutes * 60 * given.rate),
        partitions=PARTITIONS,
        reach=round(REACH_SECONDS * given.rate),
    )
    chosen = [
        {name: fault for name, fault in each.items() if name in given.faults} for each in SERIES
    ]
    chances = [random.Random(f"{given.seed} {number}") for number in range(len(SERIES))]
    stop = threading.Event()
    stage.first.start()
    stage.started = time.monotonic()
    made = records(plan)
    bootstrap = stage.broker.bootstrap
    with ThreadPoolExecutor(3) as pool:
        feeding = pool.submit(feed, bootstrap, TOPIC, made, given.rate, log, stop)
        happening = [
            pool.submit(series, stage, faults, rng, idle, stop)
            for faults, rng, idle in zip(chosen, chances, (stage.sleep, time.sleep), strict=True)
        ]
        try:
            watch(stage, feeding, happening)
        finally:
            stop.set()
        sent = feeding.result()
        happened = sum((each.result() for each in happening), Counter[str]())
    stage.note(f"{sent:,} records produced and confirmed; no more faults")
    until = ends(bootstrap, TOPIC)
    drain(stage, until)
    findings = check(stage.database.dsn, TOPIC, log, until, update=given.on_conflict == "update")
    findings.other[:0] = stage.wrong
    print("\n" + "\n".join(line for _, line in sorted(stage.timeline)))
    summary(sent, happened, findings)
    return findings


def watch(stage: Stage, feeding: Future[int], happening: Sequence[Future[Counter[str]]]) -> None:
    """Wait until all is produced; fail as soon as something else does."""
    while not feeding.done():
        for each in happening:
            if each.done():
                each.result()
        time.sleep(POLL_SECONDS)


def drain(stage: Stage, until: dict[int, int]) -> None:
    """Wait until all is settled and no retry waits, then stop the ingestion by SIGTERM."""
    dsn = stage.database.dsn
    last, moved = (-1, -1, -1), time.monotonic()
    while True:
        stage.supervise()
        lag = sum(until.values()) - sum(settled(dsn, TOPIC).values())
        waiting, attempts = retries(dsn)
        if not lag and last[0]:
            stage.note(f"lag 0, {waiting:,} retries wait")
        if not lag and not waiting:
            stage.note("no retry waits")
            break
        if (lag, waiting, attempts) != last:
            last, moved = (lag, waiting, attempts), time.monotonic()
        if time.monotonic() > moved + STALLED_SECONDS:
            stage.wrong.append(
                f"nothing has moved for {STALLED_SECONDS:.0f} s without a fault: "
                f"lag {lag:,}, {waiting:,} retries wait"
            )
            break
        time.sleep(POLL_SECONDS)
    seconds, status = stage.first.terminate(STOP_SECONDS)
    stage.note(f"SIGTERM, ended with {status} within {seconds:.1f} s")
    if status:
        stage.wrong.append(f"it ended with {status} after SIGTERM:\n{stage.first.tail()}")


def retries(dsn: str) -> tuple[int, int]:
    """How many jobs wait or are at an attempt, and how many attempts they have behind them."""
    with psycopg.connect(dsn) as connection:
        row = connection.execute(
            "SELECT count(*), coalesce(sum(attempt), 0) FROM ingest_jobs "
            "WHERE state NOT IN ('completed', 'discarded', 'cancelled')"
        ).fetchone()
    return (int(row[0]), int(row[1])) if row else (0, 0)


def summary(sent: int, happened: Counter[str], findings: Findings) -> None:
    faults = ", ".join(f"{name} {times}" for name, times in sorted(happened.items()))
    print(f"\nfaults: {faults or 'none'}")
    for kind in sorted({kind for kind, _ in findings.counts}):
        fates = {fate: n for (each, fate), n in sorted(findings.counts.items()) if each == kind}
        print(f"  {kind}: " + ", ".join(f"{n:,} {fate}" for fate, n in fates.items()))
    if findings.ok:
        print(f"{sent:,} offsets, every one accounted for once; audit without a gap")
    for line in findings.lines():
        print(line)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--minutes", type=float, default=15.0, help="of feeding")
    parser.add_argument("--rate", type=float, default=1_500.0, help="records a second")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(1_000_000))
    parser.add_argument("--on_conflict", choices=("ignore", "update"), default="ignore")
    names = [name for each in SERIES for name in each]
    parser.add_argument("--faults", nargs="*", choices=names, default=names)
    given = parser.parse_args()
    missing = available()
    if missing is not None:
        raise SystemExit(f"no Kafka broker can be started here: {missing}")
    print(f"--seed {given.seed} --on_conflict {given.on_conflict}", flush=True)
    with tempfile.TemporaryDirectory(prefix="stream-faults-") as folder:
        root = Path(folder)
        with staged(root, given.on_conflict) as stage:
            findings = run(given, stage, root / "produced.jsonl")
    return 0 if findings.ok else 1


if __name__ == "__main__":
    sys.exit(main())
