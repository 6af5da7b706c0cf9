"""One Flink job on a real cluster: submit it, wait for it, and explain it if it fails."""

from __future__ import annotations

import contextlib
import io
import re
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import psycopg

from pipelines import command
from pipelines.ingest import main as ingest_main
from runners.flink import jobs as flink_jobs
from runners.flink.local.cluster import FlinkCluster

POLL_SECONDS = 0.05
KEPT = Path(".work/flink-logs")
"""Where the logs of the cluster are kept when a benchmark fails."""


def submit(argv: Sequence[str]) -> str:
    """Submit with ``pipelines.ingest --detach``; returns the Flink job's id."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        status = command.run("ingest", ingest_main, [*argv, "--streaming", "--detach"])
    job = printed.getvalue().strip()
    assert status == 0, f"the submission ended with {status}"
    assert re.fullmatch(r"[0-9a-f]{32}", job), job
    return job


def rows(dsn: str, table: str) -> int:
    """How many rows the table has."""
    with psycopg.connect(dsn) as connection:
        row = connection.execute(f"SELECT count(*) FROM {table}").fetchone()
    assert row is not None
    return int(row[0])


def await_(reached: Callable[[], bool], what: str, seconds: float) -> float:
    """Wait until ``reached`` is true; returns how long it took, and fails after ``seconds``."""
    started = time.monotonic()
    while not reached():
        waited = time.monotonic() - started
        assert waited < seconds, f"no {what} within {seconds:.0f} s"
        time.sleep(POLL_SECONDS)
    return time.monotonic() - started


def await_rows(dsn: str, table: str, count: int, seconds: float) -> float:
    """Wait until the table has ``count`` rows."""
    return await_(lambda: rows(dsn, table) >= count, f"{count:,} rows", seconds)


def await_checkpoint(cluster: FlinkCluster, job: str, seconds: float) -> float:
    """Wait until the job has completed a checkpoint."""

    def one() -> bool:
        (state,) = flink_jobs.status(cluster.rest, job)
        return bool(state["checkpoints"]["completed"])

    return await_(one, "a checkpoint", seconds)


def last_checkpoint(cluster: FlinkCluster, job: str) -> str:
    """The newest complete checkpoint on disk: once the JobManager is gone, nothing else tells."""
    checkpoints = (cluster.folder / "checkpoints" / job).glob("chk-*/_metadata")
    newest = max(checkpoints, key=lambda each: int(each.parent.name.removeprefix("chk-")))
    return newest.parent.as_uri()


@contextmanager
def explained(cluster: FlinkCluster) -> Iterator[None]:
    """If the block fails, print what Flink knows of its jobs, and keep the logs in ``KEPT``."""
    try:
        yield
    except BaseException:
        with contextlib.suppress(Exception):  # the cluster may be gone too
            for job in flink_jobs.status(cluster.rest):
                print(job, flush=True)
        shutil.copytree(cluster.folder / "logs", KEPT, dirs_exist_ok=True)
        print(f"logs of the cluster: {KEPT}/", flush=True)
        raise
