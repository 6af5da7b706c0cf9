"""What an ingest of hostile records logs: where they are, and nothing of what they hold."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from pipelines import command
from pipelines.ingest import ingest
from sinks.database.engine import dispose_engines
from tests.pipelines.commands import arguments
from transforms.batch.record import Record
from transforms.errors import Reject
from transforms.steps.each_record import EachRecord

PAYLOAD = "CANARY-OF-THE-RECORDS"
SECRET = "canary-of-the-log-in"
HOSTILE = f'{PAYLOAD}\\u001b[2J\\n{{\\"level\\":\\"error\\"}}'

RECORDS = [
    '{"id": "1", "n": 1}',
    f'{{"id": "2", "n": {PAYLOAD}',  # no JSON
    f'{{"id": "3", "n": "{HOSTILE}"}}',  # the column's type is another
    f'{{"id": "4", "n": 4, "{PAYLOAD}": 1}}',  # no column of that name
    f'{{"id": "5", "n": 5, "name": "reject {HOSTILE}"}}',
    f'{{"id": "6", "n": 6, "name": "raise {HOSTILE}"}}',
    f'{{"id": "7", "n": 7, "name": "refuse {HOSTILE}"}}',  # the database's own rule
    *(f'{{"id": "{n}", "n": {PAYLOAD}' for n in range(8, 200)),
]


def hostile(record: Record) -> Record:
    name = str(record.value.get("name"))
    if name.startswith("reject"):
        raise Reject(name, "refused_by_us")
    if name.startswith("raise"):
        raise ValueError(name)
    return record


def test_lines_tell_the_place_and_the_job_of_each_new_kind_and_no_payload_and_no_secret(
    postgres_url: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    engine = sa.create_engine(postgres_url)
    with engine.begin() as connection:
        connection.execute(
            sa.text(
                "CREATE TABLE events (id text PRIMARY KEY, n integer, "
                "name text CHECK (name NOT LIKE 'refuse%'))"
            )
        )
    path = tmp_path / "events.jsonl"
    path.write_text("".join(f"{line}\n" for line in RECORDS))
    sink = sa.make_url(postgres_url).set(password=SECRET).render_as_string(hide_password=False)
    argv = arguments(
        path, sink, "--log_format", "json", "--log_level", "debug", "--max_dead", "500"
    )
    assert command.run("ingest", lambda flags: ingest(steps=[STEP], argv=flags), argv) == 0
    captured = capfd.readouterr()
    lines: list[dict[str, Any]] = [json.loads(line) for line in captured.err.splitlines()]
    assert PAYLOAD not in captured.out + captured.err
    assert SECRET not in captured.out + captured.err

    with engine.connect() as connection:
        query = 'SELECT id, stage, category, source, partition, "offset" FROM ingest_jobs'
        jobs = {row.id: row._asdict() for row in connection.execute(sa.text(query))}
    engine.dispose()
    dispose_engines()
    assert len(jobs) == len(RECORDS) - 1
    told = [line for line in lines if "category" in line]
    kinds = {(job["stage"], job["category"]) for job in jobs.values()}
    assert len(kinds) >= 5, "each of the ways to fail is another kind"
    assert sorted((line["stage"], line["category"]) for line in told) == sorted(kinds)
    for line in told:
        job = jobs[line["job"]]
        assert {name: line[name] for name in job if name != "id"} == {
            name: value for name, value in job.items() if name != "id"
        }
        assert line["run"]
        assert (line["pipeline"], line["target"]) == ("events", "events")
    assert len(lines) < 20, "a line for a kind, none for a record"


STEP = EachRecord(hostile, "Hostile")
