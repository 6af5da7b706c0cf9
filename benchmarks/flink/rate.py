"""Measure how fast a topic is read on Flink, with 1, 2 and 4 subtasks, and in one process.

    python -m benchmarks.flink.rate [--records 400000] [--parallelism 1 2 4]

Each run reads the same topic, up to its end, into a table of the same shape. The rate is printed
over the whole run, and from the first row on, since the start of the workers does not grow with
the topic.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import psycopg

from benchmarks.events_table import check, fresh
from benchmarks.flink.job import explained
from benchmarks.kafka.feed import Feed
from benchmarks.kafka.services import Services, services
from tests.services.flink_guarded import job_arguments, running

PARTITIONS = 8
FEED_RATE = 1e6
TOPIC = TABLE = "events"


def main() -> None:
    """Fill the topic, and read it once for each runner."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--records", type=int, default=400_000)
    parser.add_argument("--parallelism", type=int, nargs="+", default=[1, 2, 4])
    arguments = parser.parse_args()
    slots = max(arguments.parallelism)
    with services("flink-rate") as servers, running(slots=slots) as cluster, explained(cluster):
        servers.broker.create_topic(TOPIC, PARTITIONS)
        feed = Feed(
            servers.root / "feed", servers.broker.bootstrap, TOPIC, arguments.records, FEED_RATE
        )
        assert feed.finish()["sent"] == arguments.records
        trial(servers, "DirectRunner", arguments.records, ("--runner", "DirectRunner"))
        for parallelism in arguments.parallelism:
            flags = ("--runner", "FlinkRunner", "--parallelism", str(parallelism))
            trial(
                servers,
                f"FlinkRunner {parallelism}",
                arguments.records,
                (*flags, *job_arguments(cluster)),
            )


def trial(servers: Services, name: str, records: int, flags: Sequence[str]) -> None:
    """Read the topic once, and print the rates."""
    fresh(servers.dsn)
    summary = Path(servers.root / "summary.json")
    command = [sys.executable, "-m", "pipelines.ingest", *flags, "--source", servers.uri(TOPIC)]
    command += ["--sink", servers.dsn, "--table", TABLE, "--key", "event_id", "--no_progress"]
    first = First(servers.dsn)
    subprocess.run(
        [*command, "--summary_json", str(summary)], check=True, stdout=subprocess.DEVNULL
    )
    ended = time.monotonic()
    first.thread.join()
    check(servers.dsn, records)
    whole = json.loads(summary.read_text())["seconds"]
    reading = ended - first.at
    print(
        f"{name}: {records / whole:,.0f}/s over all ({whole:.1f} s), "
        f"{records / reading:,.0f}/s from the first row on ({reading:.1f} s)",
        flush=True,
    )


class First:
    """Notes when the table has its first row.

    Attributes:
        at: That moment, on the monotonic clock; valid once ``thread`` has ended.
    """

    def __init__(self, dsn: str) -> None:
        self.at = 0.0
        self.thread = threading.Thread(target=self._watch, args=(dsn,), daemon=True)
        self.thread.start()

    def _watch(self, dsn: str) -> None:
        with psycopg.connect(dsn, autocommit=True) as connection:
            while connection.execute(f"SELECT 1 FROM {TABLE} LIMIT 1").fetchone() is None:
                time.sleep(0.05)
        self.at = time.monotonic()


if __name__ == "__main__":
    main()
