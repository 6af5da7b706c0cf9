"""A topic into an empty Postgres table: this project against the plain loop, interleaved.

    python -m benchmarks.kafka.ingest [--records 1000000] [--partitions 4] [--rounds 5]

Each round runs both over the whole topic, table and ledger dropped and made anew before
each, so nothing is resumed; who goes first alternates. Rates are taken twice: within the
process and over the whole process. Every run must leave one row a key, and every one of
ours a ledger that covers the topic without a gap.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator

from benchmarks.files.ingest import Run, check, fresh, measured, report_ratio, report_round
from benchmarks.kafka.checks import Offsets, audited, ends
from benchmarks.kafka.services import Services, services
from examples.events import events
from tests.services.kafka_broker import Produced

TOPIC = "events"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--partitions", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--bar", type=float, default=0.7, help="least ratio of the rates")
    given = parser.parse_args()
    with services("bench-kafka") as found:
        found.broker.create_topic(TOPIC, given.partitions)
        found.broker.produce(TOPIC, messages(given.records))
        until = ends(found.broker.bootstrap, TOPIC)
        assert sum(until.values()) == given.records, until
        assert all(until.values()), f"a partition is empty: {until}"
        ratio = compare(given, found, until)
    if ratio < given.bar:
        raise SystemExit(f"the ratio {ratio:.2f} is below {given.bar}")


def messages(records: int) -> Iterator[Produced]:
    for line in events(records):
        yield line.key.encode(), line.raw


def compare(given: argparse.Namespace, found: Services, until: Offsets) -> float:
    """Run the rounds and print them; returns the median of the ratios of rates."""
    out = found.root / "summary.json"
    plain_command = [sys.executable, "-m", "benchmarks.kafka.plain_loop", found.dsn]
    plain_command += [found.broker.bootstrap, TOPIC]
    our_command = [sys.executable, "-m", "pipelines.ingest", "--runner", "DirectRunner"]
    our_command += ["--source", found.uri(TOPIC, "?until=latest"), "--sink", found.dsn]
    our_command += ["--table", "events", "--key", "event_id", "--summary_json", str(out)]
    our_command += ["--no_progress"]
    plain: list[Run] = []
    ours: list[Run] = []

    def run_plain() -> None:
        fresh(found.dsn)
        plain.append(measured(plain_command, None))
        check(found.dsn, given.records)

    def run_ours() -> None:
        fresh(found.dsn)
        ours.append(measured(our_command, out))
        check(found.dsn, given.records)
        sums = audited(found.dsn, TOPIC, until)
        assert sums["inserted"] == given.records, sums

    for number in range(given.rounds):
        pair = (run_plain, run_ours)
        for run in pair if number % 2 == 0 else reversed(pair):
            run()
        report_round(number, given.records, plain[-1], ours[-1])
    ratio = report_ratio("plain loop", given.records, plain, ours)
    print("every run: one row a key, the audit without a gap")
    return ratio


if __name__ == "__main__":
    main()
