"""Kill a streaming ingestion with SIGKILL while records keep coming; every one arrives once.

    python -m benchmarks.kafka.kills [--kills 5] [--seconds 180] [--rate 2000] [--seed 1]

Twice: with a key of the records' own, and without one, where the origin is the key. A
trigger notes every row ever offered to the table, so a record that was applied twice shows
even where its key hides it. The group's offsets must never be ahead of the ledger.
"""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
import time
from dataclasses import dataclass

from benchmarks.files.ingest import fresh
from benchmarks.kafka.checks import (
    POLL_SECONDS,
    Offsets,
    audited,
    await_settled,
    committed,
    count_applications,
    each_once,
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
        name: Of the way, the topic and the table.
        arguments: What ``pipelines.ingest`` is told.
        number: SQL for the number of the event.
    """

    name: str
    arguments: tuple[str, ...]
    number: str


WAYS = {
    "key": Way("events", ("--key", "event_id"), "{row}user_id"),
    "origin": Way("origins", (), "({row}payload::jsonb ->> 'user_id')::bigint"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--kills", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=180.0)
    parser.add_argument("--rate", type=float, default=2_000.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS))
    given = parser.parse_args()
    for name in given.ways:
        with services("kills-kafka") as found:
            trial(given, found, WAYS[name], random.Random(given.seed))


def trial(given: argparse.Namespace, found: Services, way: Way, rng: random.Random) -> None:
    topic = table = way.name
    source = found.uri(topic, f"?group={GROUP}")
    found.broker.create_topic(topic, PARTITIONS)
    fresh(found.dsn)
    if way.name != "events":
        create_table(found, source, table)
    count_applications(found.dsn, table, way.number.format(row="NEW."))
    ingestion = Ingestion(found.root / "ingest", source, found.dsn, table, way.arguments)
    feed = Feed(
        *(found.root / "feed", found.broker.bootstrap, topic),
        *(round(given.seconds * given.rate), given.rate),
    )
    started = time.monotonic()
    try:
        ingestion.start()
        # Not evenly: two kills may come close together, the second one in the start-up.
        moments = sorted(rng.uniform(2.0, given.seconds - 2.0) for _ in range(given.kills))
        for number, moment in enumerate(moments, 1):
            sleep_until(started + moment)
            ingestion.kill()
            ledger = behind(found, topic, number, time.monotonic() - started)
            ingestion.start()
            following = started + [*moments, given.seconds][number]
            resumed(found, topic, ledger, ingestion, following)
        report = feed.finish()
        until = ends(found.broker.bootstrap, topic)
        lagging = await_settled(found.dsn, topic, until, ingestion)
        stopping = ingestion.stop()
    finally:
        ingestion.close()
        feed.close()
    sent = report["sent"]
    assert sum(until.values()) == sent, f"{sum(until.values())} in the topic, {sent} sent"
    number_of = way.number.format(row="")
    each_once(found.dsn, table, number_of, sent)
    each_once(found.dsn, "applied", "number", sent)
    sums = audited(found.dsn, topic, until)
    assert sums["inserted"] == sent, sums
    group = committed(found.broker.bootstrap, topic, GROUP, PARTITIONS)
    assert group == until, f"the group stands at {group}, the ends are {until}"
    print(
        f"{way.name}: {given.kills} kills in {report['seconds']:.0f} s at "
        f"{sent / report['seconds']:,.0f}/s: {sent:,} sent, {sums['read']:,} read, {sent:,} rows, "
        f"each applied once; no gap; lag 0 {lagging:.1f} s after the last record was sent; "
        f"SIGTERM to exit 0 in {stopping:.1f} s",
        flush=True,
    )


def create_table(found: Services, source: str, table: str) -> None:
    """Have the ingestion itself create the table of origins: a run over an empty topic."""
    command = [sys.executable, "-m", "pipelines.ingest", "--runner", "DirectRunner"]
    command += ["--source", source, "--sink", found.dsn, "--table", table, "--no_progress"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def sleep_until(moment: float) -> None:
    time.sleep(max(0.0, moment - time.monotonic()))


def resumed(
    found: Services, topic: str, before: Offsets, ingestion: Ingestion, following: float
) -> None:
    """Say when the new process settles its first records, unless the next kill comes before."""
    started = time.monotonic()
    while time.monotonic() < following:
        if sum(settled(found.dsn, topic).values()) > sum(before.values()):
            seconds, cpu = time.monotonic() - started, ingestion.cpu_seconds()
            print(
                f"{topic}: settles records {seconds:.1f} s after its start ({cpu:.1f} CPU seconds)",
                flush=True,
            )
            return
        ingestion.check()
        time.sleep(POLL_SECONDS)
    print(f"{topic}: killed {time.monotonic() - started:.1f} s after its start, nothing settled")


def behind(found: Services, topic: str, number: int, at: float) -> Offsets:
    """Fail if the group's offsets are ahead of the ledger; say where the kill hit.

    Returns:
        What the ledger has.
    """
    group = committed(found.broker.bootstrap, topic, GROUP, PARTITIONS)
    ledger = settled(found.dsn, topic)  # afterwards: it only grows
    ahead = {each: at for each, at in group.items() if at > ledger.get(each, 0)}
    assert not ahead, f"the group is ahead of the ledger: {ahead}, ledger {ledger}"
    lag = sum(ends(found.broker.bootstrap, topic).values()) - sum(ledger.values())
    print(
        f"{topic}: kill {number} at {at:.1f} s with {sum(ledger.values()):,} settled, lag {lag:,}",
        flush=True,
    )
    return ledger


if __name__ == "__main__":
    main()
