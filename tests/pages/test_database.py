"""The pages about databases that runs have written: their commands run with one that has all that they speak of."""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
import uuid
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from pipelines.ingest import ingest as program
from sinks.database import leases
from sinks.database.engine import dispose_engines
from sinks.database.tables import VERSION
from tests.io.sinks.database.migrations.old_tables import restore_version_1
from tests.io.sinks.tested_database import Database
from tests.pages.page import Page, page, shown
from tests.pipelines.commands import dead_letters, ingest, printed
from tests.pipelines.tables import query
from transforms.batch.record import Record
from transforms.errors import Reject
from transforms.steps.each_record import EachRecord

pytestmark = pytest.mark.slow

EVENTS = (
    {"id": 1, "user_id": "u1", "tenant": "acme"},
    {"id": "2", "user_id": "u2", "tenant": "acme"},
    {"id": "3", "user_id": "u3", "tenant": "other"},
    {"id": 4, "tenant": "acme"},
)
"""The last three are refused by the schema, for two reasons."""

SCHEMA = {
    "type": "object",
    "required": ["user_id"],
    "properties": {
        "id": {"type": "integer"},
        "user_id": {"type": "string"},
        "tenant": {"type": "string"},
    },
}


def refuse(_: Record) -> Record:
    raise Reject("there is no key", "no_key")


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a database that two pipelines have written, and left dead letters in.

    ``events`` has three that the schema refused. ``people`` has one from when it had a mapping, and three from
    when it had a step ``Hide``.
    """
    folder = tmp_path_factory.mktemp("prepared")
    url = f"sqlite:///{folder}/a.db"
    lines = [json.dumps(event, separators=(",", ":")) + "\n" for event in EVENTS]
    (folder / "events.jsonl").write_text("".join(lines))
    (folder / "events.schema.json").write_text(json.dumps(SCHEMA))
    schema = ("--schema", f"{folder}/events.schema.json", "--max_dead", "100%")
    assert ingest(folder / "events.jsonl", url, *schema) == 0
    (folder / "a.jsonl").write_text('{"id": "x", "email": "a@example.org"}\n')
    (folder / "map.yaml").write_text("[cast: {id: integer}, hash: {email: sha256}]")
    mapping = ("--map", f"{folder}/map.yaml", "--max_dead", "100%")
    assert ingest(folder / "a.jsonl", url, *mapping, table="people") == 0
    (folder / "b.jsonl").write_text('{"id": 1}\n{"id": 2}\n{"id": 3}\n')
    options: dict[str, Any] = {"sink": url, "table": "people", "key": "id", "max_dead": "100%"}
    hidden = {**options, "source": f"{folder}/b.jsonl", "no_progress": True}
    assert program(steps=[EachRecord(refuse, "Hide")], argv=[], **hidden) == 0
    leases.release_all()
    dispose_engines()
    return folder


class Databases:
    """Copies of the prepared database, so that no command meets what another one has changed."""

    def __init__(self, prepared: Path, folder: Path) -> None:
        self.prepared = prepared
        self._folder = folder

    def copy(self) -> str:
        name = self._folder / f"{uuid.uuid4().hex[:8]}.db"
        shutil.copy(self.prepared / "a.db", name)
        return f"sqlite:///{name}"


@pytest.fixture
def databases(prepared: Path, tmp_path: Path) -> Databases:
    return Databases(prepared, tmp_path)


def states(url: str, category: str = "schema") -> list[str]:
    statement = f"SELECT state FROM ingest_jobs WHERE category = '{category}' ORDER BY id"
    return [state for (state,) in query(url, statement)]


def test_retries(databases: Databases, tmp_path: Path) -> None:
    with page("docs/retries.md", tmp_path) as opened:
        jobs_are_given_to_a_pipeline(opened, databases)
        dead_letters_are_replayed_cancelled_and_purged(opened, databases)
        a_group_is_replayed(opened, databases)
        an_order_is_carried_out(opened, databases)
        a_record_is_edited(opened, databases, tmp_path)


def jobs_are_given_to_a_pipeline(retries: Page, databases: Databases) -> None:
    hidden = "SELECT pipeline, steps, mapped FROM ingest_jobs WHERE stage = '{}'"
    url = databases.copy()
    query(url, "DELETE FROM ingest_jobs WHERE stage = 'Hide'")
    assert query(url, hidden.format("map")) == [("people", "[]", True)]
    lines = retries.runs("python -m pipelines.dead_letters adopt", database=url)
    assert lines[0].startswith("1 adopted")
    assert query(url, hidden.format("map")) == [("people", "[]", False)]

    url = databases.copy()
    nobody = "pipeline = NULL, steps = NULL, version = NULL, owner = NULL"
    query(url, f"UPDATE ingest_jobs SET {nobody} WHERE stage = 'Hide'")
    lines = retries.runs("sluice dead-letters adopt --sink URL --table people", database=url)
    assert lines[0].startswith("3 adopted")
    assert set(query(url, hidden.format("Hide"))) == {("people", '["Hide"]', False)}
    lines = retries.runs("sluice dead-letters adopt --sink URL --pipeline people")
    assert lines[0].startswith("3 adopted")
    assert {steps for _, steps, _ in query(url, hidden.format("Hide"))} == {'["Conceal"]'}


def dead_letters_are_replayed_cancelled_and_purged(retries: Page, databases: Databases) -> None:
    url = databases.copy()
    lines = retries.runs("sluice dead-letters replay --sink URL --category", database=url)
    assert lines[0].startswith("3 replayed")
    assert states(url) == ["available"] * 3
    lines = retries.runs("sluice dead-letters replay --sink URL --text", database=databases.copy())
    assert lines[-1].startswith("dry run: replay would change 2;")
    lines = retries.runs("sluice dead-letters cancel", database=url)
    assert lines[0].startswith("3 cancelled")
    assert states(url) == ["cancelled"] * 3
    query(url, "UPDATE ingest_jobs SET inserted_at = '2020-01-01 00:00:00' WHERE stage = 'map'")
    assert retries.runs("sluice dead-letters purge")[0].startswith("1 deleted")
    lines = retries.runs("sluice dead-letters audit")
    entries = [re.findall(r"(purge|cancel|replay) +(\w+) +(\d+)", line) for line in lines]
    ((purge, ann, one),), ((cancel, _, three),), ((replay, _, also_three),) = filter(None, entries)
    assert (purge, ann, one) == ("purge", "ann", "1")
    assert (cancel, three, replay, also_three) == ("cancel", "3", "replay", "3")


def a_group_is_replayed(retries: Page, databases: Databases) -> None:
    url = databases.copy()
    lines = retries.runs("sluice dead-letters groups", database=url)
    assert lines[-1] == "2 groups"
    (fingerprint,) = re.findall(r"^ ?([0-9a-f]{12}) +2 ", "\n".join(lines), re.MULTILINE)
    lines = retries.runs("sluice dead-letters replay", fingerprint=fingerprint)
    assert lines[0].startswith("2 replayed")
    assert sorted(states(url)) == ["available", "available", "discarded"]


def an_order_is_carried_out(retries: Page, databases: Databases) -> None:
    url = databases.copy()
    lines = retries.runs("sluice dead-letters replay", database=url)
    assert lines == [lines[0]]
    assert lines[0].startswith("order 1 is about 3 jobs")
    assert states(url) == ["discarded"] * 3
    assert "available" in retries.runs("sluice dead-letters orders --sink URL")[1]
    assert "completed" in retries.runs("sluice dead-letters orders --sink URL --work")[1]
    assert states(url) == ["available"] * 3
    assert dead_letters("cancel", "--sink", url, "--reason", "a", "--background") == 0
    assert "cancelled" in retries.runs("sluice dead-letters orders", order="2")[1]


def a_record_is_edited(retries: Page, databases: Databases, folder: Path) -> None:
    url = databases.copy()
    ((job, raw),) = query(
        url, "SELECT id, raw FROM ingest_jobs WHERE category = 'schema' ORDER BY id LIMIT 1"
    )
    assert json.loads(raw) == EVENTS[1]
    fixed = json.dumps({**EVENTS[1], "id": 2})
    (folder / "fixed.json").write_text(fixed)
    retries.runs("sluice dead-letters edit", database=url, job=str(job))
    ((state, raw),) = query(url, f"SELECT state, raw FROM ingest_jobs WHERE id = {job}")
    assert (state, raw) == ("available", fixed.encode())


def test_a_pipeline_says_which_jobs_it_leaves_alone(
    databases: Databases, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The message of docs/retries.md."""
    url = databases.copy()
    query(url, "DELETE FROM ingest_jobs WHERE stage = 'map'")
    assert dead_letters("replay", "--sink", url, "--table", "people", "--reason", "a") == 0
    (tmp_path / "c.jsonl").write_text('{"id": 9}\n')
    assert ingest(tmp_path / "c.jsonl", url, table="people") == 0
    assert printed(capsys.readouterr().err) == [shown("docs/retries.md", "ingest: 3 jobs").strip()]


