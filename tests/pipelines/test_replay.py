"""The command line's way from a dead letter to a row: replay, streams, kills, other runners."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg2
import pytest
import sqlalchemy as sa

from pipelines import command
from pipelines.audit import main as audit_main
from pipelines.dead_letters import main as dead_letters_main
from pipelines.ingest import main as ingest_main
from sinks.database.engine import dispose_engines

ROOT = Path(__file__).resolve().parents[2]
LAX = {"type": "object", "properties": {"id": {"type": "integer"}, "n": {"type": "integer"}}}
STRICT = {**LAX, "properties": {"id": {"type": "integer"}, "n": {"type": "integer", "maximum": 4}}}


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.integration)])
def sink(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/ingest.db"
    else:
        yield str(request.getfixturevalue("postgres_url"))
    dispose_engines()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """100 records, and two schemas: half of the records are refused by one of them."""
    (tmp_path / "in").mkdir()
    lines = (json.dumps({"id": i, "n": i % 10}) + "\n" for i in range(100))
    (tmp_path / "in" / "a.jsonl").write_text("".join(lines))
    (tmp_path / "strict.json").write_text(json.dumps(STRICT))
    (tmp_path / "lax.json").write_text(json.dumps(LAX))
    return tmp_path


def arguments(folder: Path, sink: str, schema: str, *more: str) -> list[str]:
    return [
        *("--source", f"{folder}/in/*.jsonl", "--sink", sink, "--table", "events", "--key", "id"),
        *("--schema", f"{folder}/{schema}.json", "--no_progress"),
        *("--summary_json", f"{folder}/summary.json", *more),
    ]


def ingest(folder: Path, sink: str, schema: str, *more: str) -> dict[str, Any]:
    assert command.run("ingest", ingest_main, arguments(folder, sink, schema, *more)) == 0
    summary: dict[str, Any] = json.loads((folder / "summary.json").read_text())
    assert summary["read"] == sum(
        summary[name]
        for name in ("inserted", "updated", "duplicates", "dead", "retrying", "filtered")
    )
    return summary


def dead_letters(*argv: str) -> int:
    return command.run("dead_letters", dead_letters_main, argv)


def query(sink: str, statement: str) -> list[tuple[Any, ...]]:
    engine = sa.create_engine(sink)
    try:
        with engine.begin() as connection:
            result = connection.execute(sa.text(statement))
            return [tuple(row) for row in result] if result.returns_rows else []
    finally:
        engine.dispose()


def await_true(condition: Callable[[], bool], what: str, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not happen within {seconds:.0f} s"
        time.sleep(0.05)


def audited(sink: str) -> int:
    return command.run("audit", audit_main, ["--sink", sink])


@pytest.mark.parametrize("runner", ["DirectRunner", "PrismRunner"])
def test_a_replay_with_a_mended_schema_heals(
    folder: Path, sink: str, runner: str, request: pytest.FixtureRequest
) -> None:
    if runner == "PrismRunner":
        request.getfixturevalue("prism")
    first = ingest(folder, sink, "strict", "--runner", runner)
    assert (first["inserted"], first["dead"]) == (50, 50)
    assert dead_letters("replay", "--sink", sink, "--category", "schema", "--reason", "v2") == 0
    assert audited(sink) == 0, "the ledger has them as retrying"
    again = ingest(folder, sink, "lax", "--runner", runner)
    assert (again["read"], again["inserted"], again["attempts"]) == (50, 50, 50)
    assert (again["scheduled"], again["next_attempt_at"]) == (0, None)
    assert query(sink, "SELECT count(*) FROM events") == [(100,)]
    states = query(sink, "SELECT state, count(*) FROM ingest_jobs GROUP BY state")
    assert states == [("completed", 50)]
    assert audited(sink) == 0


def test_a_replay_that_fails_again_is_dead_again_and_capped(folder: Path, sink: str) -> None:
    ingest(folder, sink, "strict")
    for replays in (1, 2, 2):
        cap = ("--max_replays", "2", "--reason", "hope")
        assert dead_letters("replay", "--sink", sink, *cap) == 0
        ingest(folder, sink, "strict")
        found = query(sink, "SELECT DISTINCT state, replays, attempt FROM ingest_jobs")
        assert found == [("discarded", replays, 1)]
    assert query(sink, "SELECT count FROM ingest_audit ORDER BY id") == [(50,), (50,)]


@contextmanager
def running(argv: list[str]) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "pipelines.ingest", *argv],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def test_a_running_stream_takes_what_is_replayed(folder: Path, sink: str) -> None:
    ingest(folder, sink, "strict")
    with running(arguments(folder, sink, "lax", "--streaming")) as process:
        assert dead_letters("replay", "--sink", sink, "--reason", "the schema is mended") == 0
        await_true(
            lambda: query(sink, "SELECT count(*) FROM events") == [(100,)], "the replay's rows"
        )
        process.terminate()
        _, errors = process.communicate(timeout=30)
        assert process.returncode == 0, errors
    assert audited(sink) == 0


@pytest.mark.integration
class TestPostgres:
    def prepared(self, folder: Path, url: str, trigger: str) -> None:
        """All records refused by the database, then replayed; a trigger stands in their way."""
        with psycopg2.connect(url) as connection, connection.cursor() as cursor:
            cursor.execute("CREATE TABLE events (id bigint PRIMARY KEY, n bigint CHECK (n < 0))")
        summary = ingest(folder, url, "lax")
        assert summary["dead"] == 100
        with psycopg2.connect(url) as connection, connection.cursor() as cursor:
            cursor.execute("ALTER TABLE events DROP CONSTRAINT events_n_check")
            cursor.execute("CREATE TABLE applied (id bigint)")
            cursor.execute(
                "CREATE FUNCTION count_it() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
                f"{trigger}; INSERT INTO applied VALUES (NEW.id); RETURN NEW; END $$"
            )
            cursor.execute(
                "CREATE TRIGGER t BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION count_it()"
            )
        assert dead_letters("replay", "--sink", url, "--reason", "no such check any more") == 0

    def test_killed_while_a_replay_runs(self, folder: Path, postgres_url: str) -> None:
        self.prepared(folder, postgres_url, "PERFORM pg_sleep(0.05)")
        argv = arguments(folder, postgres_url, "lax", "--job_lease", "2")
        executing = "SELECT count(*) FROM ingest_claims"
        with running(argv) as process:
            await_true(lambda: query(postgres_url, executing) != [(0,)], "a claim")
            process.kill()
            process.wait()
        assert query(postgres_url, "SELECT count(*) FROM applied") == [(0,)]
        with psycopg2.connect(postgres_url) as connection, connection.cursor() as cursor:
            cursor.execute("ALTER TABLE events DISABLE TRIGGER t")
            cursor.execute("ALTER TABLE events ENABLE TRIGGER t")
        started = time.monotonic()
        again = ingest(folder, postgres_url, "lax", "--job_lease", "2")
        assert again["inserted"] == 100, "the run waits for the dead process's lease"
        assert time.monotonic() - started < 60
        assert query(postgres_url, "SELECT count(*), count(DISTINCT id) FROM applied") == [
            (100, 100)
        ]
        history = query(postgres_url, "SELECT DISTINCT attempt, state FROM ingest_jobs")
        assert history == [(2, "completed")], "the attempt that was killed counts"
        assert audited(postgres_url) == 0

    def test_two_processes_run_each_job_once(self, folder: Path, postgres_url: str) -> None:
        self.prepared(folder, postgres_url, "PERFORM pg_sleep(0.01)")
        argv = arguments(folder, postgres_url, "lax")
        with running(argv) as one, running(argv) as other:
            assert (one.wait(90), other.wait(90)) == (0, 0)
        assert query(postgres_url, "SELECT count(*), count(DISTINCT id) FROM applied") == [
            (100, 100)
        ]
        assert query(postgres_url, "SELECT DISTINCT attempt, state FROM ingest_jobs") == [
            (1, "completed")
        ]

    @pytest.mark.parametrize("runner", ["DirectRunner", "PrismRunner"])
    def test_a_run_ends_only_when_nothing_is_due_soon(
        self, folder: Path, postgres_url: str, runner: str, request: pytest.FixtureRequest
    ) -> None:
        """Where splits are read side by side, the one of retries may end before the others."""
        if runner == "PrismRunner":
            request.getfixturevalue("prism")
        with psycopg2.connect(postgres_url) as connection, connection.cursor() as cursor:
            cursor.execute("CREATE TABLE parents (id bigint PRIMARY KEY)")
            cursor.execute(
                "CREATE TABLE events (id bigint PRIMARY KEY, n bigint REFERENCES parents)"
            )

        def arrive() -> None:
            jobs = "SELECT count(*) FROM pg_class WHERE relname = 'ingest_jobs'"
            await_true(lambda: query(postgres_url, jobs) == [(1,)], "the tables")
            failed = "SELECT count(*) FROM ingest_jobs"
            await_true(lambda: query(postgres_url, failed) == [(100,)], "the failures")
            query(postgres_url, "INSERT INTO parents SELECT generate_series(0, 9)")

        parents = threading.Thread(target=arrive)
        parents.start()
        summary = ingest(
            *(folder, postgres_url, "lax", "--runner", runner),
            *("--backoff_base", "0.5", "--backoff_cap", "0.5", "--max_attempts", "30"),
        )
        parents.join()
        assert (summary["read"], summary["inserted"], summary["retrying"]) == (100, 100, 0)
        assert summary["attempts"] >= 100
        assert audited(postgres_url) == 0


class TestOptions:
    @pytest.mark.parametrize(
        ("option", "value", "said"),
        [
            ("--retry_wait", "-1", "retry_wait"),
            ("--job_lease", "0", "job_lease"),
            ("--retain", "executing=1d", "executing"),
            ("--retain", "completed=soon", "soon"),
            ("--max_attempts", "0", "max_attempts"),
            ("--dead_letters", "ftp://x/y", "ftp"),
        ],
    )
    def test_what_makes_no_sense_is_one_line(
        self, folder: Path, capsys: pytest.CaptureFixture[str], option: str, value: str, said: str
    ) -> None:
        argv = arguments(folder, f"sqlite:///{folder}/x.db", "lax", f"{option}={value}")
        assert command.run("ingest", ingest_main, argv) == command.USAGE
        line = capsys.readouterr().err.strip()
        assert said in line
        assert len(line.splitlines()) == 1

    def test_dead_letters_may_not_go_where_they_are_read(
        self, folder: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        argv = arguments(
            folder, f"sqlite:///{folder}/x.db", "lax", "--dead_letters", f"{folder}/in"
        )
        assert command.run("ingest", ingest_main, argv) == command.USAGE
        assert "read again for ever" in capsys.readouterr().err

    def test_dead_letters_go_to_a_second_place(self, folder: Path, sink: str) -> None:
        ingest(folder, sink, "strict", "--dead_letters", f"{folder}/dead")
        (file,) = (folder / "dead").glob("*.jsonl")
        kept = [json.loads(line) for line in file.read_text().splitlines()]
        assert sorted(each["offset"] for each in kept) == sorted(
            offset for (offset,) in query(sink, 'SELECT "offset" FROM ingest_jobs')
        )

    def test_what_is_old_enough_is_pruned(self, folder: Path, sink: str) -> None:
        ingest(folder, sink, "strict")
        ingest(folder, sink, "strict", "--retain", "discarded=0s")
        assert query(sink, "SELECT count(*) FROM ingest_jobs") == [(0,)]
        assert query(sink, "SELECT action, count FROM ingest_audit") == [("prune", 50)]
        assert audited(sink) == 0
