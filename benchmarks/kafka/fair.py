"""One tenant has 99 % of a topic and a backlog, another 1 %: how long the second one waits, with ``--fair``.

    python -m benchmarks.kafka.fair [--rate 5000] [--backlog 90000] [--seconds 40] [--records 400000]

A pipeline that takes ``--rate`` records a second finds a backlog, and while it works on that, half of its
rate is produced. For each record of the small tenant that is produced then, the time from the broker's
timestamp (LogAppendTime) to the commit of its row is measured, with and without ``--fair``. A third run
is killed with SIGKILL in the middle. After each run every record must have been applied once, and the
ledger must have no gap. Last, whole topics are read at full speed, in turns with and without ``--fair``.

The rate is held by ``--max_rate``, where the ingest has that option, or else by a trigger that sleeps.
"""

from __future__ import annotations

import argparse
import random
import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import psycopg

from benchmarks.events_table import check, fresh
from benchmarks.kafka.checks import (
    POLL_SECONDS,
    all_applied_once,
    await_settled,
    count_applications,
    ends,
    settled,
)
from benchmarks.kafka.feed import Feed
from benchmarks.kafka.ingestion import Ingestion
from benchmarks.kafka.latency import append_times, committed_rows, shown
from benchmarks.kafka.services import Services, services
from pipelines.ingestion.flags import parser as ingest_parser

TOPIC = TABLE = "events"
PARTITIONS = 4
GROUP = "fair"
SMALL = 100
"""Every so manieth record is of the small tenant."""

FAIR = ("--fair", "type")
GOAL_SECONDS = 2.0
BACKLOG_RATE = 30_000.0
SHARE = 0.5
"""What is produced meanwhile, as a part of what the pipeline takes."""

HEAD_START_SECONDS = 3.0
"""When more is produced, after the first commit: by then, the small tenant's part of the backlog is settled."""

RESTART_SECONDS = 15.0
"""Records that were produced so long before or after a kill may have waited for the restart."""


@dataclass(frozen=True, slots=True)
class Way:
    """One run of the stream.

    Attributes:
        name: For people.
        flags: Of the ingest.
        kill: Whether the process is killed in the middle.
    """

    name: str
    flags: tuple[str, ...] = ()
    kill: bool = False


WAYS = (
    Way("without --fair"),
    Way("with --fair", FAIR),
    Way("with --fair, killed once", FAIR, kill=True),
)


