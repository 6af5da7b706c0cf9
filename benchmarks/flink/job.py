"""One job on a real Flink cluster: submitted, waited for, looked into when it does not come."""

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
"""Where the logs of a cluster go whose job did not do what it should."""


def submit(argv: Sequence[str]) -> str:
    """Hand ``pipelines.ingest --detach`` to the cluster; returns the job's id."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        status = command.run("ingest", ingest_main, [*argv, "--streaming", "--detach"])
    job = printed.getvalue().strip()
    assert status == 0, f"the submission ended with {status}"
    assert re.fullmatch(r"[0-9a-f]{32}", job), job
    return job


def rows(dsn: str, table: str) -> int:
    with psycopg.connect(dsn) as connection:
        found = connection.execute(f"SELECT count(*) FROM {table}").fetchone()
    assert found is not None
    return int(found[0])


def await_(reached: Callable[[], bool], what: str, seconds: float) -> float:
    """Wait for it; returns how long it took."""
    started = time.monotonic()
    while not reached():
        waited = time.monotonic() - started
        assert waited < seconds, f"no {what} within {seconds:.0f} s"
        time.sleep(POLL_SECONDS)
    return time.monotonic() - started


def await_rows(dsn: str, table: str, count: int, seconds: float) -> float:
    return await_(lambda: rows(dsn, table) >= count, f"{count:,} rows", seconds)


def await_checkpoint(cluster: FlinkCluster, job: str, seconds: float) -> float:
    def one() -> bool:
        (state,) = flink_jobs.status(cluster.rest, job)
        return bool(state["checkpoints"]["completed"])

    return await_(one, "a checkpoint", seconds)


def last_checkpoint(cluster: FlinkCluster, job: str) -> str:
    """The newest whole one on disk: all there is to go by once the JobManager is gone."""
    found = (cluster.folder / "checkpoints" / job).glob("chk-*/_metadata")
    newest = max(found, key=lambda each: int(each.parent.name.removeprefix("chk-")))
    return newest.parent.as_uri()


@contextmanager
def explained(cluster: FlinkCluster) -> Iterator[None]:
    """Where the block fails, say what Flink knows of its jobs, and keep the logs in ``KEPT``."""
    try:
        yield
    except BaseException:
        with contextlib.suppress(Exception):  # the cluster may be gone too
            for job in flink_jobs.status(cluster.rest):
                print(job, flush=True)
        shutil.copytree(cluster.folder / "logs", KEPT, dirs_exist_ok=True)
        print(f"logs of the cluster: {KEPT}/", flush=True)
        raise
