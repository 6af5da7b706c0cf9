"""The command line's way from a dead letter to a row: replay, streams, kills, other runners."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from pipelines import command
from pipelines.ingest import main as ingest_main
from tests.pipelines import commands
from tests.pipelines.commands import audit, dead_letters
from tests.pipelines.programs import running, wait_for_rows
from tests.pipelines.tables import query
from tests.waiting import wait_until

pytestmark = pytest.mark.slow

LAX = {"type": "object", "properties": {"id": {"type": "integer"}, "n": {"type": "integer"}}}
STRICT = {**LAX, "properties": {"id": {"type": "integer"}, "n": {"type": "integer", "maximum": 4}}}


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
    return commands.arguments(f"{folder}/in/*.jsonl", sink, *of_schema(folder, schema), *more)


def ingested(folder: Path, sink: str, schema: str, *more: str) -> dict[str, Any]:
    """Run an ingest whose records are checked with one of the schemas; returns its summary."""
    return commands.ingested(f"{folder}/in/*.jsonl", sink, *of_schema(folder, schema), *more)


def of_schema(folder: Path, schema: str) -> tuple[str, str]:
    return "--schema", f"{folder}/{schema}.json"


@pytest.mark.parametrize("runner", ["DirectRunner", "PrismRunner"])
def test_a_replay_with_a_repaired_schema_heals(
    folder: Path, sink: str, runner: str, request: pytest.FixtureRequest
) -> None:
    if runner == "PrismRunner":
        request.getfixturevalue("prism")
    first = ingested(folder, sink, "strict", "--runner", runner)
    assert (first["inserted"], first["dead"]) == (50, 50)
    assert dead_letters("replay", "--sink", sink, "--category", "schema", "--reason", "v2") == 0
    assert audit(sink) == 0, "the ledger has them as retrying"
    again = ingested(folder, sink, "lax", "--runner", runner)
    assert (again["read"], again["inserted"], again["attempts"]) == (50, 50, 50)
    assert (again["scheduled"], again["next_attempt_at"]) == (0, None)
    assert query(sink, "SELECT count(*) FROM events") == [(100,)]
    states = query(sink, "SELECT state, count(*) FROM ingest_jobs GROUP BY state")
    assert states == [("completed", 50)]
    assert audit(sink) == 0


def test_a_replay_that_fails_again_is_dead_again_and_capped(folder: Path, sink: str) -> None:
    ingested(folder, sink, "strict")
    for replays in (1, 2, 2):
        cap = ("--max_replays", "2", "--reason", "hope")
        assert dead_letters("replay", "--sink", sink, *cap) == 0
        ingested(folder, sink, "strict")
        jobs = query(sink, "SELECT DISTINCT state, replays, attempt FROM ingest_jobs")
        assert jobs == [("discarded", replays, 1)]
    assert query(sink, "SELECT count FROM ingest_audit ORDER BY id") == [(50,), (50,)]


def test_a_running_stream_takes_what_is_replayed(folder: Path, sink: str) -> None:
    ingested(folder, sink, "strict")
    with running(arguments(folder, sink, "lax", "--streaming")) as process:
        assert dead_letters("replay", "--sink", sink, "--reason", "the schema is repaired") == 0
        wait_for_rows(process, sink, 100)
        process.terminate()
        _, errors = process.communicate(timeout=30)
        assert process.returncode == 0, errors
    assert audit(sink) == 0


@pytest.mark.integration
class TestPostgres:
    def prepared(self, folder: Path, url: str, trigger: str) -> None:
        """All records refused by the database, then replayed; a trigger stands in their way."""
        with psycopg2.connect(url) as connection, connection.cursor() as cursor:
            cursor.execute("CREATE TABLE events (id bigint PRIMARY KEY, n bigint CHECK (n < 0))")
        summary = ingested(folder, url, "lax")
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
            wait_until(lambda: query(postgres_url, executing) != [(0,)], "a claim")
            process.kill()
            process.wait()
        assert query(postgres_url, "SELECT count(*) FROM applied") == [(0,)]
        with psycopg2.connect(postgres_url) as connection, connection.cursor() as cursor:
            cursor.execute("ALTER TABLE events DISABLE TRIGGER t")
            cursor.execute("ALTER TABLE events ENABLE TRIGGER t")
        again = ingested(folder, postgres_url, "lax", "--job_lease", "2")
        assert again["inserted"] == 100, "the run waits for the dead process's lease"
        assert query(postgres_url, "SELECT count(*), count(DISTINCT id) FROM applied") == [
            (100, 100)
        ]
        history = query(postgres_url, "SELECT DISTINCT attempt, state FROM ingest_jobs")
        assert history == [(2, "completed")], "the attempt that was killed counts"
        assert audit(postgres_url) == 0

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
            wait_until(lambda: query(postgres_url, jobs) == [(1,)], "the tables")
            failed = "SELECT count(*) FROM ingest_jobs"
            wait_until(lambda: query(postgres_url, failed) == [(100,)], "the failures")
            query(postgres_url, "INSERT INTO parents SELECT generate_series(0, 9)")

        parents = threading.Thread(target=arrive)
        parents.start()
        summary = ingested(
            *(folder, postgres_url, "lax", "--runner", runner),
            *("--backoff_base", "0.5", "--backoff_cap", "0.5", "--max_attempts", "30"),
        )
        parents.join()
        assert (summary["read"], summary["inserted"], summary["retrying"]) == (100, 100, 0)
        assert summary["attempts"] >= 100
        assert audit(postgres_url) == 0


class TestOptions:
    @pytest.mark.parametrize(
        ("option", "value", "message"),
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
        self,
        folder: Path,
        capsys: pytest.CaptureFixture[str],
        option: str,
        value: str,
        message: str,
    ) -> None:
        argv = arguments(folder, f"sqlite:///{folder}/x.db", "lax", f"{option}={value}")
        assert command.run("ingest", ingest_main, argv) == command.USAGE
        line = capsys.readouterr().err.strip()
        assert message in line
        assert len(line.splitlines()) == 1

    def test_dead_letters_may_not_go_where_they_are_read(
        self, folder: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        argv = arguments(
            folder, f"sqlite:///{folder}/x.db", "lax", "--dead_letters", f"{folder}/in"
        )
        assert command.run("ingest", ingest_main, argv) == command.USAGE
        assert "read again forever" in capsys.readouterr().err

    def test_dead_letters_go_to_a_second_place(self, folder: Path, sink: str) -> None:
        ingested(folder, sink, "strict", "--dead_letters", f"{folder}/dead")
        (file,) = (folder / "dead").glob("*.jsonl")
        letters = [json.loads(line) for line in file.read_text().splitlines()]
        assert sorted(each["offset"] for each in letters) == sorted(
            offset for (offset,) in query(sink, 'SELECT "offset" FROM ingest_jobs')
        )

    def test_what_is_old_enough_is_pruned(self, folder: Path, sink: str) -> None:
        ingested(folder, sink, "strict")
        ingested(folder, sink, "strict", "--retain", "discarded=0s")
        assert query(sink, "SELECT count(*) FROM ingest_jobs") == [(0,)]
        assert query(sink, "SELECT action, count FROM ingest_audit") == [("prune", 50)]
        assert audit(sink) == 0
