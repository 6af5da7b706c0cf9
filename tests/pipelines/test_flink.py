"""The same pipeline on a real Flink cluster: the same table, and nothing lost with a machine."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from zlib import crc32

import pytest
import sqlalchemy as sa

from examples.events import SCHEMA, events, write
from pipelines import command
from pipelines.audit import verdicts
from pipelines.ingest import main as ingest_main
from pipelines.options import from_argv
from runners.flink_cluster import FlinkCluster
from sinks.engine import dispose_engines
from tests.services.flink_guarded import job_arguments
from tests.services.kafka_broker import KafkaBroker, Topics
from transforms.errors import ConfigError

pytestmark = pytest.mark.integration

RUNNERS = ("DirectRunner", "FlinkRunner")
TABLES = {
    "events": "SELECT * FROM events ORDER BY event_id",
    "ingest_jobs": 'SELECT source, partition, "offset", stage, category, state, raw '
    'FROM ingest_jobs ORDER BY source, partition, "offset"',
}
SECONDS = 120.0


@pytest.fixture
def schema(tmp_path: Path) -> Path:
    path = tmp_path / "schema.json"
    path.write_text(json.dumps(SCHEMA))
    return path


@pytest.fixture
def sink(postgres_url: str) -> Iterator[Callable[[str], str]]:
    """The URL of an empty schema for a runner."""

    def schema_of(name: str) -> str:
        query(postgres_url, f"CREATE SCHEMA {name}")
        return f"{postgres_url}&options=-csearch_path%3D{name.lower()}"

    yield schema_of
    dispose_engines()


def query(url: str, statement: str) -> list[tuple[Any, ...]]:
    engine = sa.create_engine(url)
    try:
        with engine.begin() as connection:
            result = connection.execute(sa.text(statement))
            rows = result.all() if result.returns_rows else []
            return [tuple(bytes(v) if isinstance(v, memoryview) else v for v in r) for r in rows]
    finally:
        engine.dispose()


def arguments(runner: str, source: str, url: str, cluster: FlinkCluster) -> list[str]:
    argv = ["--runner", runner, "--source", source, "--sink", url, "--table", "events"]
    argv += ["--key", "event_id", "--no_progress"]
    return argv + (job_arguments(cluster) if runner == "FlinkRunner" else [])


def state_after(
    runner: str, source: str, url: str, cluster: FlinkCluster, schema: Path, *more: str
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Run to the end; returns what the database holds, and what was counted."""
    out = schema.with_name(f"{runner}.json")
    argv = [*arguments(runner, source, url, cluster), "--schema", str(schema), *more]
    assert command.run("ingest", ingest_main, [*argv, "--summary_json", str(out)]) == 0
    summary = json.loads(out.read_text())
    state: dict[str, Any] = {name: query(url, statement) for name, statement in TABLES.items()}
    state["ledger"] = [each.as_json() for each in verdicts(url, None)]
    return state, {name: summary[name] for name in ("read", "inserted", "duplicates", "dead")}


def test_files_give_what_they_give_in_one_process(
    flink: FlinkCluster, sink: Callable[[str], str], schema: Path, tmp_path: Path
) -> None:
    lines = list(events(10_000, duplicates=0.02, broken=0.01))
    write(tmp_path / "in", iter(lines), 4)
    source = f"{tmp_path}/in/*.jsonl"
    direct = state_after("DirectRunner", source, sink("direct"), flink, schema)
    on_flink = state_after("FlinkRunner", source, sink("flink"), flink, schema)
    assert len(direct[0]["events"]) == len({line.key for line in lines if not line.broken})
    assert len(direct[0]["ingest_jobs"]) == sum(1 for line in lines if line.broken)
    assert all(each["complete"] and each["ok"] for each in direct[0]["ledger"])
    assert on_flink == direct


def test_a_topic_until_its_latest_offsets_on_two_subtasks(
    flink: FlinkCluster,
    sink: Callable[[str], str],
    schema: Path,
    kafka_broker: KafkaBroker,
    topic: Topics,
) -> None:
    name = topic(partitions=4)
    lines = list(events(5_000, duplicates=0.02, broken=0.01))
    keyed = ((line.key.encode(), line.raw, crc32(line.key.encode()) % 4) for line in lines)
    kafka_broker.produce(name, keyed)
    uri = f"kafka://{kafka_broker.bootstrap}/{name}?until=latest&splits=4"
    direct = state_after("DirectRunner", uri, sink("direct"), flink, schema)
    more = ("--parallelism", "2")
    on_flink = state_after("FlinkRunner", uri, sink("flink"), flink, schema, *more)
    assert direct[1]["read"] == len(lines)
    assert len(direct[0]["ledger"]) == 4
    assert on_flink == direct


GIVEN = ["--runner", "FlinkRunner", "--table", "t"]


@pytest.mark.parametrize(
    ("given", "option"),
    [
        (["--source", "in/*.jsonl", "--sink", "postgresql://h/d"], "--source"),
        (["--source", "./in/*.jsonl", "--sink", "postgresql://h/d"], "--source"),
        (["--source", "/in/*.jsonl", "--sink", "sqlite:///a.db"], "--sink"),
        (["--source", "/a", "--sink", "sqlite:////a.db", "--dead_letters", "d"], "--dead_letters"),
    ],
)
def test_a_place_that_workers_would_find_elsewhere_is_refused(
    given: list[str], option: str
) -> None:
    with pytest.raises(ConfigError, match=f"^{option} .*FlinkRunner"):
        from_argv([*GIVEN, *given])


@pytest.mark.parametrize("sink", ["postgresql://h/d", "sqlite:////a.db"])
def test_a_cluster_is_told_what_the_job_is(sink: str) -> None:
    _, run = from_argv([*GIVEN, "--source", "/in/*.jsonl", "--sink", sink, "--streaming"])
    assert run.beam_options == ("--streaming", "--job_name=ingest-t")


def test_a_name_that_is_given_stays() -> None:
    sources = ["--source", "/in/*.jsonl", "--sink", "postgresql://h/d"]
    _, run = from_argv([*GIVEN, *sources, "--job_name=mine"])
    assert run.beam_options == ("--job_name=mine",)


def test_detaching_from_this_process_is_refused() -> None:
    argv = ["--source", "/in/*.jsonl", "--sink", "sqlite:////a.db", "--table", "t", "--detach"]
    with pytest.raises(ConfigError, match=r"^--detach: with DirectRunner"):
        from_argv(argv)


def test_options_of_flink_are_unknown_to_other_runners() -> None:
    """Else they would be ignored there."""
    argv = ["--source", "/in/*.jsonl", "--sink", "sqlite:////a.db", "--table", "t"]
    code = "import sys; from pipelines.options import from_argv; from_argv(sys.argv[1:])"
    ended = subprocess.run(  # Beam's options are registered once for the whole process
        [sys.executable, "-c", code, *argv, "--savepoint_path=/a"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "unknown option --savepoint_path" in ended.stderr
