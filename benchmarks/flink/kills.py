"""Kill TaskManagers and the JobManager of a real Flink cluster while a stream runs at full speed.

    python -m benchmarks.flink.kills [--records 1000000] [--kills 3] [--no_job_manager]

First the JobManager, after which the job is submitted again from its last checkpoint; then
TaskManagers with their workers, one after the other, each replaced by a new one as a supervisor
would. All by SIGKILL, in the middle of a portion of the stream; the next portion is sent once the
dead process is replaced, since TaskManagers read on for half a minute without a JobManager. At the
end every record is in one row, was applied once, and the ledger has no gap.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

from benchmarks.files.ingest import fresh
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
"""Records a second below which a run counts as standing still."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--kills", type=int, default=3)
    # More than the pipeline takes, so that it runs at full speed with a backlog.
    parser.add_argument("--rate", type=float, default=200_000.0)
    parser.add_argument("--no_job_manager", action="store_true", help="leave it alone")
    given = parser.parse_args()
    with services("flink-kills") as found, running(slots=2) as cluster, explained(cluster):
        trial(found, cluster, given)


def trial(found: Services, cluster: FlinkCluster, given: argparse.Namespace) -> None:
    records, kills, job_manager = given.records, given.kills, not given.no_job_manager
    found.broker.create_topic(TOPIC, PARTITIONS)
    fresh(found.dsn)
    count_applications(found.dsn, TABLE, f"NEW.{NUMBER}")
    argv = [
        *("--runner", "FlinkRunner", "--source", found.uri(TOPIC), "--sink", found.dsn),
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
        """Send the next portion: there is none to read on for whoever outlives a kill."""
        first = portion * len(feeds)
        size = portion if len(feeds) < times else records - first
        folder = found.root / f"feed-{len(feeds)}"
        feeds.append(Feed(folder, found.broker.bootstrap, TOPIC, size, given.rate, first=first))

    try:
        feed_more()
        await_rows(found.dsn, TABLE, 1, RECOVERY_SECONDS)
        print(f"first row {time.monotonic() - started:.1f} s after the submission", flush=True)
        reading = time.monotonic()
        down = 0.0
        for number in range(1, times + 1):
            middle = portion * (number - 1) + portion // 2
            await_rows(found.dsn, TABLE, middle, records / LEAST_RATE)
            if job_manager and number == 1:
                # First, as the TaskManagers read on for a while without it.
                job, seconds = restart_job_manager(found, cluster, job, argv, feed_more)
            else:
                index = number - job_manager
                seconds = kill_task_manager(found, cluster, job, index, feed_more)
            down += seconds
        sent = sum(feed.finish()["sent"] for feed in feeds)
        assert sent == records
        await_rows(found.dsn, TABLE, sent, records / LEAST_RATE)
        seconds = time.monotonic() - reading
        flink_jobs.stop(cluster.rest, job, seconds=RECOVERY_SECONDS)
    finally:
        for feed in feeds:
            feed.close()
    until = ends(found.broker.bootstrap, TOPIC)
    assert sum(until.values()) == sent
    each_once(found.dsn, TABLE, NUMBER, sent)
    each_once(found.dsn, "applied", "number", sent)
    sums = audited(found.dsn, TOPIC, until)
    assert (sums["inserted"], sums["dead"], sums["retrying"]) == (sent, 0, 0), sums
    print(
        f"{kills} TaskManagers{' and the JobManager' if job_manager else ''} killed: {sent:,} rows, "
        f"each applied once, no gap, no dead letter; {sent / seconds:,.0f}/s, {down:.0f} of "
        f"{seconds:.0f} s without the job"
    )


def kill_task_manager(
    found: Services, cluster: FlinkCluster, job: str, number: int, more: Callable[[], None]
) -> float:
    """Kill the one that runs the job, replace it; returns the seconds without a new row."""
    (lost,) = cluster.task_managers()
    before, last = rows(found.dsn, TABLE), restarted(cluster, job)
    flink_faults.kill_task_manager(cluster, lost)
    killed = time.monotonic()
    flink_faults.start_task_manager(cluster)
    more()
    # What its last transactions brought is not yet the recovery.
    await_(lambda: restarted(cluster, job) != last, "restart", RECOVERY_SECONDS)
    return recovered(found, f"kill {number}", before, killed)


def restarted(cluster: FlinkCluster, job: str) -> int:
    """When it last was, in milliseconds; 0 if it never was."""
    return int(cluster.rest.get(f"/jobs/{job}")["timestamps"]["RESTARTING"])


def restart_job_manager(
    found: Services,
    cluster: FlinkCluster,
    job: str,
    argv: list[str],
    more: Callable[[], None],
) -> tuple[str, float]:
    """Kill the JobManager, start it, submit the job again; returns its new id and the seconds."""
    before = rows(found.dsn, TABLE)
    killed = time.monotonic()
    flink_faults.restart_job_manager(cluster)
    print(f"JobManager back {time.monotonic() - killed:.1f} s after its end", flush=True)
    again = submit([*argv, "--savepoint_path", last_checkpoint(cluster, job)])
    more()
    seconds = recovered(found, "JobManager", before, killed)
    (state,) = flink_jobs.status(cluster.rest, again)
    assert state["checkpoints"]["restored"], state
    return again, seconds


def recovered(found: Services, what: str, before: int, killed: float) -> float:
    """Wait until rows come again; says how long it took."""
    await_rows(found.dsn, TABLE, rows(found.dsn, TABLE) + 1, RECOVERY_SECONDS)
    seconds = time.monotonic() - killed
    print(f"{what} at {before:,} rows: goes on {seconds:.1f} s after it", flush=True)
    return seconds


if __name__ == "__main__":
    main()
