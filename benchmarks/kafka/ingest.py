"""Load a topic into an empty Postgres table: this project against the plain loop, interleaved.

    python -m benchmarks.kafka.ingest [--records 1000000] [--partitions 4] [--rounds 5]

Each round runs both over the whole topic. Before each run, table and ledger are dropped and created
again, so nothing is resumed; which one goes first alternates. Rates are taken twice: within the
process and over the whole process. Every run must leave one row per key, and every run of this
project a ledger that covers the topic without a gap.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator

from benchmarks.commands import ingest_command
from benchmarks.files.ingest import Run, check, fresh, measured, report_ratio, report_round
from benchmarks.kafka.checks import Offsets, audited, ends
from benchmarks.kafka.services import Services, services
from examples.events import events
from tests.services.kafka_broker import Produced

TOPIC = "events"


def main() -> None:
    """Fill the topic, and measure both programs."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--partitions", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--bar", type=float, default=0.7, help="least ratio of the rates")
    arguments = parser.parse_args()
    with services("bench-kafka") as servers:
        servers.broker.create_topic(TOPIC, arguments.partitions)
        servers.broker.produce(TOPIC, messages(arguments.records))
        until = ends(servers.broker.bootstrap, TOPIC)
        assert sum(until.values()) == arguments.records, until
        assert all(until.values()), f"a partition is empty: {until}"
        ratio = compare(arguments, servers, until)
    if ratio < arguments.bar:
        raise SystemExit(f"the ratio {ratio:.2f} is below {arguments.bar}")


def messages(records: int) -> Iterator[Produced]:
    """Events by their key."""
    for line in events(records):
        yield line.key.encode(), line.raw


def compare(arguments: argparse.Namespace, servers: Services, until: Offsets) -> float:
    """Run and print the rounds; returns the median ratio of rates."""
    out = servers.root / "summary.json"
    plain_command = [sys.executable, "-m", "benchmarks.kafka.plain_loop", servers.dsn]
    plain_command += [servers.broker.bootstrap, TOPIC]
    flags = ["--source", servers.uri(TOPIC, "?until=latest"), "--sink", servers.dsn]
    sluice_command = ingest_command([*flags, "--table", "events", "--key", "event_id"], out)
    plain: list[Run] = []
    sluice: list[Run] = []

    def run_plain() -> None:
        fresh(servers.dsn)
        plain.append(measured(plain_command, None))
        check(servers.dsn, arguments.records)

    def run_sluice() -> None:
        fresh(servers.dsn)
        sluice.append(measured(sluice_command, out))
        check(servers.dsn, arguments.records)
        sums = audited(servers.dsn, TOPIC, until)
        assert sums["inserted"] == arguments.records, sums

    for number in range(arguments.rounds):
        pair = (run_plain, run_sluice)
        for run in pair if number % 2 == 0 else reversed(pair):
            run()
        report_round(number, arguments.records, plain[-1], sluice[-1])
    ratio = report_ratio("plain loop", arguments.records, plain, sluice)
    print("every run: one row a key, the audit without a gap")
    return ratio


if __name__ == "__main__":
    main()