def main() -> None:
    """Run all; fails if a record of the small tenant waits for too long with ``--fair``."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--rate", type=int, default=5_000)
    parser.add_argument("--backlog", type=int, default=90_000)
    parser.add_argument("--seconds", type=int, default=40)
    parser.add_argument("--records", type=int, default=400_000, help="of each run at full speed")
    parser.add_argument("--rounds", type=int, default=3, help="of runs at full speed")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--ways", type=int, nargs="+", choices=range(len(WAYS)), help="all unless given"
    )
    arguments = parser.parse_args()
    rng = random.Random(arguments.seed)
    longest = 0.0
    for way in WAYS if arguments.ways is None else [WAYS[number] for number in arguments.ways]:
        with services("fair", {"track_commit_timestamp": "on"}) as servers:
            waited = trial(arguments, servers, way, rng)
        if way.flags and not way.kill:
            longest = waited
    if arguments.rounds:
        with services("fair-full") as servers:
            full_speed(arguments, servers)
    if longest > GOAL_SECONDS:
        raise SystemExit(f"a record of the small tenant waited {longest:.1f} s")


def trial(arguments: argparse.Namespace, servers: Services, way: Way, rng: random.Random) -> float:
    """One run of the stream; returns how long the small tenant waited at most, in seconds."""
    bootstrap, rate = servers.broker.bootstrap, arguments.rate * SHARE
    servers.broker.create_topic(TOPIC, PARTITIONS, {"message.timestamp.type": "LogAppendTime"})
    fresh(servers.dsn)
    count_applications(servers.dsn, TABLE, "NEW.user_id")
    produced(servers, "backlog", arguments.backlog, BACKLOG_RATE)
    ingestion = Ingestion(
        *(servers.root / "ingest", servers.uri(TOPIC, f"?group={GROUP}"), servers.dsn, TABLE),
        ("--key", "event_id", *way.flags, *limit(servers, arguments.rate)),
    )
    killed_at: float | None = None
    try:
        ingestion.start()
        while not sum(settled(servers.dsn, TOPIC).values()):
            ingestion.check()
            time.sleep(POLL_SECONDS)
        time.sleep(HEAD_START_SECONDS)
        feed = Feed(
            *(servers.root / "feed", bootstrap, TOPIC, round(arguments.seconds * rate), rate),
            first=arguments.backlog,
            small=SMALL,
        )
        try:
            if way.kill:
                time.sleep(rng.uniform(0.4, 0.6) * arguments.seconds)
                killed_at = time.time()
                ingestion.kill()
                holes = gaps(servers.dsn)
                print(f"{way.name}: {holes} ranges were settled out of order then", flush=True)
                ingestion.start()
            sent = arguments.backlog + feed.finish()["sent"]
        finally:
            feed.close()
        until = ends(bootstrap, TOPIC)
        await_settled(servers.dsn, TOPIC, until, ingestion)
        ingestion.stop()
    finally:
        ingestion.close()
    read = all_applied_once(servers, TOPIC, TABLE, "user_id", GROUP, sent)
    print(f"{way.name}: {sent:,} sent, {read:,} read, {sent:,} rows, each applied once; no gap")
    return waits(arguments.backlog, servers, until, killed_at)


def waits(
    backlog: int, servers: Services, until: Mapping[int, int], killed_at: float | None
) -> float:
    """Print how long the records of each tenant waited; returns the longest wait of the small one."""
    appended = append_times(servers.broker.bootstrap, TOPIC, dict(until))
    kinds = types(servers.dsn)
    seconds: dict[str, list[float]] = {"small": [], "flood": []}
    late: list[float] = []
    first = min(at for key, at in appended.items() if kinds[key][0] >= backlog)
    for key, _, commit in committed_rows(servers.dsn):
        number, kind = kinds[str(key)]
        at = appended[str(key)]
        if number < backlog or (killed_at and abs(at - killed_at) < RESTART_SECONDS):
            continue
        seconds[kind].append(commit - at)
        if kind == "small" and commit - at > GOAL_SECONDS:
            late.append(at - first)
    if min(map(len, seconds.values())) < 2:
        print("  all records were produced while the process was killed or started", flush=True)
        return 0.0
    for kind, values in seconds.items():
        print(f"  {kind}: {len(values):,} records, append to commit: {shown(values)}", flush=True)
    span = f", produced {min(late):.1f} to {max(late):.1f} s after the first" if late else ""
    print(
        f"  of the small tenant, {len(late):,} waited for more than {GOAL_SECONDS:g} s{span}",
        flush=True,
    )
    return max(seconds["small"])


def types(dsn: str) -> dict[str, tuple[int, str]]:
    """Number and type of every event, by its key."""
    with psycopg.connect(dsn) as connection:
        rows = connection.execute("SELECT event_id::text, user_id, type FROM events").fetchall()
    return {key: (number, kind) for key, number, kind in rows}


def gaps(dsn: str) -> int:
    """How many ranges the ledger has beyond the first of each partition."""
    with psycopg.connect(dsn) as connection:
        row = connection.execute(
            "SELECT count(*) - count(DISTINCT partition) FROM ingest_progress"
        ).fetchone()
    assert row is not None
    return int(row[0])


def limit(servers: Services, rate: int) -> Sequence[str]:
    """Let the pipeline take ``rate`` records a second; returns flags of the ingest."""
    if any(action.dest == "max_rate" for action in ingest_parser().actions()):
        return ("--max_rate", str(rate))
    with psycopg.connect(servers.dsn, autocommit=True) as connection:
        # One sleeps at a time, and without holding anybody up at the commit.
        connection.execute(
            "CREATE FUNCTION slow_down() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
            "PERFORM pg_advisory_lock(1); "
            f"PERFORM pg_sleep((SELECT count(*) FROM news) / {rate}.0); "
            "PERFORM pg_advisory_unlock(1); RETURN NULL; END $$"
        )
        connection.execute(
            f"CREATE TRIGGER slow_down AFTER INSERT ON {TABLE} REFERENCING NEW TABLE AS news "
            "FOR EACH STATEMENT EXECUTE FUNCTION slow_down()"
        )
    return ()


def produced(servers: Services, name: str, records: int, rate: float) -> None:
    """Fill the topic with events from number 0 on."""
    feed = Feed(*(servers.root / name, servers.broker.bootstrap, TOPIC, records, rate), small=SMALL)
    try:
        feed.finish()
    finally:
        feed.close()


def full_speed(arguments: argparse.Namespace, servers: Services) -> None:
    """Stream the same topic again and again, with and without ``--fair``, and print the rates."""
    servers.broker.create_topic(TOPIC, PARTITIONS)
    produced(servers, "full", arguments.records, BACKLOG_RATE)
    fresh(servers.dsn)
    rates: dict[tuple[str, ...], list[float]] = {(): [], FAIR: []}
    for number in range(arguments.rounds):
        for flags, values in rates.items():
            name = f"full-{number}-{len(flags)}"
            values.append(one_load(servers, name, flags, arguments.records))
    for flags, values in rates.items():
        texts = ", ".join(f"{each:,.0f}" for each in values)
        print(f"at full speed {' '.join(flags) or 'without --fair'}: {texts} records/s")
    ratio = statistics.median(rates[FAIR]) / statistics.median(rates[()])
    print(f"with --fair at {ratio:.0%} of the rate without (medians)", flush=True)


def one_load(servers: Services, name: str, flags: tuple[str, ...], records: int) -> float:
    """Stream all of the topic under a new name; returns records a second, without the start."""
    with psycopg.connect(servers.dsn, autocommit=True) as connection:
        connection.execute("TRUNCATE events")
        connection.execute("CHECKPOINT")
    source = servers.uri(TOPIC)
    ingestion = Ingestion(
        *(servers.root / name, source, servers.dsn, TABLE),
        ("--key", "event_id", "--pipeline", name, *flags),
    )
    begun: tuple[float, int] | None = None
    try:
        ingestion.start()
        while (reached := settled_by(servers.dsn, name)) < records:
            if begun is None and reached:
                begun = time.monotonic(), reached
            ingestion.check()
            time.sleep(POLL_SECONDS)
        assert begun is not None
        rate = (records - begun[1]) / (time.monotonic() - begun[0])
        ingestion.stop()
    finally:
        ingestion.close()
    check(servers.dsn, records)
    return rate


def settled_by(dsn: str, pipeline: str) -> int:
    """How many records a pipeline has settled."""
    with psycopg.connect(dsn) as connection:
        if connection.execute("SELECT to_regclass('ingest_progress')").fetchone() == (None,):
            return 0
        row = connection.execute(
            "SELECT coalesce(sum(read), 0) FROM ingest_progress WHERE pipeline = %s", (pipeline,)
        ).fetchone()
    assert row is not None
    return int(row[0])


if __name__ == "__main__":
    main()
