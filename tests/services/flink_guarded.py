"""A Flink cluster that cannot outlive the process that started it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from runners.flink.local.cluster import FlinkCluster

ROOT = Path(__file__).resolve().parents[2]

# Its standard input is a pipe whose other end only the starting process holds, so it closes when
# that process ends, in whatever way.
WATCHDOG = 'cat >/dev/null; "$1" -m runners.flink.local down --folder "$2"; rm -rf -- "$2"'


@contextmanager
def running(slots: int) -> Iterator[FlinkCluster]:
    """A cluster in a temporary folder; both end with the context, or with this process."""
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
        cluster.up()
        yield cluster
    finally:
        cluster.down()
        shutil.rmtree(folder, ignore_errors=True)
        watchdog.communicate()  # closes its pipe; nothing is left for it to do


def job_arguments(cluster: FlinkCluster) -> list[str]:
    """The arguments that make ``pipelines.ingest`` run on ``cluster``."""
    endpoints = cluster.endpoints
    return [
        *("--flink_master", endpoints.flink_master, "--job_endpoint", endpoints.job_endpoint),
        *("--environment_type", "PROCESS"),
        *("--environment_config", json.dumps({"command": endpoints.worker_command})),
    ]
