"""What a cluster does in mid-stream: more partitions, and a broker that is away for a while.

    python -m benchmarks.kafka.faults [--seconds 60] [--outage 20] [--rate 2000]

One process lives through each, loses nothing, and does not spin while the broker is away.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

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
RAISED = 8
IDLE_SHARE = 0.2
"""Of one core, at most, while the broker is away."""
LOG_LINES = 100
"""At most, while the broker is away."""
GROUP = "faults"
LATEST = 60.0
"""Seconds within which reading goes on after the fault."""

Fault = Callable[[argparse.Namespace, Services, str, Ingestion], str]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--seconds", type=float, default=60.0, help="of sending")
    parser.add_argument("--outage", type=float, default=20.0, help="seconds without the broker")
    parser.add_argument("--rate", type=float, default=2_000.0)
    parser.add_argument("--faults", nargs="+", choices=FAULTS, default=list(FAULTS))
    given = parser.parse_args()
    for name in given.faults:
        with services("faults-kafka") as found:
            trial(given, found, name)


def trial(given: argparse.Namespace, found: Services, name: str) -> None:
    """Stream, let the fault happen a quarter of the way, and hold the result to account."""
    found.broker.create_topic(name, PARTITIONS)
    fresh(found.dsn)
    count_applications(found.dsn, "events", "NEW.user_id")
    ingestion = Ingestion(
        *(found.root / "ingest", found.uri(name, f"?group={GROUP}"), found.dsn, "events"),
        ("--key", "event_id"),
    )
    feed = Feed(
        *(found.root / "feed", found.broker.bootstrap, name),
        *(round(given.seconds * given.rate), given.rate),
    )
    started = time.monotonic()
    try:
        ingestion.start()
        pid = ingestion.pid
        until_moves(found, name, {}, ingestion)
        time.sleep(max(0.0, started + given.seconds / 4 - time.monotonic()))
        said = FAULTS[name](given, found, name, ingestion)
        assert feed.running, "the fault came too late: nothing was sent any more"
        report = feed.finish()
        until = ends(found.broker.bootstrap, name)
        lagging = await_settled(found.dsn, name, until, ingestion)
        assert ingestion.pid == pid
        stopping = ingestion.stop()
    finally:
        ingestion.close()
        feed.close()
    sent = report["sent"]
    assert sum(until.values()) == sent, f"{sum(until.values())} in the topic, {sent} sent"
    each_once(found.dsn, "events", "user_id", sent)
    each_once(found.dsn, "applied", "number", sent)
    sums = audited(found.dsn, name, until)
    assert sums["inserted"] == sent, sums
    group = committed(found.broker.bootstrap, name, GROUP, len(until))
    assert group == until, f"the group stands at {group}, the ends are {until}"
    print(
        f"{name}: {said}; {sent:,} sent, {sums['read']:,} read, {sent:,} rows, each applied once, "
        f"by one process; no gap; lag 0 {lagging:.1f} s after the last record was sent; "
        f"SIGTERM to exit 0 in {stopping:.1f} s",
        flush=True,
    )


def partitions(given: argparse.Namespace, found: Services, topic: str, ingestion: Ingestion) -> str:
    """Raise the partitions from 4 to 8; records of the new ones must arrive."""
    raised = time.monotonic()
    found.broker.add_partitions(topic, RAISED)
    new = range(PARTITIONS, RAISED)
    while not all(ends(found.broker.bootstrap, topic).get(each) for each in new):
        assert time.monotonic() - raised < LATEST, "the producer has not used the new partitions"
        time.sleep(POLL_SECONDS)
    used = time.monotonic()
    while not all(settled(found.dsn, topic).get(each) for each in new):
        ingestion.check()
        assert time.monotonic() - used < LATEST, f"not read: {settled(found.dsn, topic)}"
        time.sleep(POLL_SECONDS)
    now = time.monotonic()
    return (
        f"{PARTITIONS} partitions raised to {RAISED}, all of which had rows {now - raised:.1f} s "
        f"later ({now - used:.1f} s after they had records)"
    )


def outage(given: argparse.Namespace, found: Services, topic: str, ingestion: Ingestion) -> str:
    """Stop the broker, start it again; meanwhile the process lives and rests."""
    found.broker.stop()
    stopped, lines, before = time.monotonic(), ingestion.lines, ingestion.cpu_seconds()
    while time.monotonic() < stopped + given.outage:
        ingestion.check()
        time.sleep(0.5)
    used, seconds = ingestion.cpu_seconds() - before, time.monotonic() - stopped
    printed = ingestion.lines - lines
    assert used < IDLE_SHARE * seconds, f"{used:.1f} CPU seconds in {seconds:.0f} s of outage"
    assert printed <= LOG_LINES, f"{printed} lines in {seconds:.0f} s:\n{ingestion.tail()}"
    found.broker.start()
    down = time.monotonic() - stopped
    waited = until_moves(found, topic, settled(found.dsn, topic), ingestion)
    return (
        f"broker down for {down:.1f} s, {used:.2f} CPU seconds and {printed} log lines in "
        f"{seconds:.1f} s of it, rows again {waited:.1f} s after it was back"
    )


FAULTS: dict[str, Fault] = {"partitions": partitions, "outage": outage}


def until_moves(found: Services, topic: str, before: Offsets, ingestion: Ingestion) -> float:
    """Wait until the ledger is beyond ``before``; returns the seconds it took."""
    started = time.monotonic()
    while sum(settled(found.dsn, topic).values()) <= sum(before.values()):
        ingestion.check()
        waited = time.monotonic() - started
        assert waited < LATEST, f"nothing settled for {waited:.0f} s:\n{ingestion.tail()}"
        time.sleep(POLL_SECONDS)
    return time.monotonic() - started


if __name__ == "__main__":
    main()
