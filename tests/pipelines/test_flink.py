"""The same pipeline on a real Flink cluster: the same table, and nothing lost with a machine."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any
from zlib import crc32

import psutil
import pytest
from mypy_boto3_s3 import S3Client

from examples.events import events, write
from pipelines import command
from pipelines.ingest import main as ingest_main
from pipelines.operation.verdicts import verdicts
from pipelines.outbox import main as outbox_main
from runners.flink import jobs as flink_jobs
from runners.flink.local.cluster import FlinkCluster
from sinks.database.engine import dispose_engines
from tests import waiting
from tests.pipelines import end_state
from tests.pipelines.commands import dead_letters, ingest, printed
from tests.pipelines.end_state import events_by
from tests.pipelines.flink_state import (
    checkpoints,
    newest_checkpoint,
    newest_job,
    python_workers,
    splits_by_subtask,
)
from tests.pipelines.tables import create_schema, query
from tests.pipelines.test_outbox import PARTITIONS, check_all_in_order
from tests.pipelines.test_outbox import left as unpublished
from tests.services.flink_faults import kill_task_manager, start_task_manager
from tests.services.flink_guarded import job_arguments
from tests.services.kafka_broker import KafkaBroker, Topics

pytestmark = [pytest.mark.integration, pytest.mark.slow]

SECONDS = 180.0
wait_until = partial(waiting.wait_until, seconds=SECONDS)
LEFT_BEHIND = 5_000
"""Bytes that each self-checkpoint left in the state for ever before Beam 2.76."""


@pytest.fixture
def schema_for(postgres_url: str) -> Iterator[Callable[[str], str]]:
    """The URL of an empty schema for a runner."""
    yield lambda name: create_schema(postgres_url, name)
    dispose_engines()


def state_after(
    runner: str, source: str, url: str, cluster: FlinkCluster, schema: Path, *more: str
) -> tuple[dict[str, Any], dict[str, Any]]:
    """What the database holds, and what was counted."""
    more = (*more, "--schema", str(schema))
    if runner == "FlinkRunner":
        more += tuple(job_arguments(cluster))
    state, summary = end_state.state_after(runner, source, url, *more)
    return state, {name: summary[name] for name in ("read", "inserted", "duplicates", "dead")}


def test_objects_give_what_they_give_in_one_process(
    flink: FlinkCluster,
    schema_for: Callable[[str], str],
    schema: Path,
    tmp_path: Path,
    s3: S3Client,
    bucket: str,
    s3_endpoint: str,
) -> None:
    lines = list(events(10_000, duplicates=0.02, broken=0.01))
    write(tmp_path / "in", iter(lines), 4)
    for path in (tmp_path / "in").iterdir():
        s3.upload_file(str(path), bucket, f"in/{path.name}")
    source = f"s3://{bucket}/in/*.jsonl"
    more = ("--s3_endpoint_url", s3_endpoint)
    direct = state_after("DirectRunner", source, schema_for("direct"), flink, schema, *more)
    on_flink = state_after("FlinkRunner", source, schema_for("flink"), flink, schema, *more)
    assert len(direct[0]["events"]) == len({line.key for line in lines if not line.broken})
    assert len(direct[0]["ingest_jobs"]) == sum(1 for line in lines if line.broken)
    assert all(each["complete"] and each["ok"] for each in direct[0]["ledger"])
    assert on_flink == direct


def test_a_topic_until_its_latest_offsets_on_two_subtasks(
    flink: FlinkCluster,
    schema_for: Callable[[str], str],
    schema: Path,
    kafka_broker: KafkaBroker,
    topic: Topics,
) -> None:
    name = topic(partitions=4)
    lines = list(events(5_000, duplicates=0.02, broken=0.01))
    keyed = ((line.key.encode(), line.raw, crc32(line.key.encode()) % 4) for line in lines)
    kafka_broker.produce(name, keyed)
    uri = f"kafka://{kafka_broker.bootstrap}/{name}?until=latest"
    direct = state_after("DirectRunner", uri, schema_for("direct"), flink, schema)
    more = ("--parallelism", "2")
    on_flink = state_after("FlinkRunner", uri, schema_for("flink"), flink, schema, *more)
    job = newest_job(flink)
    # Flink collects the numbers of a job every ten seconds, also for a while after its end.
    waiting.wait_until(
        lambda: sum(splits_by_subtask(flink, job)) == 4 + 1, "the splits and the retries"
    )
    splits = splits_by_subtask(flink, job)
    assert min(splits) >= 2
    assert direct[1]["read"] == len(lines)
    assert len(direct[0]["ledger"]) == 4
    assert on_flink == direct


def test_an_outbox_is_published_by_a_cluster(
    flink: FlinkCluster, postgres_url: str, tmp_path: Path, kafka_broker: KafkaBroker, topic: Topics
) -> None:
    name = topic(partitions=PARTITIONS)
    (tmp_path / "in.jsonl").write_text(
        "".join(f'{{"id": {n % 900}, "seen": {n}}}\n' for n in range(1_000))
    )
    query(postgres_url, "CREATE TABLE events (id integer PRIMARY KEY, seen integer)")
    more = ("--outbox", "--on_conflict", "newest:seen")
    assert ingest(tmp_path / "in.jsonl", postgres_url, *more) == 0
    to = ["--sink", postgres_url, "--to", f"kafka://{kafka_broker.bootstrap}/{name}"]
    on_flink = ["--runner", "FlinkRunner", *job_arguments(flink), *to]
    assert command.run("outbox", outbox_main, on_flink) == 0
    assert check_all_in_order(kafka_broker, name, postgres_url) == 0
    assert unpublished(postgres_url) == 0


def submit(argv: Sequence[str], capsys: pytest.CaptureFixture[str]) -> str:
    capsys.readouterr()
    assert command.run("ingest", ingest_main, [*argv, "--streaming", "--detach"]) == 0
    return capsys.readouterr().out.strip()


def child(number: int) -> bytes:
    return json.dumps({"event_id": f"c{number}", "parent_id": number % 10}).encode()


@pytest.mark.timeout(900)  # each of its waits has its own bound
def test_retries_survive_a_lost_machine_and_a_changed_schema_goes_on_from_a_savepoint(
    flink: FlinkCluster,
    postgres_url: str,
    tmp_path: Path,
    kafka_broker: KafkaBroker,
    topic: Topics,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """One stream through all of it, as each submission takes its time."""
    query(postgres_url, "CREATE TABLE parents (id bigint PRIMARY KEY)")
    query(
        postgres_url,
        "CREATE TABLE events (event_id text PRIMARY KEY, parent_id bigint REFERENCES parents)",
    )
    note_what_is_applied(postgres_url)
    name = topic(partitions=2)
    source = f"kafka://{kafka_broker.bootstrap}/{name}"
    more = ("--parallelism", "2", "--checkpointing_interval", "1000", *job_arguments(flink))
    # Every attempt before the kill fails, and the next ones come after the restart.
    waits = ("--backoff_base", "8", "--backoff_cap", "8", "--max_attempts", "100")
    argv = events_by("FlinkRunner", source, postgres_url, *more, *waits)
    schema = tmp_path / "schema.json"
    schema.write_text(json.dumps(CHILDREN))

    job = submit([*argv, "--schema", str(schema)], capsys)
    try:
        kafka_broker.produce(name, ((None, child(n), n % 2) for n in range(200)))
        # Whether each waits or is being tried again at this moment does not matter.
        wait_until(lambda: unfinished_jobs(postgres_url) == 200, "200 retries")
        wait_until(lambda: checkpoints(flink, job)["completed"] > 0, "checkpoint")
        workers = python_workers(flink)
        for lost in flink.task_managers():
            kill_task_manager(flink, lost)
        _, left = psutil.wait_procs(workers, SECONDS)
        assert workers
        assert not left, "workers that nobody stops"
        query(postgres_url, "INSERT INTO parents SELECT generate_series(0, 9)")
        start_task_manager(flink)
        wait_until(lambda: counted_rows(postgres_url) == 200, "200 rows")
        # An attempt that finds too few slots yet is followed by another, from the same state.
        assert checkpoints(flink, job)["restored"] >= 1
        wait_until(lambda: counted_jobs(postgres_url, "completed") == 200, "200 completed jobs")

        number, size = newest_checkpoint(flink, job)
        wait_until(lambda: newest_checkpoint(flink, job)[0] >= number + 10, "ten checkpoints")
        grown = newest_checkpoint(flink, job)[1] - size
        assert grown < LEFT_BEHIND, "each split has checkpointed itself several times"

        wait_until(lambda: checkpoints(flink, job)["completed"] > 0, "checkpoint")
        savepoint = flink_jobs.stop(flink.rest, job, seconds=60)
        kafka_broker.produce(name, ((None, child(n), n % 2) for n in range(200, 300)))
        schema.write_text(json.dumps(FEWER_CHILDREN))
        job = submit([*argv, "--schema", str(schema), "--savepoint_path", savepoint], capsys)
        wait_until(lambda: counted_jobs(postgres_url, "discarded") == 10, "10 dead letters")
        wait_until(lambda: counted_rows(postgres_url) == 290, "290 rows")
        assert checkpoints(flink, job)["restored"] == 1
    finally:
        flink_jobs.cancel(flink.rest, job, seconds=60)
    assert query(postgres_url, "SELECT count(*), max(n) FROM applied") == [(290, 1)]
    ledger = [each.as_json() for each in verdicts(postgres_url, None)]
    assert [each["ranges"] for each in ledger] == [[[0, 150]], [[0, 150]]]
    assert all(each["ok"] for each in ledger)
    assert sum(each["read"] for each in ledger) == 300


@pytest.mark.timeout(900)  # each of its waits has its own bound
def test_a_job_is_known_among_others_and_goes_on_from_what_it_left(
    flink: FlinkCluster,
    postgres_url: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name in ("own", "other", "added"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "1.jsonl").write_text('{"event_id": "1"}\n')
    more = ("--checkpointing_interval", "1000", *job_arguments(flink), "--no_progress")

    def argv(table: str, *names: str) -> list[str]:
        sources = (("--source", f"{tmp_path}/{name}/*.jsonl") for name in names)
        options = ["--runner", "FlinkRunner", "--sink", postgres_url, "--table", table, *more]
        return [*options, "--key", "event_id", *chain.from_iterable(sources)]

    def rows(table: str) -> int:
        return int(query(postgres_url, f"SELECT count(*) FROM {table}")[0][0])

    def refused(code: int, *changed: str) -> str:
        capsys.readouterr()
        assert command.run("ingest", ingest_main, [*changed, "--streaming", "--detach"]) == code
        out, err = capsys.readouterr()
        (line,) = printed(err)
        assert not out
        return line

    own, other = (submit(argv(table, table), capsys) for table in ("own", "other"))
    try:
        names = [flink_jobs.status(flink.rest, job)[0]["name"] for job in (own, other)]
        assert names == ["ingest-own", "ingest-other"]
        wait_until(lambda: rows("own") == 1, "row")
        wait_until(lambda: checkpoints(flink, own)["completed"] > 0, "checkpoint")
        master = flink.endpoints.flink_master
        cancel = ["cancel", "--job", own, "--flink_master", master, "--json"]
        capsys.readouterr()
        assert flink_jobs.main(cancel) == 0
        left = str(json.loads(capsys.readouterr().out)[0]["checkpoint"])
        assert left == checkpoints(flink, own)["last"]
        assert Path(left.removeprefix("file:"), "_metadata").exists()
        assert flink_jobs.status(flink.rest, other)[0]["state"] == "RUNNING"

        savepoint = ("--savepoint_path", left)
        line = refused(2, *argv("own", "own", "added"), *savepoint)
        assert "/added/*.jsonl, which would never be read" in line
        assert "writes table own, not others" in refused(2, *argv("others", "own"), *savepoint)
        assert query(postgres_url, "SELECT to_regclass('others')") == [(None,)]
        gone = f"{left.rpartition('/')[0]}/chk-99999"
        assert gone in refused(1, *argv("own", "own"), "--savepoint_path", gone)

        own = submit([*argv("own", "own"), *savepoint], capsys)
        assert checkpoints(flink, own)["restored"] == 1
        (tmp_path / "own" / "2.jsonl").write_text('{"event_id": "2"}\n')
        wait_until(lambda: rows("own") == 2, "second row")
        stopped = flink_jobs.stop(flink.rest, own, seconds=60)
        wait_until(lambda: checkpoints(flink, own)["last"] is None, "checkpoint said to be deleted")
        wait_until(lambda: checkpoints(flink, own)["savepoint"] == stopped, "the savepoint")
    finally:
        for job in flink_jobs.status(flink.rest):
            if job["state"] in flink_jobs.RUNNING:
                flink_jobs.cancel(flink.rest, job["job"], seconds=60)


CHILDREN = {
    "type": "object",
    "properties": {"event_id": {"type": "string"}, "parent_id": {"type": "integer"}},
}
FEWER_CHILDREN = {
    "type": "object",
    "properties": {"event_id": {"type": "string"}, "parent_id": {"enum": list(range(9))}},
}


def note_what_is_applied(url: str) -> None:
    """Count what is offered to the table, where its key would hide the second time."""
    query(url, "CREATE TABLE applied (event_id text PRIMARY KEY, n int NOT NULL)")
    query(
        url,
        "CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "INSERT INTO applied VALUES (NEW.event_id, 1) "
        "ON CONFLICT (event_id) DO UPDATE SET n = applied.n + 1; RETURN NEW; END $$",
    )
    query(url, "CREATE TRIGGER note BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION note()")


def counted_rows(url: str) -> int:
    return int(query(url, "SELECT count(*) FROM events")[0][0])


def counted_jobs(url: str, state: str) -> int:
    return int(query(url, f"SELECT count(*) FROM ingest_jobs WHERE state = '{state}'")[0][0])


def unfinished_jobs(url: str) -> int:
    states = "('available', 'scheduled', 'retryable')"
    return int(query(url, f"SELECT count(*) FROM ingest_jobs WHERE state IN {states}")[0][0])


HIDES = """
import os
import sys

