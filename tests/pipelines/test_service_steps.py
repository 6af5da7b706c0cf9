"""Steps that call a service, as the command line runs them: what a slow, broken or silent service does."""

from __future__ import annotations

import gzip
import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.ingest import ingest
from tests.pipelines.commands import arguments, ingested, printed
from tests.pipelines.commands import ingest as run_ingest
from tests.pipelines.programs import running, wait_for_rows
from tests.pipelines.tables import count_rows, query
from tests.services.http_service import SILENT, HttpService, http_service
from tests.waiting import wait_until
from transforms.batch.record import Record
from transforms.steps.each_record import EachRecord

pytestmark = pytest.mark.slow

TEXT = r"""
import os
import urllib.request

BASE = "{base}"

def fetch(record):
    return with_answer(record, get(record.value["id"]))

def get(number):
    with urllib.request.urlopen(BASE + str(number)) as response:
        return int(response.read())

def with_answer(record, answer):
    return record.with_value({{**record.value, "answer": answer}})

async def awaited(record):
    import asyncio
    host, port = BASE.removeprefix("http://").rstrip("/").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"GET / HTTP/1.1\r\n\r\n")
    await reader.readuntil(b"\r\n\r\n")
    writer.close()
    return record

def same(record):
    return record
"""


LATE = ("--backoff_base", "3600", "--backoff_cap", "3600", "--retry_wait", "0")
SOON = ("--backoff_base", "0.02", "--backoff_cap", "0.05")

SIZES: list[int] = []
"""How many records ``note_size`` was called with, each time."""


def note_size(records: list[Record]) -> list[Record]:
    SIZES.append(len(records))
    return records


@pytest.fixture
def service() -> Iterator[HttpService]:
    with http_service() as running_service:
        yield running_service


@pytest.fixture
def folder(tmp_path: Path, service: HttpService) -> Path:
    """Where ``fn.py`` calls the service, and 60 records wait for it."""
    (tmp_path / "fn.py").write_text(TEXT.format(base=service.url()))
    write(tmp_path, 60)
    return tmp_path


def make_due(sink: str) -> None:
    """Let every job be due, as if its time had come."""
    at = "'2020-01-01 00:00:00.000000'"
    query(sink, f"UPDATE ingest_queue SET due_at = {at}")
    query(sink, f"UPDATE ingest_jobs SET scheduled_at = {at}")


def write(folder: Path, count: int) -> None:
    lines = "".join(json.dumps({"id": n}) + "\n" for n in range(count))
    (folder / "in.jsonl").write_text(lines)


@pytest.fixture
def sink(tmp_path: Path) -> str:
    url = f"sqlite:///{tmp_path}/out.db"
    query(url, "CREATE TABLE events (id integer PRIMARY KEY, answer integer)")
    return url


def test_a_step_of_a_file_fills_a_column_with_helpers_and_constants_of_the_file(
    folder: Path, sink: str
) -> None:
    summary = ingested(folder / "in.jsonl", sink, "--step", f"{folder}/fn.py:fetch")
    assert summary["inserted"] == 60
    assert query(sink, "SELECT count(*) FROM events WHERE answer > 0")[0][0] == 60


@pytest.mark.parametrize("function", ["fetch", "awaited"])
def test_as_many_calls_are_made_at_once_as_allowed(
    folder: Path, sink: str, service: HttpService, function: str
) -> None:
    service.seconds = 0.05
    ingested(folder / "in.jsonl", sink, "--step", f"{folder}/fn.py:{function}?concurrency=8")
    assert service.most_at_once == 8
    assert len(service.calls) == 60


@pytest.mark.parametrize("options", ["", "?concurrency=4&timeout=20"])
def test_while_the_service_is_gone_the_source_waits_and_no_job_is_made(
    folder: Path, sink: str, service: HttpService, options: str
) -> None:
    service.status = lambda number: 503 if 20 <= number < 26 else 200
    step = ("--step", f"{folder}/fn.py:fetch{options}")
    summary = ingested(folder / "in.jsonl", sink, *step, *SOON)
    assert (summary["inserted"], summary["retrying"], summary["dead"]) == (60, 0, 0)
    assert query(sink, "SELECT count(*) FROM ingest_jobs")[0][0] == 0
    assert len(service.calls) < 60 + 6 + 2 * 4, "each try is one call, or those under way"


def test_an_outage_is_said_once_at_its_begin_and_its_end(
    folder: Path, sink: str, service: HttpService, capsys: pytest.CaptureFixture[str]
) -> None:
    service.status = lambda number: 503 if 20 <= number < 24 else 200
    step = ("--step", f"{folder}/fn.py:fetch?label=Ask")
    run_ingest(folder / "in.jsonl", sink, *step, *SOON)
    events = [
        json.loads(line)["event"]
        for line in capsys.readouterr().err.splitlines()
        if line.startswith("{")
    ]
    assert len([e for e in events if "the service of step 'Ask' is away (HTTP 503)" in e]) == 1
    assert len([e for e in events if "Ask answers again after" in e]) == 1


def test_after_the_outage_budget_the_run_fails_and_the_next_one_goes_on(
    folder: Path, sink: str, service: HttpService, capsys: pytest.CaptureFixture[str]
) -> None:
    service.status = lambda number: 503 if number >= 30 else 200
    step = ("--step", f"{folder}/fn.py:fetch")
    code = run_ingest(folder / "in.jsonl", sink, *step, "--outage_budget", "0.5")
    assert code == 1
    (line,) = printed(capsys.readouterr().err)
    assert line.startswith("ingest: the service of step 'fetch' has been away for ")
    service.status = 200
    ingested(folder / "in.jsonl", sink, *step)
    assert count_rows(sink, "events") == 60


