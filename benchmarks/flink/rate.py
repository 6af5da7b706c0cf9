"""Measure how soon and how fast a topic is read on Flink, and in one process.

    python -m benchmarks.flink.rate [--records 1000000] [--parallelism 1 2] [--rounds 3]

Each run reads the same topic, up to its end, into a table of the same shape; the runners take turns. It is
printed when the first row was there, counted from the start of the command, the rate from that moment on,
and the CPU seconds of the command, of the Python workers, and of the virtual machines. The first job of a
new cluster is printed by itself: Java has more to do for it. Exit code 1: a median misses its bar.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass

import psutil
import psycopg

from benchmarks.events_table import check, fresh
from benchmarks.flink.job import await_, explained
from benchmarks.kafka.feed import Feed
from benchmarks.kafka.services import Services, services
from runners.flink.local.cluster import FORK_SERVER, FlinkCluster
from tests.services.flink_guarded import job_arguments, running

PARTITIONS = 8
FEED_RATE = 1e6
TOPIC = TABLE = "events"
DIRECT = "DirectRunner"
FIRST_ROW_SECONDS = 8.0
"""The bar for the first row on Flink."""
RATIOS = {1: 0.85, 2: 1.2}
"""The bars for the rate from the first row on, beside DirectRunner, by parallelism."""


@dataclass(frozen=True, slots=True)
class Run:
    """One run.

    Attributes:
        first_row: Seconds from the start of the command to the first row.
        rate: Records a second from the first row on.
        command: CPU seconds of the command.
        workers: Of the Python workers.
        machines: Of the virtual machines.
    """

    first_row: float
    rate: float
    command: float
    workers: float = 0.0
    machines: float = 0.0

    def __str__(self) -> str:
        return (
            f"first row after {self.first_row:.1f} s, {self.rate:,.0f}/s from then on; CPU seconds: "
            f"command {self.command:.1f}, workers {self.workers:.1f}, Java {self.machines:.1f}"
        )


def main() -> int:
    """Fill the topic, and read it with each runner in turn; 1 if a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--parallelism", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    slots = max(arguments.parallelism)
    direct: list[Run] = []
    on_flink: dict[int, list[Run]] = {parallelism: [] for parallelism in arguments.parallelism}
    with services("flink-rate") as servers, running(slots=slots) as cluster, explained(cluster):
        servers.broker.create_topic(TOPIC, PARTITIONS)
        feed = Feed(
            servers.root / "feed", servers.broker.bootstrap, TOPIC, arguments.records, FEED_RATE
        )
        assert feed.finish()["sent"] == arguments.records
        print(f"the cluster's first job: {_on_flink(servers, cluster, 1, arguments.records)}")
        for number in range(1, arguments.rounds + 1):
            direct.append(_trial(servers, arguments.records, ("--runner", DIRECT)))
            print(f"{number}. {DIRECT}: {direct[-1]}", flush=True)
            for parallelism, runs in on_flink.items():
                runs.append(_on_flink(servers, cluster, parallelism, arguments.records))
                print(f"{number}. FlinkRunner {parallelism}: {runs[-1]}", flush=True)
    return report(direct, on_flink)


def report(direct: Sequence[Run], on_flink: dict[int, list[Run]]) -> int:
    """Print the medians beside their bars; 1 if one of them is missed."""
    missed = False
    for parallelism, runs in on_flink.items():
        first = statistics.median(run.first_row for run in runs)
        ratio = statistics.median(
            run.rate / beside.rate for run, beside in zip(runs, direct, strict=True)
        )
        bar = RATIOS.get(parallelism, 0.0)
        missed = missed or first > FIRST_ROW_SECONDS or ratio < bar
        print(
            f"FlinkRunner {parallelism}: first row after {first:.1f} s (bar: {FIRST_ROW_SECONDS:.0f}), "
            f"{ratio:.2f} of {DIRECT} from then on (bar: {bar:.2f})"
        )
    return int(missed)


def _on_flink(servers: Services, cluster: FlinkCluster, parallelism: int, records: int) -> Run:
    flags = ("--runner", "FlinkRunner", "--parallelism", str(parallelism), *job_arguments(cluster))
    return _trial(servers, records, flags, cluster)


def _trial(
    servers: Services, records: int, flags: Sequence[str], cluster: FlinkCluster | None = None
) -> Run:
    """Read the topic once."""
    fresh(servers.dsn)
    before = _spent(cluster)
    command = [sys.executable, "-m", "pipelines.ingest", *flags, "--source", servers.uri(TOPIC)]
    command += ["--sink", servers.dsn, "--table", TABLE, "--key", "event_id", "--no_progress"]
    first = First(servers.dsn)
    began = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    ended = time.monotonic()
    assert process.returncode == 0, f"the command ended with {process.returncode}"
    first.thread.join()
    check(servers.dsn, records)
    workers, machines = (now - then for now, then in zip(_spent(cluster), before, strict=True))
    return Run(
        first_row=first.at - began,
        rate=records / (ended - first.at),
        command=used.ru_utime + used.ru_stime,
        workers=workers,
        machines=machines,
    )


def _spent(cluster: FlinkCluster | None) -> tuple[float, float]:
    """CPU seconds so far of all workers that have ended, and of the virtual machines."""
    if cluster is None:
        return 0.0, 0.0
    processes = {
        name: psutil.Process(number)
        for name in cluster.processes.names()
        if (number := cluster.processes.pid(name)) is not None
    }
    server = processes.pop(FORK_SERVER)
    await_(lambda: not server.children(), "end of the workers", 60.0)
    ended, java = server.cpu_times(), [each.cpu_times() for each in processes.values()]
    return (
        ended.children_user + ended.children_system,
        sum(each.user + each.system for each in java),
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
    sys.exit(main())
