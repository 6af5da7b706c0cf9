"""Watch the memory and CPU time of a long streaming ingestion, at a steady rate or idle.

    python -m benchmarks.kafka.soak --minutes 30 --rate 2000     # under load
    python -m benchmarks.kafka.soak --minutes 30 --rate 0        # idle

It samples memory and CPU time of the process every ten seconds, fits a least-squares slope to the
memory after the warm-up, and counts the bundles. The run must end cleanly by SIGTERM, with every record
once. It prints a row for docs/kafka.md and writes all samples to --json.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.events_table import fresh
from benchmarks.kafka.checks import audited, await_settled, each_once, ends
from benchmarks.kafka.feed import Feed
from benchmarks.kafka.ingestion import Ingestion
from benchmarks.kafka.services import Services, services
from benchmarks.kafka.watch import Sample, Watch, slope_per_hour
from examples.events import event
from runners.runner import NAMES, named

PARTITIONS = 4
TOPIC = "soak"
HEADING = (
    "| runner | load | minutes | bundles | first, last, peak MiB | slope, MiB/h | core | records |"
)


def main() -> None:
    """Run it, and print its figures."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--rate", type=float, default=2_000.0, help="events a second; 0 is idle")
    parser.add_argument("--warm_up", type=float, default=60.0, help="seconds left out of the slope")
    parser.add_argument("--every", type=float, default=10.0, help="seconds between two samples")
    parser.add_argument("--runner", default="DirectRunner", choices=NAMES)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write figures and samples")
    arguments = parser.parse_args()
    if arguments.minutes * 60 < arguments.warm_up + 3 * arguments.every:
        parser.error("--minutes is too short for --warm_up and three samples")
    with services("soak") as servers:
        figures, samples = soak(arguments, servers)
    print(HEADING + "\n|" + "---|" * (HEADING.count("|") - 1))
    print(row(figures), flush=True)
    if arguments.json is not None:
        figures["samples"] = [asdict(each) for each in samples]
        arguments.json.write_text(json.dumps(figures, indent=1) + "\n")


def soak(arguments: argparse.Namespace, servers: Services) -> tuple[dict[str, Any], list[Sample]]:
    """Run the ingestion; returns the figures and the samples."""
    servers.broker.create_topic(TOPIC, PARTITIONS)
    fresh(servers.dsn)
    summary = servers.root / "summary.json"
    ingestion = Ingestion(
        *(servers.root / "ingest", servers.uri(TOPIC), servers.dsn, "events"),
        ("--key", "event_id", "--summary_json", str(summary)),
        arguments.runner,
    )
    # The first records do not count: a running stream is measured.
    rng = random.Random(3)
    first = [json.dumps({**event(rng, n), "user_id": -1 - n}).encode() for n in range(PARTITIONS)]
    servers.broker.produce(TOPIC, ((None, raw, n) for n, raw in enumerate(first)))
    seconds, records = 60 * arguments.minutes, round(60 * arguments.minutes * arguments.rate)
    watch = Watch(
        ingestion, servers.broker.bootstrap, TOPIC, PARTITIONS, servers.dsn, arguments.every
    )
    feed: Feed | None = None
    try:
        ingestion.start()
        await_settled(servers.dsn, TOPIC, ends(servers.broker.bootstrap, TOPIC), ingestion)
        if records:
            feed = Feed(
                servers.root / "feed", servers.broker.bootstrap, TOPIC, records, arguments.rate
            )
        with watch.running() as samples:
            deadline = time.monotonic() + seconds
            while time.monotonic() < deadline:
                time.sleep(min(arguments.every, max(0.0, deadline - time.monotonic())))
                ingestion.check()
                show(samples[-1])
        sent = feed.finish()["sent"] if feed else 0
        until = ends(servers.broker.bootstrap, TOPIC)
        await_settled(servers.dsn, TOPIC, until, ingestion)
        stop_seconds = ingestion.stop()
    finally:
        if feed:
            feed.close()
        ingestion.close()
    audited(servers.dsn, TOPIC, until)
    if sent:
        each_once(servers.dsn, "(SELECT * FROM events WHERE user_id >= 0) e", "user_id", sent)
    counted = json.loads(summary.read_text())
    assert counted["read"] == sent + PARTITIONS, counted
    warm = [each for each in samples if each.at >= arguments.warm_up]
    first_warm, last = warm[0], warm[-1]
    bundle_seconds = named(arguments.runner).streaming_bundle_seconds
    return {
        "runner": arguments.runner,
        "minutes": arguments.minutes,
        "rate": arguments.rate,
        "records": sent,
        "bundles": round(last.at / bundle_seconds),
        "bundle_seconds": bundle_seconds,
        "first_mib": first_warm.resident,
        "last_mib": last.resident,
        "peak_mib": max(each.resident for each in samples),
        "slope_mib_per_hour": slope_per_hour(warm),
        "core": (last.cpu - first_warm.cpu) / (last.at - first_warm.at),
        "largest_lag": max(each.lag for each in warm),
        "stop_seconds": stop_seconds,
    }, list(samples)


def show(sample: Sample) -> None:
    """Print one line of progress on standard error."""
    print(
        f"{sample.at:6.0f} s  {sample.settled:>10,} settled  lag {sample.lag:>7,}  "
        f"{sample.resident:6.1f} MiB  {sample.cpu:7.1f} CPU s",
        file=sys.stderr,
        flush=True,
    )


def row(figures: dict[str, Any]) -> str:
    """The figures as a row of a Markdown table."""
    load = f"{figures['rate']:,.0f}/s" if figures["rate"] else "idle"
    return (
        f"| {figures['runner']} | {load} | {figures['minutes']:g} | "
        f"{figures['bundles']} of {figures['bundle_seconds']:g} s | "
        f"{figures['first_mib']:.1f}, {figures['last_mib']:.1f}, {figures['peak_mib']:.1f} | "
        f"{figures['slope_mib_per_hour']:+.1f} | {figures['core']:.1%} | "
        f"{figures['records']:,}, each once |"
    )


if __name__ == "__main__":
    main()
