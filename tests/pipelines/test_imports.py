"""What a command imports: nothing that costs time and is not needed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from sinks.database.database import Database
from sinks.database.migrations import migrate
from sluice.table import COMMANDS

pytestmark = pytest.mark.slow

CONNECTORS = {
    *("pyarrow", "fastavro", "boto3", "botocore", "confluent_kafka", "jsonschema_rs"),
    *("zstandard", "lz4", "cramjam"),
}
BEAM = {"apache_beam", "grpc"}
SLOW = {*CONNECTORS, *BEAM, "sqlalchemy", "psycopg2", "rich", "shtab", "psutil"}

MODULES = sorted({*(command.module for command in COMMANDS), "runners.flink.local.cluster"})

PROGRAM = """
import contextlib, io, json, sys
from importlib import import_module
slow, url, modules = set(json.loads(sys.argv[1])), sys.argv[2], sys.argv[3:]
report = {}

def imported():
    return sorted(slow & sys.modules.keys())

for name in modules:
    module = import_module(name)
    with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):
        module.main(["--help"])
    report[name] = imported()
from sluice.command import main
with contextlib.redirect_stdout(io.StringIO()):
    main([])
    report["sluice"] = imported()
    main(["audit", "--sink", url, "--source", "kafka://b:9092/t"])
    main(["audit", "--sink", url, "--source", "s3://bucket/*", "--json"])
    main(["dead-letters", "list", "--sink", url])
    main(["dead-letters", "stats", "--sink", url, "--since", "2h"])
    main(["dead-letters", "replay", "--sink", url, "--dry_run"])
    main(["dead-letters", "audit", "--sink", url])
report["questions"] = imported()
print(json.dumps(report))
"""

INGEST = """
import json, sys
from pipelines.ingest import main
argv = ["--source", sys.argv[1], "--sink", sys.argv[2], "--table", "t", "--key", "id"]
codes = [main(argv), main(argv)]  # the second one has nothing left to read
print(json.dumps({"codes": codes, "modules": sorted(sys.modules)}))
"""

OTHERS = {
    # Beam's, of services that no pipeline here uses through it
    *("google.cloud.storage", "google.cloud.bigquery", "google.cloud.pubsub", "pymongo"),
    *("google.api_core", "google.cloud.dataflow", "apitools", "oauth2client"),
    # what Beam and NumPy rarely use
    *("beartype", "httplib2", "pyparsing", "numpy._typing"),
    # ours, for sources, formats, databases and displays that this run has not
    *("pyarrow", "boto3", "botocore", "urllib3", "confluent_kafka", "alembic"),
    *("prometheus_client", "psutil", "rich.progress", "transforms.mapping.mapping"),
    *("sources.kafka.source", "sources.storage.s3", "sources.files.parquet.reader"),
    *("sources.files.avro.reader", "sinks.dead_letters.topic", "sinks.dead_letters.objects"),
    *("sinks.database.backends.postgres", "sinks.table.postgres.writer", "sinks.table.generic"),
    *("sinks.database.migrations.sequence", "pipelines.telemetry.server"),
}


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """The slow packages that a process has imported after one command after another."""
    url = f"sqlite:///{tmp_path_factory.mktemp('imports')}/a.db"
    migrate.prepare(Database(url))
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, json.dumps(sorted(SLOW)), url, *MODULES],
        cwd=Path(__file__).resolve().parents[2],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert done.stderr == ""
    imported: dict[str, list[str]] = json.loads(done.stdout)
    return imported


@pytest.mark.parametrize("module", [*MODULES, "sluice"])
def test_help_waits_for_no_slow_package(report: dict[str, list[str]], module: str) -> None:
    assert report[module] == []


def test_a_question_to_the_database_imports_neither_beam_nor_connectors(
    report: dict[str, list[str]],
) -> None:
    assert set(report["questions"]) == {"sqlalchemy", "psycopg2", "rich"}


def test_a_run_imports_only_what_its_source_its_format_and_its_database_need(
    tmp_path: Path,
) -> None:
    (tmp_path / "a.jsonl").write_text('{"id": 1}\n')
    done = subprocess.run(
        [sys.executable, "-c", INGEST, f"{tmp_path}/a.jsonl", f"sqlite:///{tmp_path}/a.db"],
        cwd=Path(__file__).resolve().parents[2],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    report = json.loads(done.stdout.splitlines()[-1])
    assert report["codes"] == [0, 0]
    assert OTHERS.intersection(report["modules"]) == set()
