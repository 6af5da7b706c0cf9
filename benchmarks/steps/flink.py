"""A stream on Flink whose step calls a service that becomes slower, and then answers nobody (``make steps-flink``).

    python -m benchmarks.steps.flink docs/steps-flink.svg

It prints a line of JSON for each proof, and fails where one does not hold.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import psycopg

from benchmarks.flink.job import await_rows, explained, rows, submit
from benchmarks.jobs.outage import postgres
from benchmarks.steps.backpressure import AT_ONCE, PHASES, follow
from benchmarks.steps.calls import TEXT
from benchmarks.steps.service import Service, serving
from runners.flink import jobs as flink_jobs
from runners.flink.local.cluster import FlinkCluster
from tests.pipelines.flink_state import python_workers
from tests.services.flink_guarded import job_arguments, running

RECORDS = 60_000
"""More than the phases can read."""

SILENT_SECONDS = 60.0
LEAST_CHECKPOINTS = 30
"""During the silence, at one a second if nothing held them up."""

BOUND = 300.0


def main(picture: Path) -> None:
    """Start everything, submit one stream, and prove both on it."""
    with (
        tempfile.TemporaryDirectory() as folder,
        postgres(Path(folder)) as database,
        serving(PHASES[0][0]) as service,
        running(slots=1) as cluster,
        explained(cluster),
    ):
        with psycopg.connect(database.dsn) as connection:
            connection.execute("CREATE TABLE events (id bigint PRIMARY KEY, answer bigint)")
        job = _submit(Path(folder), cluster, service, database.dsn)
        try:
            await_rows(database.dsn, "events", 1, BOUND)
            slower(picture, cluster, service, database.dsn)
            silent(cluster, job, service, database.dsn)
        finally:
            flink_jobs.cancel(cluster.rest, job, seconds=60)


def _submit(folder: Path, cluster: FlinkCluster, service: Service, dsn: str) -> str:
    (folder / "fn.py").write_text(TEXT.format(port=service.port))
    (folder / "in.jsonl").write_text("".join(f'{{"id":{n}}}\n' for n in range(RECORDS)))
    return submit(
        [
            *("--runner", "FlinkRunner", *job_arguments(cluster), "--parallelism", "1"),
            *("--checkpointing_interval", "1000", "--source", f"{folder}/in.jsonl"),
            *("--sink", dsn, "--table", "events", "--key", "id", "--outage_budget", "300"),
            *("--step", f"{folder}/fn.py:call?concurrency={AT_ONCE}&timeout=2"),
            *("--backoff_base", "0.5"),
        ]
    )


def slower(picture: Path, cluster: FlinkCluster, service: Service, dsn: str) -> None:
    """Fewer records are read while each call takes longer, as many as before once it does not."""
    workers = python_workers(cluster)

    def memory() -> float:
        return float(sum(worker.memory_info().rss for worker in workers) / 1e6)

    course = follow(service, lambda: rows(dsn, "events"), memory)
    title = f"A service that becomes slower, called {AT_ONCE} at a time, on Flink"
    course.draw(picture, title)
    rates = course.rates()
    named = [f"{name}: {rate:.0f}/s" for (_, name), rate in zip(PHASES, rates, strict=True)]
    early, late = course.memory[0][1], max(mb for _, mb in course.memory)
    print(json.dumps({"slower": {"rates": named, "mb": [early, late]}}), flush=True)
    first, second, third, fourth, fifth = rates
    assert first > 1.5 * second > 3.0 * third, rates
    assert fifth > 1.5 * fourth > 3.0 * third, rates
    assert third <= 1.1 * AT_ONCE / PHASES[2][0], rates
    assert late < early + 60, (early, late)
    assert course.rows[-1][1] < RECORDS, "the source has ended too soon"


def silent(cluster: FlinkCluster, job: str, service: Service, dsn: str) -> None:
    """Nobody is answered for a while: checkpoints pass, and then every record is in the table once."""
    before, calls = _state(cluster, job), len(service.calls())
    service.tell("status 0")
    time.sleep(SILENT_SECONDS / 4)
    waiting = rows(dsn, "events")
    time.sleep(SILENT_SECONDS * 3 / 4)
    after, tried = _state(cluster, job), len(service.calls()) - calls
    held = rows(dsn, "events")
    service.tell("seconds 0.001")
    service.tell("status 200")
    ended = time.monotonic()
    await_rows(dsn, "events", held + 1, BOUND)
    resumed = time.monotonic() - ended
    await_rows(dsn, "events", RECORDS, BOUND)
    end = _state(cluster, job)
    with psycopg.connect(dsn) as connection:
        answered = connection.execute("SELECT count(*) FROM events WHERE answer > 0").fetchone()
        jobs = connection.execute("SELECT state, count(*) FROM ingest_jobs GROUP BY 1").fetchall()
    counts = [each["checkpoints"]["completed"] for each in (before, after)]
    figures = {
        "checkpoints before, after": counts,
        "rows before, during, after": [waiting, held, rows(dsn, "events")],
        "calls meanwhile": tried,
        "goes on after s": round(resumed, 1),
        "restarts": end["restarts"],
        "jobs": dict(jobs),
    }
    print(json.dumps({"silent": figures}), flush=True)
    assert counts[1] - counts[0] >= LEAST_CHECKPOINTS, figures
    assert after["checkpoints"]["failed"] == before["checkpoints"]["failed"], figures
    assert waiting == held < RECORDS, figures
    assert tried < 100, figures
    assert (end["state"], end["restarts"], end["checkpoints"]["restored"]) == ("RUNNING", 0, 0), end
    assert answered == (RECORDS,), figures
    assert set(dict(jobs)) <= {"completed"}, figures


def _state(cluster: FlinkCluster, job: str) -> dict[str, Any]:
    (state,) = flink_jobs.status(cluster.rest, job)
    return state


if __name__ == "__main__":
    main(Path(sys.argv[1]))
