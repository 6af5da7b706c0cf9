"""Change a cluster in mid-stream: more partitions, and a broker that is away for a while.

    python -m benchmarks.kafka.faults [--seconds 60] [--outage 20] [--rate 2000]

One process survives each change, loses nothing, and does not spin while the broker is away.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

from benchmarks.events_table import fresh
from benchmarks.kafka.checks import (
    POLL_SECONDS,
    Offsets,
    all_applied_once,
    await_settled,
    count_applications,
    ends,
    settled,
)
from benchmarks.kafka.feed import Feed
from benchmarks.kafka.ingestion import Ingestion
from benchmarks.kafka.services import Services, services

PARTITIONS = 4
RAISED = 8
IDLE_SHARE = 0.2
"""At most this share of one core is used while the broker is away."""
LOG_LINES = 100
"""How many are printed at most while the broker is away."""
GROUP = "faults"
LATEST = 60.0
"""Seconds within which reading goes on after the fault."""

Fault = Callable[[argparse.Namespace, Services, str, Ingestion], str]


def main() -> None:
    """Run a trial for each fault."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--seconds", type=float, default=60.0, help="of sending")
    parser.add_argument("--outage", type=float, default=20.0, help="seconds without the broker")
    parser.add_argument("--rate", type=float, default=2_000.0)
    parser.add_argument("--faults", nargs="+", choices=FAULTS, default=list(FAULTS))
    arguments = parser.parse_args()
    for name in arguments.faults:
        with services("faults-kafka") as servers:
            trial(arguments, servers, name)


def trial(arguments: argparse.Namespace, servers: Services, name: str) -> None:
    """Stream, let the fault happen after a quarter of the time, and check the outcome."""
    servers.broker.create_topic(name, PARTITIONS)
    fresh(servers.dsn)
    count_applications(servers.dsn, "events", "NEW.user_id")
    ingestion = Ingestion(
        *(servers.root / "ingest", servers.uri(name, f"?group={GROUP}"), servers.dsn, "events"),
        ("--key", "event_id"),
    )
    feed = Feed(
        *(servers.root / "feed", servers.broker.bootstrap, name),
        *(round(arguments.seconds * arguments.rate), arguments.rate),
    )
    started = time.monotonic()
    try:
        ingestion.start()
        pid = ingestion.pid
        until_moves(servers, name, {}, ingestion)
        time.sleep(max(0.0, started + arguments.seconds / 4 - time.monotonic()))
        account = FAULTS[name](arguments, servers, name, ingestion)
        assert feed.running, "the fault came too late: nothing was sent any more"
        report = feed.finish()
        until = ends(servers.broker.bootstrap, name)
        lagging = await_settled(servers.dsn, name, until, ingestion)
        assert ingestion.pid == pid
        stopping = ingestion.stop()
    finally:
        ingestion.close()
        feed.close()
    sent = report["sent"]
    read = all_applied_once(servers, name, "events", "user_id", GROUP, sent)
    print(
        f"{name}: {account}; {sent:,} sent, {read:,} read, {sent:,} rows, each applied once, "
        f"by one process; no gap; lag 0 {lagging:.1f} s after the last record was sent; "
        f"SIGTERM to exit 0 in {stopping:.1f} s",
        flush=True,
    )


def partitions(
    arguments: argparse.Namespace, servers: Services, topic: str, ingestion: Ingestion
) -> str:
    """Raise the number of partitions from 4 to 8; records of the new ones must arrive."""
    raised = time.monotonic()
    servers.broker.add_partitions(topic, RAISED)
    new = range(PARTITIONS, RAISED)
    while not all(ends(servers.broker.bootstrap, topic).get(each) for each in new):
        assert time.monotonic() - raised < LATEST, "the producer has not used the new partitions"
        time.sleep(POLL_SECONDS)
    used = time.monotonic()
    while not all(settled(servers.dsn, topic).get(each) for each in new):
        ingestion.check()
        assert time.monotonic() - used < LATEST, f"not read: {settled(servers.dsn, topic)}"
        time.sleep(POLL_SECONDS)
    now = time.monotonic()
    return (
        f"{PARTITIONS} partitions raised to {RAISED}, all of which had rows {now - raised:.1f} s "
        f"later ({now - used:.1f} s after they had records)"
    )


def outage(
    arguments: argparse.Namespace, servers: Services, topic: str, ingestion: Ingestion
) -> str:
    """Stop the broker and start it again; meanwhile, the process must run on and rest."""
    servers.broker.stop()
    stopped, lines, before = time.monotonic(), ingestion.lines, ingestion.cpu_seconds()
    while time.monotonic() < stopped + arguments.outage:
        ingestion.check()
        time.sleep(0.5)
    used, seconds = ingestion.cpu_seconds() - before, time.monotonic() - stopped
    printed = ingestion.lines - lines
    assert used < IDLE_SHARE * seconds, f"{used:.1f} CPU seconds in {seconds:.0f} s of outage"
    assert printed <= LOG_LINES, f"{printed} lines in {seconds:.0f} s:\n{ingestion.tail()}"
    servers.broker.start()
    down = time.monotonic() - stopped
    waited = until_moves(servers, topic, settled(servers.dsn, topic), ingestion)
    return (
        f"broker down for {down:.1f} s, {used:.2f} CPU seconds and {printed} log lines in "
        f"{seconds:.1f} s of it, rows again {waited:.1f} s after it was back"
    )


FAULTS: dict[str, Fault] = {"partitions": partitions, "outage": outage}


def until_moves(servers: Services, topic: str, before: Offsets, ingestion: Ingestion) -> float:
    """Wait until the ledger is beyond ``before``; returns the seconds it took."""
    started = time.monotonic()
    while sum(settled(servers.dsn, topic).values()) <= sum(before.values()):
        ingestion.check()
        waited = time.monotonic() - started
        assert waited < LATEST, f"nothing settled for {waited:.0f} s:\n{ingestion.tail()}"
        time.sleep(POLL_SECONDS)
    return time.monotonic() - started


if __name__ == "__main__":
    main()
