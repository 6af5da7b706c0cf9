"""Kill TaskManagers and the JobManager of a real Flink cluster while a stream runs at full speed.

    python -m benchmarks.flink.kills [--records 1000000] [--kills 3] [--no_job_manager]

First the JobManager is killed, and the job is submitted again from its last checkpoint; then
TaskManagers with their workers, one after the other, each replaced by a new one as a supervisor
would do it. Every kill is a SIGKILL in the middle of a portion of the stream. The next portion is sent
once the dead process is replaced, since TaskManagers read on for half a minute without a JobManager.
At the end every record is in one row and was applied once, and the ledger has no gap.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

from benchmarks.events_table import fresh
from benchmarks.flink.job import (
    await_,
    await_checkpoint,
    await_rows,
    explained,
    last_checkpoint,
    rows,
    submit,
)
from benchmarks.kafka.checks import audited, count_applications, each_once, ends
from benchmarks.kafka.feed import Feed
from benchmarks.kafka.services import Services, services
from runners.flink import jobs as flink_jobs
from runners.flink.local.cluster import FlinkCluster
from tests.services import flink_faults
from tests.services.flink_guarded import job_arguments, running

PARTITIONS = 4
TABLE = TOPIC = "events"
NUMBER = "user_id"
RECOVERY_SECONDS = 180.0
LEAST_RATE = 500.0
"""Records a second; a slower run counts as stalled."""


def main() -> None:
    """Start everything, and run the trial."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--kills", type=int, default=3)
    # More than the pipeline takes, so that it runs at full speed with a backlog.
    parser.add_argument("--rate", type=float, default=200_000.0)
    parser.add_argument("--no_job_manager", action="store_true", help="leave it alone")
    arguments = parser.parse_args()
    with services("flink-kills") as servers, running(slots=2) as cluster, explained(cluster):
        trial(servers, cluster, arguments)


def trial(servers: Services, cluster: FlinkCluster, arguments: argparse.Namespace) -> None:
    """Stream, kill, and check the outcome."""
    records, kills, job_manager = arguments.records, arguments.kills, not arguments.no_job_manager
    servers.broker.create_topic(TOPIC, PARTITIONS)
    fresh(servers.dsn)
    count_applications(servers.dsn, TABLE, f"NEW.{NUMBER}")
    argv = [
        *("--runner", "FlinkRunner", "--source", servers.uri(TOPIC), "--sink", servers.dsn),
        *("--table", TABLE, "--key", "event_id", "--no_progress", "--parallelism", "2"),
        *("--checkpointing_interval", "2000", *job_arguments(cluster)),
    ]
    started = time.monotonic()
    job = submit(argv)
    print(f"submitted in {time.monotonic() - started:.1f} s", flush=True)
    await_checkpoint(cluster, job, RECOVERY_SECONDS)
    times = kills + job_manager
    portion = records // (times + 1)
    feeds: list[Feed] = []

    def feed_more() -> None:
        """Send the next portion, so that a survivor of a kill had nothing left to read."""
        first = portion * len(feeds)
        size = portion if len(feeds) < times else records - first
        folder = servers.root / f"feed-{len(feeds)}"
        feeds.append(
            Feed(folder, servers.broker.bootstrap, TOPIC, size, arguments.rate, first=first)
        )

    try:
        feed_more()
        await_rows(servers.dsn, TABLE, 1, RECOVERY_SECONDS)
        print(f"first row {time.monotonic() - started:.1f} s after the submission", flush=True)
        reading = time.monotonic()
        down = 0.0
        for number in range(1, times + 1):
            middle = portion * (number - 1) + portion // 2
            await_rows(servers.dsn, TABLE, middle, records / LEAST_RATE)
            if job_manager and number == 1:
                # First, since the TaskManagers read on for a while without it.
                job, seconds = restart_job_manager(servers, cluster, job, argv, feed_more)
            else:
                index = number - job_manager
                seconds = kill_task_manager(servers, cluster, job, index, feed_more)
            down += seconds
        sent = sum(feed.finish()["sent"] for feed in feeds)
        assert sent == records
        await_rows(servers.dsn, TABLE, sent, records / LEAST_RATE)
        seconds = time.monotonic() - reading
        flink_jobs.stop(cluster.rest, job, seconds=RECOVERY_SECONDS)
    finally:
        for feed in feeds:
            feed.close()
    until = ends(servers.broker.bootstrap, TOPIC)
    assert sum(until.values()) == sent
    each_once(servers.dsn, TABLE, NUMBER, sent)
    each_once(servers.dsn, "applied", "number", sent)
    sums = audited(servers.dsn, TOPIC, until)
    assert (sums["inserted"], sums["dead"], sums["retrying"]) == (sent, 0, 0), sums
    print(
        f"{kills} TaskManagers{' and the JobManager' if job_manager else ''} killed: {sent:,} rows, "
        f"each applied once, no gap, no dead letter; {sent / seconds:,.0f}/s, {down:.0f} of "
        f"{seconds:.0f} s without the job"
    )


def kill_task_manager(
    servers: Services, cluster: FlinkCluster, job: str, number: int, more: Callable[[], None]
) -> float:
    """Kill the TaskManager of the job and replace it; returns the seconds without a new row."""
    (lost,) = cluster.task_managers()
    before, last = rows(servers.dsn, TABLE), restarted(cluster, job)
    flink_faults.kill_task_manager(cluster, lost)
    killed = time.monotonic()
    flink_faults.start_task_manager(cluster)
    more()
    # Rows of its last transactions are not yet the recovery.
    await_(lambda: restarted(cluster, job) != last, "restart", RECOVERY_SECONDS)
    return recovered(servers, f"kill {number}", before, killed)


def restarted(cluster: FlinkCluster, job: str) -> int:
    """When the job was last restarted, in milliseconds; 0 if it never was."""
    return int(cluster.rest.get(f"/jobs/{job}")["timestamps"]["RESTARTING"])


def restart_job_manager(
    servers: Services,
    cluster: FlinkCluster,
    job: str,
    argv: list[str],
    more: Callable[[], None],
) -> tuple[str, float]:
    """Kill and start the JobManager, submit again; returns the new job's id and the seconds."""
    before = rows(servers.dsn, TABLE)
    killed = time.monotonic()
    flink_faults.restart_job_manager(cluster)
    print(f"JobManager back {time.monotonic() - killed:.1f} s after its end", flush=True)
    again = submit([*argv, "--savepoint_path", last_checkpoint(cluster, job)])
    more()
    seconds = recovered(servers, "JobManager", before, killed)
    (state,) = flink_jobs.status(cluster.rest, again)
    assert state["checkpoints"]["restored"], state
    return again, seconds


def recovered(servers: Services, what: str, before: int, killed: float) -> float:
    """Wait for new rows, and print how long it took; returns the seconds."""
    await_rows(servers.dsn, TABLE, rows(servers.dsn, TABLE) + 1, RECOVERY_SECONDS)
    seconds = time.monotonic() - killed
    print(f"{what} at {before:,} rows: goes on {seconds:.1f} s after it", flush=True)
    return seconds


if __name__ == "__main__":
    main()