def test_a_service_that_fails_at_one_record_makes_a_job_of_it_which_heals(
    folder: Path, sink: str, service: HttpService
) -> None:
    service.status = lambda number: 500 if number in (7, 9) else 200
    more = ("--backoff_base", "0.05", "--retry_wait", "5")
    summary = ingested(folder / "in.jsonl", sink, "--step", f"{folder}/fn.py:fetch", *more)
    assert (summary["inserted"], summary["dead"], summary["retrying"]) == (60, 0, 0)
    jobs = query(sink, "SELECT state, category, stage FROM ingest_jobs")
    assert [tuple(job) for job in jobs] == [("completed", "service_error", "fetch")] * 2


def test_jobs_that_meet_an_outage_use_no_attempt(
    folder: Path, sink: str, service: HttpService
) -> None:
    write(folder, 5)
    step = ("--step", f"{folder}/fn.py:fetch")
    service.status = 500
    run_ingest(folder / "in.jsonl", sink, *step, *LATE)
    assert query(sink, "SELECT DISTINCT attempt, state FROM ingest_jobs") == [(1, "retryable")]
    make_due(sink)
    before = len(service.calls)
    service.status = lambda number: 503 if number <= before + 4 else 200
    ingested(folder / "in.jsonl", sink, *step, *SOON)
    assert len(service.calls) == before + 4 + 5
    assert query(sink, "SELECT DISTINCT attempt, state FROM ingest_jobs") == [(2, "completed")]
    assert count_rows(sink, "events") == 5


@pytest.mark.parametrize("options", ["?concurrency=4&timeout=60", ""])
def test_a_process_whose_service_never_answers_ends_soon_after_a_signal(
    folder: Path, sink: str, service: HttpService, options: str
) -> None:
    service.status = lambda number: SILENT if number > 40 else 200
    argv = arguments(folder / "in.jsonl", sink, "--step", f"{folder}/fn.py:fetch{options}")
    with running(argv) as process:
        wait_until(lambda: len(service.calls) > 40, "a call that is not answered")
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 1
        assert process.stderr is not None
        said = process.stderr.read()
    assert "stopped" in said
    assert "Traceback" not in said
    assert query(sink, "SELECT count(*) FROM ingest_jobs")[0][0] == 0


def test_a_process_that_is_killed_while_it_calls_loses_and_doubles_nothing(
    folder: Path, sink: str, service: HttpService
) -> None:
    write(folder, 200)
    service.seconds = 0.05
    step = ("--step", f"{folder}/fn.py:fetch?concurrency=4&timeout=20")
    with running(arguments(folder / "in.jsonl", sink, *step)) as process:
        wait_for_rows(process, sink, 20)
        os.kill(process.pid, signal.SIGKILL)
    assert count_rows(sink, "events") < 200
    service.seconds = 0
    ingested(folder / "in.jsonl", sink, *step)
    assert count_rows(sink, "events") == 200


def test_a_stream_goes_on_where_a_slow_step_made_its_bundles_end(
    folder: Path, sink: str, service: HttpService
) -> None:
    """Bundles of a stream end while a poll is half emitted; its rest is neither lost nor read again."""
    service.seconds = 0.02
    write(folder, 400)
    argv = arguments(
        *(folder / "in.jsonl", sink, "--streaming", "--rest_seconds", "0", "--step"),
        f"{folder}/fn.py:fetch",
    )
    with running(argv) as process:
        wait_for_rows(process, sink, 400)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    assert len(service.calls) == 400


def test_in_flight_are_no_more_records_than_allowed(folder: Path, sink: str) -> None:
    write(folder, 500)
    SIZES.clear()
    code = ingest(
        steps=[EachRecord(note_size, "Note", batch=1_000)],
        argv=arguments(folder / "in.jsonl", sink, "--max_in_flight", "40"),
    )
    assert code == 0
    assert max(SIZES) == 10
    assert count_rows(sink, "events") == 500


@pytest.mark.parametrize("suffix", ["jsonl", "csv.gz", "parquet"])
def test_a_file_that_is_settled_in_parts_is_recognised_by_the_same_bytes(
    tmp_path: Path, suffix: str
) -> None:
    path = tmp_path / f"in.{suffix}"
    rows = [{"id": n} for n in range(100)]
    if suffix == "parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
    elif suffix == "jsonl":
        path.write_text("".join(json.dumps(row) + "\r\n" for row in rows))
    else:
        path.write_bytes(gzip.compress(b"id\n" + b"".join(b"%d\n" % n for n in range(100))))
    contents = []
    for name, more in (("whole", ()), ("parts", ("--max_in_flight", "28"))):
        sink = f"sqlite:///{tmp_path}/{name}.db"
        ingested(path, sink, *more)
        contents.append(
            query(sink, "SELECT start_offset, end_offset, content FROM ingest_progress")
        )
    assert contents[0] == contents[1]
    assert contents[0][0][2]


def test_retries_share_the_time_of_the_service(
    folder: Path, sink: str, service: HttpService
) -> None:
    """A claim of due jobs has as many as fit into two seconds."""
    write(folder, 100)
    step = ("--step", f"{folder}/fn.py:fetch")
    service.status = 500
    run_ingest(folder / "in.jsonl", sink, *step, *LATE)
    make_due(sink)
    service.status, service.seconds = 200, 0.01
    summary = ingested(folder / "in.jsonl", sink, *step)
    assert count_rows(sink, "events") == 100
    assert (summary["attempts"], len(service.calls)) == (100, 200)
    claims = query(sink, "SELECT DISTINCT attempted_at FROM ingest_jobs")
    assert len(claims) > 1, "32 at first"
