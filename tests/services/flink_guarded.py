"""A Flink cluster that cannot outlive the process which started it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from runners.flink.local.cluster import FlinkCluster

ROOT = Path(__file__).resolve().parents[2]

# Its standard input is a pipe whose other end only the starting process holds: it closes when
# that process ends, however it ends.
WATCHDOG = 'cat >/dev/null; "$1" -m runners.flink.local down --folder "$2"; rm -rf -- "$2"'

BRIEF = "-XX:TieredStopAtLevel=1"
"""Lets no virtual machine spend time on optimizing what works for seconds: a third of its CPU."""


@contextmanager
def running(slots: int) -> Iterator[FlinkCluster]:
    """A cluster in a temporary folder; both go with the context, or with this process."""
    folder = Path(tempfile.mkdtemp(prefix="flink-"))
    watchdog = subprocess.Popen(
        ["sh", "-c", WATCHDOG, "watchdog", sys.executable, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=ROOT,
        start_new_session=True,  # Ctrl-C is not for it
    )
    cluster = FlinkCluster(folder, slots)
    try:
        with pytest.MonkeyPatch.context() as environment:
            environment.setenv("JAVA_TOOL_OPTIONS", BRIEF)
            cluster.up()
            yield cluster
    finally:
        cluster.down()
        shutil.rmtree(folder, ignore_errors=True)
        watchdog.communicate()  # closes its pipe: there is nothing left for it to do


def job_arguments(cluster: FlinkCluster) -> list[str]:
    """What ``pipelines.ingest`` is told to run a pipeline on ``cluster``."""
    endpoints = cluster.endpoints
    return [
        *("--flink_master", endpoints.flink_master, "--job_endpoint", endpoints.job_endpoint),
        *("--environment_type", "PROCESS"),
        *("--environment_config", json.dumps({"command": endpoints.worker_command})),
    ]
