"""Faults of a Flink cluster: processes that are lost, and what a supervisor starts instead."""

from __future__ import annotations

from runners.flink.local.cluster import JOB_MANAGER, TASK_MANAGER, FlinkCluster


def start_task_manager(cluster: FlinkCluster) -> str:
    """Start one more and return its name; it registers within seconds."""
    numbers = [int(name.removeprefix(TASK_MANAGER)) for name in cluster.task_managers()]
    name = f"{TASK_MANAGER}{max(numbers, default=0) + 1}"
    cluster.start(name)
    return name


def kill_task_manager(cluster: FlinkCluster, name: str) -> None:
    """End one and its workers by SIGKILL, as the loss of its machine would."""
    cluster.processes.kill(name)


def restart_job_manager(cluster: FlinkCluster) -> None:
    """Kill the JobManager and start it again on its ports: it has forgotten its jobs."""
    cluster.processes.kill(JOB_MANAGER)
    cluster.start(JOB_MANAGER)
    cluster.await_task_managers(len(cluster.task_managers()))
