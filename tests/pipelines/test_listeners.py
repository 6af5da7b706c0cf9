"""Where the processes of a pipeline listen while it runs: on loopback, whatever the runner.

What Beam starts asks nobody who they are: whoever reaches it runs programs as this user.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from examples.events import events, write
from runners.flink import jobs as flink_jobs
from runners.flink.local.cluster import FlinkCluster
from tests.pipelines.end_state import events_by
from tests.pipelines.programs import running, wait_for_rows
from tests.services.flink_guarded import job_arguments

pytestmark = [pytest.mark.integration, pytest.mark.slow]

ROWS = 500


def listening(roots: Iterable[int]) -> set[tuple[str, str, int]]:
    """Every port that these processes and all below them take connections or datagrams on."""
    family = [psutil.Process(root) for root in roots]
    family += [child for each in family for child in each.children(recursive=True)]
    return {
        ("udp" if each.type.name == "SOCK_DGRAM" else "tcp", each.laddr.ip, each.laddr.port)
        for process in family
        for each in process.net_connections(kind="inet")
        if each.status == psutil.CONN_LISTEN or (each.type.name == "SOCK_DGRAM" and not each.raddr)
    }


def beyond_loopback(ports: Iterable[tuple[str, str, int]]) -> list[tuple[str, str, int]]:
    return [
        each
        for each in ports
        if not ipaddress.ip_address(each[1].removeprefix("::ffff:")).is_loopback
    ]


@contextmanager
def streaming(runner: str, folder: Path, *more: str) -> Iterator[int]:
    """A stream that has written all there is and goes on; yields its process."""
    write(folder / "in", events(ROWS), 2)
    sink = f"sqlite:///{folder}/rows.db"
    argv = events_by(runner, f"{folder}/in/*.jsonl", sink, "--streaming", *more)
    with running(argv) as process:
        wait_for_rows(process, sink, ROWS)
        yield process.pid
        process.terminate()
        process.communicate(timeout=60)


def test_directrunner_listens_nowhere(tmp_path: Path) -> None:
    with streaming("DirectRunner", tmp_path) as process:
        assert listening([process]) == set()


@pytest.mark.usefixtures("prism")
def test_prism_and_its_worker_listen_on_loopback(tmp_path: Path) -> None:
    with streaming("PrismRunner", tmp_path) as process:
        ports = listening([process])
    assert len(ports) >= 2, "Prism, and the pool of workers in the program itself"
    assert beyond_loopback(ports) == []


@pytest.mark.parametrize("environment", ["PROCESS", "LOOPBACK"])
def test_a_local_flink_its_workers_and_the_program_listen_on_loopback(
    flink: FlinkCluster, tmp_path: Path, environment: str
) -> None:
    roots = [flink.processes.pid(name) for name in flink.processes.names()]
    cluster = [pid for pid in roots if pid is not None]
    assert len(cluster) == len(roots) >= 3, "JobManager, TaskManager, job server"
    flags = job_arguments(flink)
    if environment == "LOOPBACK":
        flags = [*flags[:4], "--environment_type", "LOOPBACK"]
    before, jobs = listening(cluster), running_jobs(flink)
    with streaming("FlinkRunner", tmp_path, *flags) as process:
        try:
            during, own = listening(cluster), listening([process])
        finally:
            for job in running_jobs(flink) - jobs:
                flink_jobs.cancel(flink.rest, job, seconds=60)
    assert during - before, "a TaskManager serves its workers"
    assert bool(own) == (environment == "LOOPBACK"), "the pool of workers"
    assert beyond_loopback(before | during | own) == []


def running_jobs(flink: FlinkCluster) -> set[str]:
    return {each["id"] for each in flink.rest.get("/jobs")["jobs"] if each["status"] == "RUNNING"}
