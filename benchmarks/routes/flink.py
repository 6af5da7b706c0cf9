"""Kill a TaskManager of a real Flink cluster while one topic is written to ten tables and to objects.

    python -m benchmarks.routes.flink [--records 1000000] [--kills 1] [--to both]

The job has two subtasks. What must be there is what ``benchmarks.routes.kills`` says, and a clean run
on DirectRunner must have it too.
"""

from __future__ import annotations

import time

from benchmarks.flink.job import await_, await_checkpoint, explained, submit
from benchmarks.flink.kills import RECOVERY_SECONDS, restarted
from benchmarks.routes.kills import TOPIC, options, report, settled, whole_run
from benchmarks.routes.records import Plan
from benchmarks.routes.stage import Run, Stage, compared, conclude, same, stage, truth
from benchmarks.routes.tables import jobs_left
from runners.flink import jobs as flink_jobs
from runners.flink.local.cluster import FlinkCluster
from tests.services import flink_faults
from tests.services.flink_guarded import job_arguments, running

LEAST_RATE = 500.0
"""Records a second; a slower run counts as stalled."""


def main() -> None:
    """Start everything, and run the trial."""
    arguments = options(__doc__, kills=1)
    plan = Plan(arguments.records, seed=arguments.seed)
    # The cluster last: its workers take the credentials from the environment.
    with stage("routes-flink", objects=arguments.to != "tables") as services:
        services.fill(TOPIC, plan)
        must_be = truth(plan, arguments.to)
        clean = services.run("clean", arguments.to)
        source = services.servers.uri(TOPIC, "?until=latest")
        whole_run(clean, source, services.servers.root / "summary.json")
        conclude(compared(clean, must_be))
        killed = services.run("killed", arguments.to)
        with running(slots=2) as cluster, explained(cluster):
            trial(services, cluster, killed, plan, arguments.kills)
        conclude([*compared(killed, must_be), *same(clean, killed)])
    report(f"{arguments.kills} TaskManagers killed", must_be)


def trial(services: Stage, cluster: FlinkCluster, run: Run, plan: Plan, kills: int) -> None:
    """Stream the topic, and kill TaskManagers at equal distances."""
    argv = [
        *("--runner", "FlinkRunner", "--parallelism", "2", "--checkpointing_interval", "2000"),
        *(*run.arguments(services.servers.uri(TOPIC)), "--no_progress", *job_arguments(cluster)),
    ]
    started = time.monotonic()
    job = submit(argv)
    await_checkpoint(cluster, job, RECOVERY_SECONDS)
    patience = plan.records / LEAST_RATE
    for number in range(1, kills + 1):
        middle = plan.records * number // (kills + 2)
        await_settled(run, middle, patience)
        kill(cluster, run, job, number)
    await_settled(run, plan.records, patience)
    await_(lambda: jobs_left(run.url) == 0, "the end of all retries", RECOVERY_SECONDS)
    print(f"all settled {time.monotonic() - started:.0f} s after the submission", flush=True)
    flink_jobs.stop(cluster.rest, job, seconds=RECOVERY_SECONDS)


def await_settled(run: Run, records: int, seconds: float) -> None:
    """Wait until the ledger has so many records."""
    await_(lambda: settled(run) >= records, f"{records:,} settled", seconds)


def kill(cluster: FlinkCluster, run: Run, job: str, number: int) -> None:
    """Kill the TaskManager of the job and replace it; wait until the job settles records again."""
    (lost,) = cluster.task_managers()
    last, before = restarted(cluster, job), settled(run)
    flink_faults.kill_task_manager(cluster, lost)
    killed = time.monotonic()
    flink_faults.start_task_manager(cluster)
    await_(lambda: restarted(cluster, job) != last, "restart", RECOVERY_SECONDS)
    left = settled(run)
    await_(lambda: settled(run) > left, "recovery", RECOVERY_SECONDS)
    seconds = time.monotonic() - killed
    print(f"kill {number} with {before:,} settled: goes on {seconds:.1f} s after it", flush=True)


if __name__ == "__main__":
    main()
