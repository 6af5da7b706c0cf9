"""The example of a pipeline of one's own is a stream, in one process and on a cluster."""

from __future__ import annotations

import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from runners.flink import jobs as flink_jobs
from runners.flink.jobs import JobError
from runners.flink.local.cluster import FlinkCluster
from tests import waiting
from tests.pages.page import commands_in, replaced
from tests.pipelines.commands import printed
from tests.pipelines.tables import query
from tests.services.flink_guarded import job_arguments

ROOT = Path(__file__).resolve().parents[2]

pytestmark = [pytest.mark.integration, pytest.mark.slow]

SECONDS = 180.0
wait_until = partial(waiting.wait_until, seconds=SECONDS)


@contextmanager
def stream(folder: Path, url: str, *cluster: str) -> Iterator[subprocess.Popen[str]]:
    """The example, reading ``folder`` until it is told to stop; on a cluster, by the command of docs/flink.md."""
    options = ["--source", f"{folder}/*.jsonl", "--sink", url, "--streaming"]
    words = ["-m", "examples.own_stream", "--runner", "DirectRunner", *options]
    if cluster:
        (command,) = commands_in("docs/flink.md", "python -m examples")
        here = {"folder": str(folder), "postgres": url, "cluster": shlex.join(cluster)}
        words = shlex.split(replaced("docs/flink.md", command, here))[1:]
    process = subprocess.Popen(
        [sys.executable, *words],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def order(folder: Path, number: int, currency: str) -> None:
    text = f'{{"order_id": "{number}", "amount": 10, "currency": "{currency}"}}\n'
    (folder / f"{number}.new").write_text(text)
    (folder / f"{number}.new").rename(folder / f"{number}.jsonl")


def euros(url: str) -> list[object]:
    """Those of each order; none while there is no table."""
    if query(url, "SELECT to_regclass('orders')") == [(None,)]:
        return []
    rows = query(url, "SELECT payload->>'euros' FROM orders ORDER BY order_id")
    return [float(euros) for (euros,) in rows]


def dead(url: str) -> int:
    return int(query(url, "SELECT count(*) FROM ingest_jobs WHERE state = 'discarded'")[0][0])


def comes_and_goes(folder: Path, url: str) -> None:
    """What arrives while the stream runs is read, and one order is refused."""
    wait_until(lambda: euros(url) == [9.0], "the first order")
    order(folder, 2, "EUR")
    order(folder, 3, "XXX")
    wait_until(lambda: euros(url) == [9.0, 10.0], "the second order")
    wait_until(lambda: dead(url) == 1, "the third as dead letter")


def test_in_one_process(postgres_url: str, tmp_path: Path) -> None:
    order(tmp_path, 1, "USD")
    with stream(tmp_path, postgres_url) as process:
        comes_and_goes(tmp_path, postgres_url)
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=SECONDS)
    assert (process.returncode, printed(err)) == (0, [])
    assert out == "3 orders read, 1 of them are dead letters\n"


def test_on_a_cluster(flink: FlinkCluster, postgres_url: str, tmp_path: Path) -> None:
    order(tmp_path, 1, "USD")
    more = ("--checkpointing_interval", "1000", *job_arguments(flink))
    with stream(tmp_path, postgres_url, *more) as process:
        comes_and_goes(tmp_path, postgres_url)
        assert process.stderr is not None
        job = process.stderr.readline().split()[1]
        stop = partial(flink_jobs.stop, flink.rest, job, seconds=60)
        with ThreadPoolExecutor(2) as both:
            first, second = (stopped.result() for stopped in [both.submit(stop), both.submit(stop)])
        assert first == second, "the second asks for the savepoint of the first"
        process.communicate(timeout=SECONDS)
    assert process.returncode == 0
    # Flink's REST API shows the state of a job up to 3 s late.
    wait_until(lambda: flink.rest.get(f"/jobs/{job}")["state"] == "FINISHED", "the end of the job")
    with pytest.raises(JobError, match=f"has ended already: it is FINISHED; it has left {first}"):
        stop()
