"""Stop a writer of objects beyond its time, and take the S3 service away, in the middle of a stream.

    python -m benchmarks.routes.faults [--rounds 6] [--portion 40000] [--away 20] [--seed 1]
        [--part stopped|away|compacted]

``stopped``: a process is suspended (SIGSTOP) while it writes objects, in every other round with an upload
on its way. A second process reads on, ``sluice compact`` merges the objects, and then the first one
continues. It must not bring back anything: the manifest names each record once, no object that was
there has another content, and each object that is there is one that the database knows. Once what was
replaced need not be kept any more, the listing is the manifest.

``compacted``: ``sluice compact`` is killed at random points, and then runs to its end. The records stay
the same, and what it has replaced is gone.

``away``: MinIO is killed in mid-run and comes back. The run must end with exit code 0, and with exactly the
records.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path
from urllib.parse import urlsplit

import psycopg

from benchmarks.kafka.ingestion import Ingestion
from benchmarks.routes.expected import Expected, expected
from benchmarks.routes.kills import adds_nothing, report, settled, whole_run
from benchmarks.routes.lake import Lake, Manifest, state_differences
from benchmarks.routes.records import Plan, records
from benchmarks.routes.stage import (
    LEASE_PATIENCE_SECONDS,
    Run,
    Stage,
    compact,
    compact_command,
    compared,
    conclude,
    stage,
    truth,
)
from tests.services.tcp_proxy import TcpProxy
from tests.waiting import wait_until

TOPIC = "events"
PATIENCE_SECONDS = 180.0
SHOWN = 10
"""Differences that are shown when the patience has ended."""
OUTAGE_BUDGET = "300"
KEEP = ("--target_bytes", "256MB", "--keep", "1h")
KEEP_NOTHING = ("--target_bytes", "256MB", "--keep", "0s")


def main() -> None:
    """Run the parts, one after the other."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--portion", type=int, default=40_000, help="records of a round")
    parser.add_argument("--away", type=float, default=20.0, help="seconds without the service")
    parser.add_argument("--records", type=int, default=1_000_000, help="of the other parts")
    parser.add_argument("--kills", type=int, default=5, help="of sluice compact")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--part", choices=PARTS, help="only this one")
    arguments = parser.parse_args()
    for name, part in PARTS.items():
        if arguments.part in (None, name):
            print(f"## {name}", flush=True)
            with stage(f"routes-{name}") as services:
                part(services, arguments)


class Topic:
    """The topic, to which a portion is produced at a time.

    Attributes:
        sent: How many records it has.
    """

    def __init__(self, services: Stage, plan: Plan) -> None:
        self._broker = services.servers.broker
        self._plan = plan
        self._stream = records(plan)
        self._broker.create_topic(TOPIC, plan.partitions)
        self.sent = 0

    def feed(self, count: int) -> None:
        """Produce the next ``count`` records."""
        portion = islice(self._stream, count)
        self.sent += self._broker.produce(
            TOPIC, ((None, record.raw, record.partition) for record in portion)
        )

    def must_be(self) -> Expected:
        """What must have become of all that was sent."""
        stream = islice(records(self._plan), self.sent)
        return expected(stream, tables=False, objects=True)


