"""Put a stream under random faults, and check it by counts from outside.

    python -m benchmarks.stream.faults [--minutes 15] [--rate 1500] [--seed N]
        [--on_conflict ignore|update]

``pipelines.ingest --streaming`` reads a topic of several partitions into Postgres through a proxy,
while a producer feeds duplicates, changes and six kinds of broken records (``records``). Two series of
random faults run side by side: faults of the process (killed, stopped by SIGTERM, suspended) and faults
around it (Postgres crashed, connections cut or refused, the answer to a commit lost, the table locked,
the broker killed, a second process). When everything is read and no retry waits, every produced offset
must be accounted for once (``check``); otherwise it exits with 1.
"""

from __future__ import annotations

import argparse
import json
import random
import secrets
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import psycopg

from benchmarks.jobs.outage import postgres
from benchmarks.kafka.checks import ends, settled
from benchmarks.kafka.ingestion import Ingestion
from benchmarks.stream.check import APPLIED, Findings, check
from benchmarks.stream.feed import feed
from benchmarks.stream.records import SCHEMA, TABLE, Plan, records
from benchmarks.stream.schedule import schedule
from benchmarks.stream.stage import LEASE_SECONDS, POLL_SECONDS, SERIES, STOP_SECONDS, Fault, Stage
from tests.services.kafka_broker import KafkaBroker, available
from tests.services.tcp_proxy import TcpProxy

TOPIC, PARTITIONS = "stream", 4
TABLE_NAME = "events"
ATTEMPTS, BASE_SECONDS, CAP_SECONDS = 10, 1, 4
"""A record whose parent is missing is tried for at least 15 seconds; its parent is produced within 3. Where the
parent's partition is read later than that, the record is rightly a dead letter (``check``)."""
REACH_SECONDS = 3.0
STALLED_SECONDS = 120.0
"""After the faults, a longer standstill is an error."""


def series(
    stage: Stage,
    faults: Mapping[str, Fault],
    rng: random.Random,
    idle: Callable[[float], None],
    stop: threading.Event,
) -> Counter[str]:
    """Let faults happen, one after the other; returns how often each happened.

    Args:
        stage: What they happen to.
        faults: By name.
        rng: Chooses among them.
        idle: Waits for this number of seconds.
        stop: Ends the series, after the current fault.
    """
    done: Counter[str] = Counter()
    lasting = {name: (fault.least, fault.most) for name, fault in faults.items()}
    for planned in schedule(rng, lasting):
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
    """The servers and ingestions, all ended afterwards."""
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


def run(arguments: argparse.Namespace, stage: Stage, log: Path) -> Findings:
    """Feed under faults, drain, check."""
    plan = Plan(
        seed=arguments.seed,
        records=round(arguments.minutes * 60 * arguments.rate),
        partitions=PARTITIONS,
        reach=round(REACH_SECONDS * arguments.rate),
    )
    chosen = [
        {name: fault for name, fault in each.items() if name in arguments.faults} for each in SERIES
    ]
    chances = [random.Random(f"{arguments.seed} {number}") for number in range(len(SERIES))]
    stop = threading.Event()
    stage.first.start()
    stage.started = time.monotonic()
    stream = records(plan)
    bootstrap = stage.broker.bootstrap
    with ThreadPoolExecutor(3) as pool:
        feeding = pool.submit(feed, bootstrap, TOPIC, stream, arguments.rate, log, stop)
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
    findings = check(
        stage.database.dsn, TOPIC, log, until, update=arguments.on_conflict == "update"
    )
    findings.other[:0] = stage.wrong
    print("\n" + "\n".join(line for _, line in sorted(stage.timeline)))
    summary(sent, happened, findings)
    return findings


def watch(stage: Stage, feeding: Future[int], happening: Sequence[Future[Counter[str]]]) -> None:
    """Wait until everything is produced; raises the error of a series that fails."""
    while not feeding.done():
        for outcome in happening:
            if outcome.done():
                outcome.result()
        time.sleep(POLL_SECONDS)


def drain(stage: Stage, until: dict[int, int]) -> None:
    """Wait until everything is settled and no retry waits, then stop the ingestion by SIGTERM."""
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
    """How many jobs wait or are at an attempt, and how many attempts they have used."""
    with psycopg.connect(dsn) as connection:
        row = connection.execute(
            "SELECT count(*), coalesce(sum(attempt), 0) FROM ingest_jobs "
            "WHERE state NOT IN ('completed', 'discarded', 'cancelled')"
        ).fetchone()
    return (int(row[0]), int(row[1])) if row else (0, 0)


def summary(sent: int, happened: Counter[str], findings: Findings) -> None:
    """Print the faults, the fates of the records, and what is wrong."""
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
    """Run it; returns 1 if an offset is not accounted for."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--minutes", type=float, default=15.0, help="of feeding")
    parser.add_argument("--rate", type=float, default=1_500.0, help="records a second")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(1_000_000))
    parser.add_argument("--on_conflict", choices=("ignore", "update"), default="ignore")
    names = [name for each in SERIES for name in each]
    parser.add_argument("--faults", nargs="*", choices=names, default=names)
    arguments = parser.parse_args()
    missing = available()
    if missing is not None:
        raise SystemExit(f"no Kafka broker can be started here: {missing}")
    print(f"--seed {arguments.seed} --on_conflict {arguments.on_conflict}", flush=True)
    with tempfile.TemporaryDirectory(prefix="stream-faults-") as folder:
        root = Path(folder)
        with staged(root, arguments.on_conflict) as stage:
            findings = run(arguments, stage, root / "produced.jsonl")
    return 0 if findings.ok else 1


if __name__ == "__main__":
    sys.exit(main())