def test_operations(databases: Databases, tmp_path: Path) -> None:
    url = databases.copy()
    job = "SELECT min(id) FROM ingest_jobs WHERE category = 'schema'"
    with page("docs/operations.md", tmp_path, database=url) as opened:
        lines = opened.runs("sluice dead-letters stats")
        assert re.search(r"^ ?events +discarded .* schema +3 ", "\n".join(lines), re.MULTILINE)
        lines = opened.runs("sluice dead-letters list")
        assert lines[-1] == "2 of 2 discarded"
        lines = opened.runs("sluice dead-letters show", job=str(query(url, job)[0][0]))
        assert any('"user_id":"u2"' in line for line in lines)
        assert opened.runs("sluice dead-letters replay")[0].startswith("3 replayed")
    assert states(url) == ["available"] * 3


def shape(line: str) -> str:
    """A line of the doctor without what differs from database to database."""
    line = re.sub(r"(\d+ (d|h|min|s)\b ?)+", "TIME ", line.strip())
    line = re.sub(r" of \w+/\w+( [0-9A-Z]{5})?,", " of KIND,", line)
    line = re.sub(r"--(stage|category) \w+|\[\w+\]|ago: .*", "…", line)
    return re.sub(r"\d[\d,]*", "N", line)


@pytest.fixture
def tables_are_there() -> bool:
    return True


