"""The same pipeline on every local runner: the same table, dead letters and ledger."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from zlib import crc32

import pytest
import sqlalchemy as sa

from examples.events import events, write
from pipelines import command
from pipelines.ingest import main as ingest_main
from sinks.database.engine import dispose_engines
from tests.pipelines import end_state
from tests.pipelines.commands import printed
from tests.pipelines.end_state import events_by
from tests.pipelines.programs import running, wait_for_rows
from tests.pipelines.tables import create_schema, query
from tests.services.kafka_broker import KafkaBroker, Topics
from tests.waiting import wait_until

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("prism"), pytest.mark.slow]

RUNNERS = ("DirectRunner", "PrismRunner")


@pytest.fixture(params=["sqlite", "postgres"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[str], str]]:
    """The URL of an empty database for a runner; on Postgres each has a schema of its own."""
    if request.param == "sqlite":
        yield lambda name: f"sqlite:///{tmp_path}/{name}.db"
        dispose_engines()
        return
    url: str = request.getfixturevalue("postgres_url")

    yield lambda name: create_schema(url, name)
    dispose_engines()


def state_after(*arguments: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """What the database holds, and what of the summary is no matter of time."""
    state, summary = end_state.state_after(*arguments)
    counted = ("read", "inserted", "duplicates", "dead", "batches", "splits", "sources")
    return state, {name: summary[name] for name in counted}


def test_files_with_broken_lines(
    database: Callable[[str], str], schema: Path, tmp_path: Path
) -> None:
    lines = list(events(10_000, duplicates=0.02, broken=0.01))
    write(tmp_path / "in", iter(lines), 4)
    direct, prism = (
        state_after(runner, f"{tmp_path}/in/*.jsonl", database(runner), "--schema", str(schema))
        for runner in RUNNERS
    )
    good = {line.key for line in lines if not line.broken}
    assert len(direct[0]["events"]) == len(good)
    assert len(direct[0]["ingest_jobs"]) == sum(1 for line in lines if line.broken)
    assert all(each["complete"] and each["ok"] for each in direct[0]["ledger"])
    assert prism == direct


def test_a_topic_until_its_latest_offsets(
    database: Callable[[str], str],
    schema: Path,
    tmp_path: Path,
    kafka_broker: KafkaBroker,
    topic: Topics,
) -> None:
    name = topic(partitions=4)
    lines = list(events(5_000, duplicates=0.02, broken=0.01))
    # By key: which of two duplicates is the first is no matter of timing within a partition.
    keyed = ((line.key.encode(), line.raw, crc32(line.key.encode()) % 4) for line in lines)
    kafka_broker.produce(name, keyed)
    uri = f"kafka://{kafka_broker.bootstrap}/{name}?until=latest"
    direct, prism = (
        state_after(runner, uri, database(runner), "--schema", str(schema)) for runner in RUNNERS
    )
    assert direct[1]["read"] == len(lines)
    assert len(direct[0]["ledger"]) == 4
    assert all(each["ok"] and each["end"] is None for each in direct[0]["ledger"])
    # How a topic is cut into batches is a matter of timing; all else is not.
    assert direct[1].pop("batches") > 0
    assert prism[1].pop("batches") > 0
    assert prism == direct


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_streaming_topic_on_prism_ends_well_at_a_signal(
    number: signal.Signals,
    postgres_url: str,
    kafka_broker: KafkaBroker,
    topic: Topics,
) -> None:
    name = topic(partitions=2)
    kafka_broker.produce(name, ((None, line.raw, None) for line in events(1_000)))
    uri = f"kafka://{kafka_broker.bootstrap}/{name}"
    argv = events_by("PrismRunner", uri, postgres_url, "--streaming")
    with running(argv) as process:
        wait_for_rows(process, postgres_url, 1_000)
        kafka_broker.produce(name, ((None, line.raw, None) for line in events(500, seed=8)))
        wait_for_rows(process, postgres_url, 1_500)
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, printed(err)) == (0, [])
    assert "1,500  read" in out


def test_a_second_signal_ends_a_run_on_prism_at_once(
    tmp_path: Path, kafka_broker: KafkaBroker, topic: Topics, postgres_url: str
) -> None:
    """The table is locked by another session, so the first signal has to wait for it."""
    name = topic()
    kafka_broker.produce(name, ((None, line.raw, None) for line in events(100)))
    uri = f"kafka://{kafka_broker.bootstrap}/{name}"
    argv = events_by("PrismRunner", uri, postgres_url, "--streaming")
    engine = sa.create_engine(postgres_url)
    with running(argv) as process, engine.connect() as holder:
        wait_for_rows(process, postgres_url, 100)
        holder.execute(sa.text("LOCK TABLE events IN EXCLUSIVE MODE"))
        kafka_broker.produce(name, ((None, line.raw, None) for line in events(100, seed=8)))
        waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted"
        wait_until(lambda: query(postgres_url, waiting) != [(0,)], "a session that waits")
        process.send_signal(signal.SIGTERM)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(timeout=1)
        process.send_signal(signal.SIGTERM)
        # The lock is still held: it ends without waiting for it.
        assert process.wait(timeout=60) == 128 + signal.SIGTERM
    engine.dispose()


@pytest.mark.parametrize("runner", RUNNERS)
def test_a_database_that_refuses_is_the_same_line_on_every_runner(
    runner: str,
    postgres_url: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    write(tmp_path / "in", events(100), 1)
    argv = events_by(runner, f"{tmp_path}/in/*.jsonl", postgres_url)
    assert command.run("ingest", ingest_main, argv) == 0
    write(tmp_path / "in" / "more", events(100, seed=8), 1)
    argv = events_by(runner, f"{tmp_path}/in/more/*.jsonl", postgres_url)
    query(
        postgres_url,
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "INSERT INTO a_table_that_is_gone DEFAULT VALUES; RETURN NULL; END $$",
    )
    query(
        postgres_url,
        "CREATE TRIGGER refuse BEFORE INSERT ON events EXECUTE FUNCTION refuse()",
    )
    capsys.readouterr()
    assert command.run("ingest", ingest_main, argv) == 1
    (line,) = printed(capsys.readouterr().err)
    assert line.startswith("ingest: ")
    assert 'relation "a_table_that_is_gone" does not exist' in line
    assert "Traceback" not in line


def test_a_prism_that_is_not_there_makes_no_table(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path / "in", events(1), 1)
    sink = f"sqlite:///{tmp_path}/a.db"
    argv = events_by("PrismRunner", f"{tmp_path}/in/*.jsonl", sink, "--prism_location=/no/prism")
    assert command.run("ingest", ingest_main, argv) == 2
    (line,) = printed(capsys.readouterr().err)
    assert line.startswith("ingest: --prism_location /no/prism: ")
    assert not (tmp_path / "a.db").exists()
