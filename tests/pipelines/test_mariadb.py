"""A whole path on MariaDB, as a user walks it: every command on what one small pipeline has left."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from pipelines import (
    audit,
    command,
    dead_letters,
    doctor,
    ledger,
    migrate,
    outbox,
    runs,
)
from pipelines.console.pages.screens import SCREENS
from pipelines.control import pause, resume, rewind
from pipelines.telemetry.exporter import Exporter
from sinks.database import leases
from sinks.database.database import Database
from sinks.database.engine import dispose_engines
from tests.pipelines.commands import ingested
from tests.pipelines.console.consoles import console
from tests.pipelines.tables import query
from tests.services.kafka_mock import mock_cluster
from tests.services.kafka_produce import produce

SCHEMA = {
    "type": "object",
    "required": ["id", "at"],
    "properties": {
        "id": {"type": "string"},
        "user_id": {"type": "integer"},
        "at": {"type": "string", "format": "date-time"},
        "amount": {"type": "number"},
        "paid": {"type": "boolean"},
        "props": {"type": "object"},
    },
}
ORPHAN = 404


@pytest.fixture
def sink(mariadb_url: str) -> Iterator[str]:
    yield mariadb_url
    leases.release_all()
    dispose_engines()


def record(name: str, user: int = 1, at: str = "2026-03-01T12:00:00.000001+02:00") -> str:
    values = {"id": name, "user_id": user, "at": at, "paid": True, "props": {"a": [1]}}
    return json.dumps(values)[:-1] + ', "amount": 1.10}'


def lines(path: Path, *texts: str) -> Path:
    path.write_text("".join(f"{text}\n" for text in texts))
    return path


def said(module: Any, *argv: str) -> int:
    """Run a command; returns its exit code."""
    return command.run(module.__name__.rpartition(".")[2], module.main, list(argv))


def test_every_command_does_on_mariadb_what_it_does_elsewhere(
    sink: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    driver = sink.replace("mysql:", "mysql+pymysql:")
    to = ("--sink", sink)
    schema = lines(tmp_path / "schema.json", json.dumps(SCHEMA))
    options = ("--schema", str(schema), "--outbox", "--max_attempts", "2", "--backoff_base", "0.01")

    def output(module: Any, *argv: str) -> str:
        capsys.readouterr()
        assert said(module, *argv, *to) == 0
        return capsys.readouterr().out

    def objects(module: Any, *argv: str) -> list[dict[str, Any]]:
        answer: list[dict[str, Any]] = json.loads(output(module, *argv, "--json"))
        return answer

    def dead() -> list[tuple[str, int]]:
        """Every category of dead letters, and how many there are."""
        listed = [each["category"] for each in objects(dead_letters, "list")]
        return sorted((category, listed.count(category)) for category in set(listed))

    # The table is made by the program. Another file with the same records adds nothing.
    good = record("a"), record("A", 2), record("ä"), '{"id":', record("b", at="2026-13-01")
    for name in ("a", "b"):
        lines(tmp_path / f"{name}.jsonl", *good)
    first = ingested(tmp_path / "[ab].jsonl", sink, *options)
    assert (first["read"], first["inserted"], first["duplicates"], first["dead"]) == (10, 3, 3, 4)
    instant = datetime(2026, 3, 1, 10, 0, 0, 1)
    rows = query(driver, "SELECT id, user_id, amount, paid, `at` FROM events ORDER BY user_id, id")
    assert rows == [(*key, Decimal("1.1"), 1, instant) for key in (("a", 1), ("ä", 1), ("A", 2))]

    # A record without its parent is a dead letter, and heals once the parent is there.
    query(
        driver,
        "CREATE TABLE users (id bigint PRIMARY KEY)",
        "INSERT INTO users VALUES (1), (2)",
        "ALTER TABLE events ADD FOREIGN KEY (user_id) REFERENCES users (id)",
    )
    orphan = lines(tmp_path / "c.jsonl", record("c", ORPHAN))
    assert ingested(orphan, sink, *options)["dead"] == 1
    assert dead() == [("foreign_key", 1), ("malformed", 2), ("schema", 2)]
    query(driver, f"INSERT INTO users VALUES ({ORPHAN})")
    why = ("--reason", "the parent is there", "--by", "Zoë")
    output(dead_letters, "replay", "--category", "foreign_key", *why)
    again = ingested(orphan, sink, *options)
    assert (again["read"], again["inserted"]) == (1, 1)

    # Every screen of the console, and the figures of the exporter.
    assert "malformed" in output(dead_letters, "stats")
    letter = objects(dead_letters, "list", "--limit", "1")[0]["id"]
    assert str(letter) in output(dead_letters, "show", "--id", str(letter))
    run = objects(runs, "list")[0]["id"]
    places = {"target:path": "events", "id:int": letter, "run": run}
    asked = {
        "/dead-letters/outcome": "?entries=1",
        "/dead-letters/confirm": "?action=replay&every=1",
    }
    with console(Database(sink)) as client:
        for page in SCREENS:
            if page.method == "GET" and page.path != "/orders/{id:int}":
                path = re.sub(r"{(.*?)}", lambda match: str(places[match[1]]), page.path)
                answer = client.get(path + asked.get(path, ""))
                assert (path, answer.status_code) == (path, 200)
    exported = Exporter(Database(sink), 1, 1)
    for loop in (exported.figures, exported.audit):
        loop.once()
        assert loop.failure == ""
    samples = [sample for metric in exported.collect() for sample in metric.samples]
    read = [sample.value for sample in samples if sample.name == "sluice_records_read_total"]
    assert sum(read) == 11

    # What is done with dead letters has a trail.
    output(dead_letters, "purge", "--category", "malformed", *why)
    output(dead_letters, "purge", "--category", "schema", *why)
    assert dead() == []
    trail = [
        (each["action"], each["actor"], each["count"]) for each in objects(dead_letters, "audit")
    ]
    assert sorted(trail) == [("purge", "Zoë", 2), ("purge", "Zoë", 2), ("replay", "Zoë", 1)]

    # Changes are published, what is over is deleted, and all of it is still accounted for.
    with mock_cluster() as bootstrap:
        produce(bootstrap, "changes", [(None, b"the first use makes the topic")])
        publish = (outbox, "--to", f"kafka://{bootstrap}/changes")
        output(*publish)
        waits = "SELECT COUNT(*), COUNT(published_at) FROM ingest_outbox"
        assert query(driver, waits) == [(4, 4)]
        output(*publish, "--retain", "0s")
    assert query(driver, waits) == [(0, 0)]
    output(dead_letters, "prune", "--retain", "completed=0s")
    assert query(driver, "SELECT COUNT(*) FROM ingest_jobs") == [(0,)]
    assert "every record accounted for" in output(audit)
    (tmp_path / "a.jsonl").unlink()
    (forgotten,) = objects(
        *(ledger, "forget", "--source", f"{tmp_path}/*.jsonl", "--older_than", "0s", "--yes", *why)
    )
    assert forgotten["count"] == 1
    place = ("--pipeline", "events", "--reason", "to see it")
    assert "is paused" in output(pause, *place)
    assert "is running" in output(resume, *place)
    (rewound,) = objects(rewind, *place, "--source", str(orphan), "--from_offset", "0", "--yes")
    assert rewound["offsets"] == orphan.stat().st_size
    assert "up to date" in output(migrate)
    output(doctor, "--fail_on", "warning")