def stopped(services: Stage, arguments: argparse.Namespace) -> None:
    """Suspend the first process again and again, and let the second one take over."""
    rng = random.Random(arguments.seed)
    plan = Plan(4 * arguments.rounds * arguments.portion, seed=arguments.seed)
    topic = Topic(services, plan)
    run = services.run("stopped", "objects")
    with TcpProxy(_address(services)) as proxy, two(services, run, proxy) as (first, second):
        first.start()
        topic.feed(arguments.portion // 10)
        _await_all(run, topic, first)
        for number in range(1, arguments.rounds + 1):
            in_upload = number % 2 == 0
            feed = partial(topic.feed, arguments.portion)
            suspend(run, first, proxy, feed, rng, in_upload=in_upload)
            at = settled(run)
            print(f"round {number}: suspended at {at:,} of {topic.sent:,} settled", flush=True)
            second.start()
            _await_all(run, topic, second)
            conclude(compared(run, topic.must_be()))
            compact(run, *KEEP)
            check_return(run, topic, first, second, proxy, arguments.portion)
            second.stop()
            topic.feed(arguments.portion // 10)  # for the first one alone: it works again
            _await_all(run, topic, first)
            how = "with an upload on its way" if in_upload else "at random"
            print(f"round {number}: suspended {how}, {at:,} settled; nothing came back", flush=True)
        first.stop()
    compact(run, *KEEP_NOTHING)
    must_be = topic.must_be()
    conclude([*compared(run, must_be), *left_over(run)])
    report(f"{arguments.rounds} times suspended", must_be)


def suspend(
    run: Run,
    first: Ingestion,
    proxy: TcpProxy,
    feed: Callable[[], None],
    rng: random.Random,
    *,
    in_upload: bool,
) -> None:
    """Feed records and suspend the first process: at random, or while its upload is not answered."""
    _await(lambda: intents(run) == 0, "nothing is on its way", first)
    if in_upload:
        proxy.stall()
        feed()
        _await(lambda: intents(run) > 0, "an upload is on its way", first)
    else:
        feed()
        time.sleep(rng.uniform(0.0, 1.0))
    os.kill(first.pid, signal.SIGSTOP)


def check_return(
    run: Run, topic: Topic, first: Ingestion, second: Ingestion, proxy: TcpProxy, portion: int
) -> None:
    """Let the first one continue, and check that it brings back nothing."""
    lake = _lake(run)
    old, was_there = lake.manifest(), lake.listing()
    proxy.heal()
    os.kill(first.pid, signal.SIGCONT)
    topic.feed(portion)
    _await_all(run, topic, second)
    first.check()
    now, is_there = lake.manifest(), lake.listing()
    conclude(compared(run, topic.must_be()))
    conclude(list(brought_back(run, old, was_there, now, is_there)))


def brought_back(
    run: Run,
    old: Manifest,
    was_there: Mapping[str, str],
    now: Manifest,
    is_there: Mapping[str, str],
) -> Iterator[str]:
    """What is there again or has changed, in lines for people."""
    if now.number <= old.number:
        yield f"the manifest has number {now.number} after {old.number}"
    for name in sorted((was_there.keys() - old.names) & now.names):
        yield f"{name} was replaced and is in the manifest again"
    for name in sorted(was_there.keys() & is_there.keys()):
        if was_there[name] != is_there[name]:
            yield f"{name} had ETag {was_there[name]} and has {is_there[name]}"
    for name in sorted(is_there.keys() - now.names - known_to(run)):
        yield f"{name} is there, and the database does not know it"


def known_to(run: Run) -> set[str]:
    """The names of all objects that the database has, in whatever state, and of open intents."""
    with psycopg.connect(run.url) as connection:
        names = {name for (name,) in connection.execute("SELECT name FROM ingest_objects")}
        for (objects,) in connection.execute("SELECT objects FROM ingest_intents"):
            names |= {name for _sink, _target, name in objects}
    return names


def intents(run: Run) -> int:
    """How many intents are open; 0 before there is a table of them."""
    with psycopg.connect(run.url) as connection, suppress(psycopg.errors.UndefinedTable):
        row = connection.execute("SELECT count(*) FROM ingest_intents").fetchone()
        assert row is not None
        return int(row[0])
    return 0


@contextmanager
def two(services: Stage, run: Run, proxy: TcpProxy) -> Iterator[tuple[Ingestion, Ingestion]]:
    """Two processes of one pipeline, not started; the first reaches the service by the proxy."""
    through = replace(run, lake=replace(_lake(run), endpoint=f"http://127.0.0.1:{proxy.port}"))
    source = services.servers.uri(TOPIC, "?group=stopped")
    first = streaming(services.servers.root / "first", through, source)
    second = streaming(services.servers.root / "second", run, source)
    try:
        yield first, second
    finally:
        first.close()
        second.close()


def streaming(folder: Path, run: Run, source: str) -> Ingestion:
    """A streaming process of a run, not started."""
    more = run.routing()
    return Ingestion(folder, source, run.url, None, [*more, "--outage_budget", OUTAGE_BUDGET])


def away(services: Stage, arguments: argparse.Namespace) -> None:
    """Kill MinIO in the middle of a run, and start it again."""
    assert services.minio is not None
    plan = Plan(arguments.records, seed=arguments.seed)
    services.fill(TOPIC, plan)
    run = services.run("away", "both")
    source = services.servers.uri(TOPIC, "?until=latest")
    summary = services.servers.root / "summary.json"
    log = services.servers.root / "away.log"
    command = [*run.command(source, summary), "--outage_budget", OUTAGE_BUDGET]
    with (
        log.open("wb") as output,
        subprocess.Popen(command, stdout=output, stderr=output) as process,
    ):
        try:

            def alive() -> bool:
                return process.poll() is None

            wait_until(lambda: settled(run) > plan.records // 5, "a fifth is settled", alive=alive)
            services.minio.kill()
            at = settled(run)
            time.sleep(arguments.away)
            assert process.poll() is None, f"the run has ended:\n{log.read_text()[-4_000:]}"
            meanwhile = settled(run) - at
            services.minio.start()
            back = time.monotonic()
            wait_until(lambda: settled(run) > at + meanwhile, "it goes on", alive=alive)
            print(
                f"MinIO away for {arguments.away:.0f} s at {at:,} settled, {meanwhile:,} more "
                f"meanwhile; goes on {time.monotonic() - back:.1f} s after its return",
                flush=True,
            )
            status = process.wait()
        finally:
            process.kill()
    assert status == 0, f"the run ended with {status}:\n{log.read_text()[-4_000:]}"
    must_be = truth(plan, "both")
    conclude(compared(run, must_be))
    adds_nothing(run, source, summary, must_be)
    report(f"MinIO away for {arguments.away:.0f} s", must_be)


def compacted(services: Stage, arguments: argparse.Namespace) -> None:
    """Kill compactions at random, and let one run to its end."""
    rng = random.Random(arguments.seed)
    plan = Plan(arguments.records, seed=arguments.seed)
    services.fill(TOPIC, plan)
    run = services.run("compacted", "objects")
    source = services.servers.uri(TOPIC, "?until=latest")
    whole_run(run, source, services.servers.root / "summary.json")
    must_be = truth(plan, "objects")
    conclude(compared(run, must_be))
    before = len(_lake(run).manifest().entries)
    for number in range(1, arguments.kills + 1):
        if not killed_compaction(run, rng.uniform(0.8, 4.0)):
            print(f"finished before kill {number}", flush=True)
            break
        objects = len(_lake(run).manifest().entries)
        print(f"compaction killed with {objects:,} objects in the manifest", flush=True)
    compact(run, *KEEP_NOTHING)
    conclude([*compared(run, must_be), *left_over(run)])
    after = len(_lake(run).manifest().entries)
    assert after < before, f"{before:,} objects became {after:,}"
    report(f"{before:,} objects compacted to {after:,}", must_be)


def killed_compaction(run: Run, seconds: float) -> bool:
    """Kill a compaction after ``seconds``; False if it ended before, with 0.

    One that is refused, since the one that was killed before it still has its lease, does not count.
    """
    deadline = time.monotonic() + LEASE_PATIENCE_SECONDS
    while True:
        with subprocess.Popen(compact_command(run, *KEEP), stdout=subprocess.DEVNULL) as process:
            try:
                status = process.wait(seconds)
            except subprocess.TimeoutExpired:
                process.kill()
                return True
        if status == 0:
            return False
        assert time.monotonic() < deadline, f"sluice compact ended with {status}"
        time.sleep(1)


def left_over(run: Run) -> list[str]:
    """What is there and not in the manifest, in lines for people."""
    names, listing = _lake(run).manifest().names, _lake(run).listing()
    return [f"{name} is there and not in the manifest" for name in sorted(listing.keys() - names)]


PARTS = {"stopped": stopped, "compacted": compacted, "away": away}


def _lake(run: Run) -> Lake:
    assert run.lake is not None
    return run.lake


def _address(services: Stage) -> tuple[str, int]:
    assert services.minio is not None
    port = urlsplit(services.minio.url).port
    assert port is not None
    return "127.0.0.1", port


def _await(condition: Callable[[], bool], what: str, ingestion: Ingestion) -> None:
    """Wait for a condition while ``ingestion`` runs."""

    def ends() -> bool:
        ingestion.check()
        return condition()

    wait_until(ends, what, seconds=PATIENCE_SECONDS)


def _await_all(run: Run, topic: Topic, ingestion: Ingestion) -> None:
    """Wait until all that was sent is settled, and the manifest names it."""
    _await(lambda: settled(run) == topic.sent, "all is settled", ingestion)
    try:
        _await(lambda: not _unpublished(run), "the manifest names what is settled", ingestion)
    except AssertionError as error:
        raise AssertionError("\n".join([str(error), *left(run), ingestion.tail()])) from None


def left(run: Run) -> Iterator[str]:
    """What is not settled or not published, in lines for people."""
    yield from _unpublished(run)[:SHOWN]
    with psycopg.connect(run.url) as connection:
        for row in connection.execute(_INTENTS):
            yield "intent of {} {}, [{}, {}), fence {}, {} s old, claimed: {}".format(*row)
        for row in connection.execute(_OBJECTS):
            yield "{} objects {}, pending: {}, published at most by manifest {}".format(*row)
        for row in connection.execute("SELECT number, published_at FROM ingest_manifests"):
            yield "manifest {} of {}".format(*row)
        for row in connection.execute(_SESSIONS):
            yield "session {}: {} for {} s: {}".format(*row)


_INTENTS = """
    SELECT i.source, i.partition, i.start_offset, i.end_offset, i.fence,
      extract(epoch FROM clock_timestamp() - i.updated_at)::int, c.id IS NOT NULL
    FROM ingest_intents i LEFT JOIN ingest_claims c ON c.id::text = i.partition
    ORDER BY i.updated_at LIMIT 10
"""
_OBJECTS = """
    SELECT count(*), state, pending, max(published) FROM ingest_objects GROUP BY state, pending
    ORDER BY state, pending
"""
_SESSIONS = """
    SELECT pid, state, extract(epoch FROM clock_timestamp() - state_change)::int, left(query, 100)
    FROM pg_stat_activity WHERE datname = current_database() AND state <> 'idle'
      AND pid <> pg_backend_pid()
"""


def _unpublished(run: Run) -> list[str]:
    with psycopg.connect(run.url) as connection:
        return state_differences(connection, _lake(run).manifest())


if __name__ == "__main__":
    main()