from pipelines.ingest import ingest
from transforms.steps.each_record import EachRecord
from transforms.errors import Reject, RetryLater

READY = sys.argv.pop(1)


def hide(record):
    if not os.path.exists(READY):
        raise Reject("no tenant", "tenant") if record.value["id"] % 2 else RetryLater("not yet")
    return record.with_value({**record.value, "email": "hidden"})


if __name__ == "__main__":
    sys.exit(ingest(steps=[EachRecord(hide, "Hide")]))
"""


@pytest.mark.timeout(900)  # each of its waits has its own bound
def test_no_retry_gets_around_a_programs_own_step(
    flink: FlinkCluster, postgres_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The program itself takes its retries and replays, on the cluster as in one process."""
    ready = tmp_path / "ready"
    (tmp_path / "hides.py").write_text(HIDES)
    lines = [json.dumps({"id": n, "email": f"{n}@example.org"}) + "\n" for n in range(4)]
    (tmp_path / "people.jsonl").write_text("".join(lines))
    (tmp_path / "other.jsonl").write_text('{"id":9,"email":"open"}\n')
    query(postgres_url, "CREATE TABLE people (id bigint PRIMARY KEY, email text)")
    waits = ("--backoff_base", "3600", "--backoff_cap", "3600", "--retry_wait", "0")
    table = ("--sink", postgres_url, "--table", "people", "--key", "id", *waits)
    cluster = ("--runner", "FlinkRunner", *job_arguments(flink))

    def hide() -> None:
        program = (str(tmp_path / "hides.py"), str(ready), "--source", f"{tmp_path}/people.jsonl")
        command_line = [sys.executable, *program, *table, *cluster]
        subprocess.run(command_line, check=True, capture_output=True, timeout=SECONDS)

    hide()
    letters = ("--sink", postgres_url, "--stage", "Hide", "--reason", "test")
    assert dead_letters("replay", *letters) == 0
    query(postgres_url, "UPDATE ingest_queue SET due_at = now()")
    plain = ["--source", f"{tmp_path}/other.jsonl", *table, *cluster]
    capsys.readouterr()
    assert command.run("ingest", ingest_main, plain) == 0
    line = "4 jobs of table people wait for pipeline people [Hide]; this program is people []"
    assert f"ingest: {line}" in capsys.readouterr().err.splitlines()
    assert query(postgres_url, "SELECT id, email FROM people") == [(9, "open")]
    ready.touch()
    hide()
    hidden = [(n, "hidden") for n in range(4)]
    people = query(postgres_url, "SELECT id, email FROM people ORDER BY id")
    assert people == [*hidden, (9, "open")]
