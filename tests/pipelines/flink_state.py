"""What a Flink cluster says of its jobs, and which of its processes are Python workers."""

from __future__ import annotations

from typing import Any

import psutil

from runners.flink import jobs as flink_jobs
from runners.flink.local.cluster import FORK_SERVER, FlinkCluster


def newest_job(cluster: FlinkCluster) -> str:
    return str(flink_jobs.status(cluster.rest)[0]["job"])


def splits_by_subtask(cluster: FlinkCluster, job: str) -> list[int]:
    """How many splits each subtask of the step that reads was given."""
    steps = cluster.rest.get(f"/jobs/{job}")["vertices"]
    (reads,) = (each["id"] for each in steps if "Write" in each["name"])
    subtasks = cluster.rest.get(f"/jobs/{job}/vertices/{reads}")["subtasks"]
    return [each["metrics"]["read-records"] for each in subtasks]


def checkpoints(cluster: FlinkCluster, job: str) -> dict[str, Any]:
    (state,) = flink_jobs.status(cluster.rest, job)
    counts: dict[str, Any] = state["checkpoints"]
    return counts


def newest_checkpoint(cluster: FlinkCluster, job: str) -> tuple[int, int]:
    """Its number, and its bytes."""
    newest = cluster.rest.get(f"/jobs/{job}/checkpoints")["latest"]["completed"]
    return int(newest["id"]), int(newest["state_size"])


def python_workers(cluster: FlinkCluster) -> list[psutil.Process]:
    """Those that were forked, and what boot has started, which stands for them or is one itself."""
    started = [
        each
        for name in cluster.task_managers()
        for each in descendants(cluster, name)
        if any("sdk_worker_main" in arg for arg in each.cmdline())
    ]
    return [*started, *descendants(cluster, FORK_SERVER)]


def descendants(cluster: FlinkCluster, name: str) -> list[psutil.Process]:
    """The processes below the one of that name."""
    number = cluster.processes.pid(name)
    return [] if number is None else psutil.Process(number).children(recursive=True)
