"""Kill a streaming ingestion with SIGKILL while records keep coming; each must arrive once.

    python -m benchmarks.kafka.kills [--kills 5] [--seconds 180] [--rate 2000] [--seed 1]

It runs twice: with a key of the records, and without one, so that the origin is the key. A trigger
notes every row that is ever offered to the table, so a record that was applied twice shows even
where its key hides it. The group's offsets must never be ahead of the ledger.
"""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
import time
from dataclasses import dataclass

from benchmarks.events_table import fresh
from benchmarks.kafka.checks import (
    POLL_SECONDS,
    Offsets,
    all_applied_once,
    await_settled,
    committed,
    count_applications,
    ends,
    settled,
)
from benchmarks.kafka.feed import Feed
from benchmarks.kafka.ingestion import Ingestion
from benchmarks.kafka.services import Services, services

PARTITIONS = 4
GROUP = "kills"


@dataclass(frozen=True, slots=True)
class Way:
    """One way to identify a record.

    Attributes:
        name: The name of the topic and the table.
        flags: The flags of ``pipelines.ingest`` for it.
        number: SQL for the number of the event.
    """

    name: str
    flags: tuple[str, ...]
    number: str


WAYS = {
    "key": Way("events", ("--key", "event_id"), "{row}user_id"),
    "origin": Way("origins", (), "({row}payload::jsonb ->> 'user_id')::bigint"),
}


def main() -> None:
    """Run a trial for each way to identify a record."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--kills", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=180.0)
    parser.add_argument("--rate", type=float, default=2_000.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS))
    arguments = parser.parse_args()
    for name in arguments.ways:
        with services("kills-kafka") as servers:
            trial(arguments, servers, WAYS[name], random.Random(arguments.seed))


def trial(arguments: argparse.Namespace, servers: Services, way: Way, rng: random.Random) -> None:
    """Stream, kill at random moments, and check the outcome."""
    topic = table = way.name
    source = servers.uri(topic, f"?group={GROUP}")
    servers.broker.create_topic(topic, PARTITIONS)
    fresh(servers.dsn)
    if way.name != "events":
        create_table(servers, source, table)
    count_applications(servers.dsn, table, way.number.format(row="NEW."))
    ingestion = Ingestion(servers.root / "ingest", source, servers.dsn, table, way.flags)
    feed = Feed(
        *(servers.root / "feed", servers.broker.bootstrap, topic),
        *(round(arguments.seconds * arguments.rate), arguments.rate),
    )
    started = time.monotonic()
    try:
        ingestion.start()
        # At random: two kills may come close together, the second one during the start.
        moments = sorted(rng.uniform(2.0, arguments.seconds - 2.0) for _ in range(arguments.kills))
        for number, moment in enumerate(moments, 1):
            sleep_until(started + moment)
            ingestion.kill()
            ledger = behind(servers, topic, number, time.monotonic() - started)
            ingestion.start()
            following = started + [*moments, arguments.seconds][number]
            resumed(servers, topic, ledger, ingestion, following)
        report = feed.finish()
        until = ends(servers.broker.bootstrap, topic)
        lagging = await_settled(servers.dsn, topic, until, ingestion)
        stopping = ingestion.stop()
    finally:
        ingestion.close()
        feed.close()
    sent = report["sent"]
    read = all_applied_once(servers, topic, table, way.number.format(row=""), GROUP, sent)
    print(
        f"{way.name}: {arguments.kills} kills in {report['seconds']:.0f} s at "
        f"{sent / report['seconds']:,.0f}/s: {sent:,} sent, {read:,} read, {sent:,} rows, "
        f"each applied once; no gap; lag 0 {lagging:.1f} s after the last record was sent; "
        f"SIGTERM to exit 0 in {stopping:.1f} s",
        flush=True,
    )


def create_table(servers: Services, source: str, table: str) -> None:
    """Let the ingestion create the table of origins, by a run over an empty topic."""
    command = [sys.executable, "-m", "pipelines.ingest", "--runner", "DirectRunner"]
    command += ["--source", source, "--sink", servers.dsn, "--table", table, "--no_progress"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def sleep_until(moment: float) -> None:
    """Sleep until a moment of the monotonic clock."""
    time.sleep(max(0.0, moment - time.monotonic()))


def resumed(
    servers: Services, topic: str, before: Offsets, ingestion: Ingestion, following: float
) -> None:
    """Print when the new process settles its first records, unless the next kill comes before."""
    started = time.monotonic()
    while time.monotonic() < following:
        if sum(settled(servers.dsn, topic).values()) > sum(before.values()):
            seconds, cpu = time.monotonic() - started, ingestion.cpu_seconds()
            print(
                f"{topic}: settles records {seconds:.1f} s after its start ({cpu:.1f} CPU seconds)",
                flush=True,
            )
            return
        ingestion.check()
        time.sleep(POLL_SECONDS)
    print(f"{topic}: killed {time.monotonic() - started:.1f} s after its start, nothing settled")


def behind(servers: Services, topic: str, number: int, at: float) -> Offsets:
    """Fail if the group's offsets are ahead of the ledger; print where the kill hit.

    Returns:
        What the ledger has settled.
    """
    group = committed(servers.broker.bootstrap, topic, GROUP, PARTITIONS)
    ledger = settled(servers.dsn, topic)  # read second, since it only grows
    ahead = {each: at for each, at in group.items() if at > ledger.get(each, 0)}
    assert not ahead, f"the group is ahead of the ledger: {ahead}, ledger {ledger}"
    lag = sum(ends(servers.broker.bootstrap, topic).values()) - sum(ledger.values())
    print(
        f"{topic}: kill {number} at {at:.1f} s with {sum(ledger.values()):,} settled, lag {lag:,}",
        flush=True,
    )
    return ledger


if __name__ == "__main__":
    main()
