"""Kill a TaskManager of a real Flink cluster in mid-stream: nothing lost, nothing applied twice.

python -m benchmarks.flink_kills
"""

from __future__ import annotations

import contextlib
import io
import re
import time
from collections.abc import Callable
from typing import Any

import sqlalchemy as sa

from benchmarks.kafka_services import services
from examples.events import events
from pipelines import command
from pipelines.audit import verdicts
from pipelines.ingest import main as ingest_main
from runners import flink_jobs
from runners.flink_cluster import FlinkCluster
from tests.services.flink_guarded import job_arguments, running

SECONDS = 300.0


def query(url: str, statement: str) -> list[tuple[Any, ...]]:
    engine = sa.create_engine(url)
    try:
        with engine.begin() as connection:
            result = connection.execute(sa.text(statement))
            return [tuple(row) for row in result] if result.returns_rows else []
    finally:
        engine.dispose()


def note_what_is_offered(url: str) -> None:
    """Count every row that is ever offered to the table, as its key hides the second one."""
    query(url, "CREATE TABLE offered (event_id text PRIMARY KEY, n int NOT NULL)")
    query(
        url,
        "CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "INSERT INTO offered VALUES (NEW.event_id, 1) "
        "ON CONFLICT (event_id) DO UPDATE SET n = offered.n + 1; RETURN NEW; END $$",
    )
    query(url, "CREATE TRIGGER note BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION note()")


def await_rows(url: str, rows: int) -> None:
    def reached() -> bool:
        return bool(query(url, "SELECT count(*) FROM events")[0][0] >= rows)

    await_(reached, f"{rows} rows")


def await_checkpoint(cluster: FlinkCluster, job: str) -> None:
    def one() -> bool:
        (state,) = flink_jobs.status(cluster.rest, job)
        return bool(state["checkpoints"]["completed"])

    await_(one, "a checkpoint")


def await_(reached: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + SECONDS
    while not reached():
        assert time.monotonic() < deadline, f"no {what} within {SECONDS:.0f} s"
        time.sleep(0.1)


def submit(argv: list[str]) -> str:
    """Submit the job; returns its id."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        assert command.run("ingest", ingest_main, argv) == 0
    job = printed.getvalue().strip()
    assert re.fullmatch(r"[0-9a-f]{32}", job), job
    return job


def main() -> None:
    with services("flink-kills") as found, running(slots=2) as flink:
        url = found.dsn
        found.broker.create_topic("events", 4)
        job = submit(
            [
                *("--runner", "FlinkRunner", "--source", found.uri("events", "?splits=4")),
                *("--sink", url, "--table", "events", "--key", "event_id", "--no_progress"),
                *("--streaming", "--detach", "--parallelism", "2"),
                *("--checkpointing_interval", "1000", *job_arguments(flink)),
            ]
        )
        try:
            note_what_is_offered(url)
            found.broker.produce("events", ((None, line.raw, None) for line in events(20_000)))
            await_rows(url, 20_000)
            await_checkpoint(flink, job)
            (lost,) = flink.task_managers()
            flink.start_task_manager()
            flink.await_task_managers(2)
            found.broker.produce(
                "events", ((None, line.raw, None) for line in events(20_000, seed=8))
            )
            await_rows(url, 22_000)
            flink.kill_task_manager(lost)
            killed = time.monotonic()
            found.broker.produce(
                "events", ((None, line.raw, None) for line in events(5_000, seed=9))
            )
            await_rows(url, 45_000)
            seconds = time.monotonic() - killed
            (state,) = flink_jobs.status(flink.rest, job)
            assert state["checkpoints"]["restored"] == 1, state
        except AssertionError:
            print(flink.rest.get(f"/jobs/{job}/exceptions"))
            raise
        finally:
            flink_jobs.cancel(flink.rest, job, seconds=60)
        assert query(url, "SELECT max(n), sum(n) FROM offered") == [(1, 45_000)]
        assert query(url, "SELECT count(*) FROM events") == [(45_000,)]
        assert query(url, "SELECT count(*) FROM ingest_jobs") == [(0,)]
        ledger = [each.as_json() for each in verdicts(url, None)]
        assert len(ledger) == 4
        assert all(each["ok"] for each in ledger)
        print(f"TaskManager killed: 45,000 rows each once {seconds:.0f} s after it, no gap")


if __name__ == "__main__":
    main()
