"""Steps on the workers of a Flink cluster: how they get there, and what a service that is away holds up."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import pytest

from pipelines import command
from pipelines.ingest import main as ingest_main
from runners.flink import jobs as flink_jobs
from runners.flink.local.cluster import FlinkCluster
from tests import waiting
from tests.pipelines.flink_state import checkpoints
from tests.pipelines.tables import query
from tests.services.flink_guarded import job_arguments
from tests.services.http_service import SILENT, http_service

pytestmark = [pytest.mark.integration, pytest.mark.slow]

wait_until = partial(waiting.wait_until, seconds=180.0)

TEXT = """
import json
import urllib.request
from dataclasses import dataclass

BASE = "{base}"

@dataclass(frozen=True)
class Answer:
    number: int

def fetch(record, opener):
    return record.with_value({{**record.value, "answer": ask(opener, record.value["id"]).number}})

def ask(opener, number):
    with opener.open(BASE + str(number)) as response:
        return Answer(int(response.read()))

def connect():
    return urllib.request.build_opener()
"""

RECORDS = 600


@pytest.mark.timeout(600)  # each of its waits has its own bound
def test_checkpoints_pass_while_the_service_of_a_step_answers_nobody(
    flink: FlinkCluster, postgres_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    query(postgres_url, "CREATE TABLE events (id bigint PRIMARY KEY, answer bigint)")
    lines = [json.dumps({"id": n}) + "\n" for n in range(RECORDS)]
    (tmp_path / "in.jsonl").write_text("".join(lines))

    def rows() -> int:
        return int(query(postgres_url, "SELECT count(*) FROM events")[0][0])

    with http_service(0.02) as service:
        (tmp_path / "fn.py").write_text(TEXT.format(base=service.url()))
        service.status = lambda number: SILENT if number > 200 else 200
        argv = [
            *("--runner", "FlinkRunner", *job_arguments(flink)),
            *("--checkpointing_interval", "1000", "--source", f"{tmp_path}/in.jsonl"),
            *("--sink", postgres_url, "--table", "events", "--key", "id", "--rest_seconds", "0"),
            *("--step", f"{tmp_path}/fn.py:fetch?concurrency=25&timeout=2&setup=connect"),
            *("--streaming", "--detach", "--backoff_base", "0.5"),
        ]
        capsys.readouterr()
        assert command.run("ingest", ingest_main, argv) == 0
        job = capsys.readouterr().out.strip()
        try:
            wait_until(lambda: len(service.calls) > 220, "a call that is not answered")
            calls, before = len(service.calls), checkpoints(flink, job)["completed"]
            wait_until(lambda: checkpoints(flink, job)["completed"] >= before + 8, "8 checkpoints")
            tried = len(service.calls) - calls
            assert rows() < RECORDS
            service.status = 200
            wait_until(lambda: rows() == RECORDS, f"{RECORDS} rows")
            assert checkpoints(flink, job)["restored"] == 0, "the job has not failed"
        finally:
            flink_jobs.cancel(flink.rest, job, seconds=60)
    assert tried < 60, "those under way, and one for each wait"
    assert query(postgres_url, "SELECT count(*) FROM events WHERE answer > 0") == [(RECORDS,)]
    unsolved = "SELECT count(*) FROM ingest_jobs WHERE state <> 'completed'"
    assert query(postgres_url, unsolved) == [(0,)]
