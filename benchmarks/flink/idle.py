"""Measure what an idle stream on Flink costs: CPU time, and the growth of its state.

    python -m benchmarks.flink.idle [--minutes 15] [--splits 16] [--parallelism 2]

The topic has as many partitions as splits, and stays empty after its first records. Every minute,
the CPU seconds of the JobManager, the TaskManager and the Python workers are printed, and the size
of a checkpoint.
"""

from __future__ import annotations

import argparse
import time

import psutil

from benchmarks.events_table import fresh
from benchmarks.flink.job import await_checkpoint, await_rows, explained, submit
from benchmarks.kafka.services import Services, services
from examples.events import events
from runners.flink import jobs as flink_jobs
from runners.flink.local.cluster import FORK_SERVER, FlinkCluster
from tests.services.flink_guarded import job_arguments, running

START_SECONDS = 180.0
RECORDS = 1_000


def main() -> None:
    """Run an idle stream."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--minutes", type=int, default=15)
    parser.add_argument("--splits", type=int, default=16)
    parser.add_argument("--parallelism", type=int, default=2)
    arguments = parser.parse_args()
    with (
        services("flink-idle") as servers,
        running(slots=arguments.parallelism) as cluster,
        explained(cluster),
    ):
        idle(servers, cluster, arguments)


def idle(servers: Services, cluster: FlinkCluster, arguments: argparse.Namespace) -> None:
    """Submit the stream, and print its cost every minute."""
    servers.broker.create_topic("events", arguments.splits)
    fresh(servers.dsn)
    job = submit(
        [
            *("--runner", "FlinkRunner", "--source", servers.uri("events"), "--sink", servers.dsn),
            *("--table", "events", "--key", "event_id", "--no_progress"),
            *("--parallelism", str(arguments.parallelism), *job_arguments(cluster)),
        ]
    )
    servers.broker.produce("events", ((None, line.raw, None) for line in events(RECORDS)))
    await_rows(servers.dsn, "events", RECORDS, START_SECONDS)
    await_checkpoint(cluster, job, START_SECONDS)
    print("minute  JobManager  TaskManager  workers (CPU s/min)  checkpoint B", flush=True)
    before = cpu_seconds(cluster)
    for minute in range(1, arguments.minutes + 1):
        time.sleep(60)
        now = cpu_seconds(cluster)
        spent = [f"{now[name] - before[name]:.1f}" for name in now]
        print(f"{minute}  {'  '.join(spent)}  {checkpoint_bytes(cluster, job):,}", flush=True)
        before = now
    flink_jobs.cancel(cluster.rest, job, seconds=60)


def cpu_seconds(cluster: FlinkCluster) -> dict[str, float]:
    """CPU seconds so far of the JobManager, the TaskManager's JVM, and the workers."""
    (task_manager,) = cluster.task_managers()
    java = process_of(cluster, task_manager)
    return {
        "jobmanager": cpu_of(process_of(cluster, "jobmanager")),
        "taskmanager": cpu_of(java),
        "workers": sum(
            cpu_of(each)
            for parent in (java, process_of(cluster, FORK_SERVER))
            for each in parent.children(recursive=True)
        ),
    }


def process_of(cluster: FlinkCluster, name: str) -> psutil.Process:
    """The running process of that name."""
    number = cluster.processes.pid(name)
    assert number is not None, f"{name} has ended"
    return psutil.Process(number)


def cpu_of(process: psutil.Process) -> float:
    """CPU seconds of one process, user and system."""
    times = process.cpu_times()
    return float(times.user + times.system)


def checkpoint_bytes(cluster: FlinkCluster, job: str) -> int:
    """Size of the latest checkpoint."""
    latest = cluster.rest.get(f"/jobs/{job}/checkpoints")["latest"]["completed"]
    return int(latest["state_size"])


if __name__ == "__main__":
    main()
