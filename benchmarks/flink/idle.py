"""What a stream on Flink costs that has nothing to read: processor time, and state over time.

    python -m benchmarks.flink.idle [--minutes 15] [--splits 16] [--parallelism 2]

A topic of so many partitions, empty after its first records; CPU seconds a minute of the
JobManager, the TaskManager and the Python workers, and the size of a checkpoint, minute by minute.
"""

from __future__ import annotations

import argparse
import time

import psutil

from benchmarks.files.ingest import fresh
from benchmarks.flink.job import await_checkpoint, await_rows, explained, submit
from benchmarks.kafka.services import Services, services
from examples.events import events
from runners.flink import jobs as flink_jobs
from runners.flink.local.cluster import FlinkCluster
from tests.services.flink_guarded import job_arguments, running

START_SECONDS = 180.0
RECORDS = 1_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--minutes", type=int, default=15)
    parser.add_argument("--splits", type=int, default=16)
    parser.add_argument("--parallelism", type=int, default=2)
    given = parser.parse_args()
    with (
        services("flink-idle") as found,
        running(slots=given.parallelism) as cluster,
        explained(cluster),
    ):
        idle(found, cluster, given)


def idle(found: Services, cluster: FlinkCluster, given: argparse.Namespace) -> None:
    found.broker.create_topic("events", given.splits)
    fresh(found.dsn)
    job = submit(
        [
            *("--runner", "FlinkRunner", "--source", found.uri("events"), "--sink", found.dsn),
            *("--table", "events", "--key", "event_id", "--no_progress"),
            *("--parallelism", str(given.parallelism), *job_arguments(cluster)),
        ]
    )
    found.broker.produce("events", ((None, line.raw, None) for line in events(RECORDS)))
    await_rows(found.dsn, "events", RECORDS, START_SECONDS)
    await_checkpoint(cluster, job, START_SECONDS)
    print("minute  JobManager  TaskManager  workers (CPU s/min)  checkpoint B", flush=True)
    before = cpu_seconds(cluster)
    for minute in range(1, given.minutes + 1):
        time.sleep(60)
        now = cpu_seconds(cluster)
        spent = [f"{now[name] - before[name]:.1f}" for name in now]
        print(f"{minute}  {'  '.join(spent)}  {checkpoint_bytes(cluster, job):,}", flush=True)
        before = now
    flink_jobs.cancel(cluster.rest, job, seconds=60)


def cpu_seconds(cluster: FlinkCluster) -> dict[str, float]:
    """Since their start, of the JobManager, the TaskManager's JVM, and all that it has started."""
    (task_manager,) = cluster.task_managers()
    java = process(cluster, task_manager)
    return {
        "jobmanager": of(process(cluster, "jobmanager")),
        "taskmanager": of(java),
        "workers": sum(of(each) for each in java.children(recursive=True)),
    }


def process(cluster: FlinkCluster, name: str) -> psutil.Process:
    number = cluster.processes.pid(name)
    assert number is not None, f"{name} has ended"
    return psutil.Process(number)


def of(counted: psutil.Process) -> float:
    times = counted.cpu_times()
    return float(times.user + times.system)


def checkpoint_bytes(cluster: FlinkCluster, job: str) -> int:
    latest = cluster.rest.get(f"/jobs/{job}/checkpoints")["latest"]["completed"]
    return int(latest["state_size"])


if __name__ == "__main__":
    main()