def test_doctor(databases: Databases, tmp_path: Path, postgres_url: str) -> None:
    url = databases.copy()
    with page("docs/doctor.md", tmp_path, database=url, postgres=postgres_url) as opened:
        query(url, "DROP INDEX ingest_queue_next")
        lines = opened.runs("sluice doctor --sink URL", code=6)
        assert lines[0].startswith("error: ")
        shapes = {shape(line) for line in lines}
        for line in shown("docs/doctor.md", "error: indexes").splitlines():
            assert shape(line) in shapes
        query(url, "CREATE INDEX ingest_queue_next ON ingest_queue (owner, due_at)")
        lines = opened.runs("sluice doctor --sink URL --pipeline", code=6)
        assert [line[:24] for line in lines if line.startswith(("error", "warning"))] == [
            "warning: dead_letters [v"
        ] * 2
        checks = json.loads("".join(opened.runs("sluice doctor --sink postgresql")))
        assert {check["level"] for check in checks if check["check"] == "rights"} == {"ok"}


def test_upgrading(databases: Databases, tmp_path: Path, postgres_server: str) -> None:
    """One database of an earlier version is migrated by the command, and one by the script."""
    old = Database("sqlite", f"sqlite:///{tmp_path}/a.db")
    restore_version_1(old)
    connection = psycopg2.connect(postgres_server)
    connection.autocommit = True
    with (
        page("docs/upgrading.md", tmp_path, database=old.url) as opened,
        connection.cursor() as cursor,
    ):
        due = opened.runs("sluice migrate --sink URL --check", code=1)
        assert len(due) == VERSION - 1
        opened.runs("sluice migrate --sink URL")
        assert version(old) == VERSION
        cursor.execute("CREATE DATABASE upgraded TEMPLATE template1")
        old = Database("postgres", postgres_server.replace("/postgres?", "/upgraded?"))
        try:
            restore_version_1(old)
            script = opened.runs("sluice migrate --sink URL --sql", database=old.url)
            assert "BEGIN;" in script
            opened.runs("sluice migrate --sink URL --sql > migrate.sql")
            assert version(old) == 1
            opened.runs("psql")
            assert version(old) == VERSION
            assert opened.runs("sluice migrate --sink URL --check") == [
                f"up to date: version {VERSION}"
            ]
            opened.runs("python -m pipelines.audit", database=databases.copy())
        finally:
            dispose_engines()
            cursor.execute("DROP DATABASE upgraded WITH (FORCE)")
            connection.close()


def version(database: Database) -> int:
    try:
        ((number,),) = database.rows("SELECT version FROM ingest_schema")
    except (sqlite3.Error, psycopg2.Error):
        return 1
    return int(number)
