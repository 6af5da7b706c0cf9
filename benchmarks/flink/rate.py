"""How fast a topic is read on Flink, with 1, 2 and 4 subtasks, and in one process.

    python -m benchmarks.flink.rate [--records 400000] [--parallelism 1 2 4]

The same topic into a table of the same shape each time, up to its end. Of a run on Flink the
time from the first row on is given too: the start of the workers does not grow with the topic.
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

from benchmarks.files.ingest import check, fresh
from benchmarks.flink.job import explained
from benchmarks.kafka.feed import Feed
from benchmarks.kafka.services import Services, services
from tests.services.flink_guarded import job_arguments, running

PARTITIONS = 8
FEED_RATE = 1e6
TOPIC = TABLE = "events"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--records", type=int, default=400_000)
    parser.add_argument("--parallelism", type=int, nargs="+", default=[1, 2, 4])
    given = parser.parse_args()
    slots = max(given.parallelism)
    with services("flink-rate") as found, running(slots=slots) as cluster, explained(cluster):
        found.broker.create_topic(TOPIC, PARTITIONS)
        feed = Feed(found.root / "feed", found.broker.bootstrap, TOPIC, given.records, FEED_RATE)
        assert feed.finish()["sent"] == given.records
        trial(found, "DirectRunner", given.records, ("--runner", "DirectRunner"))
        for parallelism in given.parallelism:
            flags = ("--runner", "FlinkRunner", "--parallelism", str(parallelism))
            trial(
                found,
                f"FlinkRunner {parallelism}",
                given.records,
                (*flags, *job_arguments(cluster)),
            )


def trial(found: Services, name: str, records: int, arguments: Sequence[str]) -> None:
    fresh(found.dsn)
    summary = Path(found.root / "summary.json")
    command = [sys.executable, "-m", "pipelines.ingest", *arguments, "--source", found.uri(TOPIC)]
    command += ["--sink", found.dsn, "--table", TABLE, "--key", "event_id", "--no_progress"]
    first = First(found.dsn)
    subprocess.run(
        [*command, "--summary_json", str(summary)], check=True, stdout=subprocess.DEVNULL
    )
    ended = time.monotonic()
    first.thread.join()
    check(found.dsn, records)
    whole = json.loads(summary.read_text())["seconds"]
    reading = ended - first.at
    print(
        f"{name}: {records / whole:,.0f}/s over all ({whole:.1f} s), "
        f"{records / reading:,.0f}/s from the first row on ({reading:.1f} s)",
        flush=True,
    )


class First:
    """Notes when the first row is there."""

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
