"""A scene of ten minutes in which everything goes wrong that an alert is for, and gets well again."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

from benchmarks import commands
from benchmarks.jobs.outage import Postgres
from benchmarks.kafka.ingestion import Ingestion
from benchmarks.observed.feed import ORPHANS_FROM, Feed
from benchmarks.observed.watchers import Exporter
from tests.services.kafka_broker import KafkaBroker
from transforms.batch.counts import COUNTS

OUTAGE_BUDGET = 100
JOB_LEASE = 3
SELDOM, OFTEN = 3_600, 5  # seconds between two audits

SETUP = """
CREATE TABLE users (id bigint PRIMARY KEY);
INSERT INTO users VALUES (1);
CREATE TABLE events (event_id text PRIMARY KEY, user_id bigint REFERENCES users);
CREATE TABLE throttle (seconds double precision);
INSERT INTO throttle VALUES (0);
CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  PERFORM pg_sleep((SELECT seconds FROM throttle)); RETURN NEW;
END $$;
CREATE TRIGGER slow BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION slow();
"""
GAP_AT = 1_000_000


@dataclass(slots=True)
class Scene:
    """What acts happen to.

    Attributes:
        root: A folder for files.
        database: The database.
        broker: The broker.
        ingestion: The stream.
        exporter: The exporter.
        feed: What is sent.
        timeline: What happened, with the second at which it began.
    """

    root: Path
    database: Postgres
    broker: KafkaBroker
    ingestion: Ingestion
    exporter: Exporter
    feed: Feed
    started: float = field(default_factory=time.monotonic)
    timeline: list[tuple[float, str]] = field(default_factory=list)

    @contextmanager
    def act(self, title: str) -> Iterator[None]:
        """An entry of the timeline."""
        began = time.monotonic()
        self.timeline.append((began - self.started, title))
        print(f"{began - self.started:5.0f} s  {title}", flush=True)
        yield

    def run(self, *statements: str) -> None:
        """Run SQL."""
        with psycopg.connect(self.database.dsn, autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement)


def prepare(root: Path, dsn: str) -> None:
    """Tables, a dead letter that is kept for too long, and changes that nobody publishes."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(SETUP)
        load(root, dsn)
        connection.execute(
            "UPDATE ingest_jobs SET discarded_at = now() - interval '1 day' WHERE target = 'archive'"
        )


def load(root: Path, dsn: str) -> None:
    """Two bounded runs: one with a dead letter and a limit to its age, one with an outbox."""
    (root / "archive.jsonl").write_text('{"id": 1}\n{"id": 2}\nbroken\n')
    source = ("--source", str(root / "archive.jsonl"), "--sink", dsn, "--key", "id")
    for more in (
        ("--table", "archive", "--retain", "discarded=1h"),
        ("--table", "changes", "--outbox"),
    ):
        commands.ingest([*source, *more], root / "summary.json")


def play(scene: Scene) -> None:
    """Everything, in turn. An alert needs what causes it for its windows and its ``for``."""
    feed = scene.feed
    with scene.act("all is well"):
        time.sleep(15)
    with scene.act(
        "a poison wave: a fifth of the records is broken; a third is late; some users are missing"
    ):
        feed.broken, feed.late, feed.orphans = 0.2, 0.3, 0.015
        time.sleep(75)
        feed.broken = feed.late = 0.0
    with scene.act("a slow sink: 4 ms for each row, while 1,500 records a second come"):
        scene.run("UPDATE throttle SET seconds = 0.004")
        feed.rate, feed.orphans = 1_500, 0.003
        time.sleep(90)
        feed.rate, feed.orphans = 300, 0.0
        scene.run("UPDATE throttle SET seconds = 0")
    with scene.act("the database is fast again"):
        time.sleep(20)
    with scene.act("the table is locked"):
        _lock(scene, 60)
    with scene.act("the exporter is killed; what was kept for too long is deleted meanwhile"):
        scene.exporter.kill()
        load(scene.root, scene.database.dsn)
        time.sleep(25)
    with scene.act(
        "it is started again, with audits; a gap, a count that is wrong, leases taken away"
    ):
        scene.exporter.start(OFTEN)
        _tamper(scene)
        _take_leases(scene, 70)
        _repair(scene)
    with scene.act("the database is stopped"):
        scene.database.stop()
        time.sleep(0.75 * OUTAGE_BUDGET)
        scene.database.start()
    with scene.act("it is started again"):
        time.sleep(25)
    with scene.act("the ingest is killed by SIGKILL"):
        scene.ingestion.kill()
        time.sleep(90)
    with scene.act("repaired: started again, users added, dead letters purged, changes published"):
        scene.ingestion.start()
        scene.run(
            f"INSERT INTO users SELECT {ORPHANS_FROM} + n FROM generate_series(0, {feed.sent}) n"
        )
        _clean(scene)


def _lock(scene: Scene, seconds: float) -> None:
    with psycopg.connect(scene.database.dsn) as connection:
        connection.execute("LOCK TABLE events IN ACCESS EXCLUSIVE MODE")
        time.sleep(seconds)


def _tamper(scene: Scene) -> None:
    zeros = ", ".join("0" for _ in COUNTS)
    scene.run(
        f"""INSERT INTO ingest_progress
            (pipeline, source, partition, start_offset, end_offset, final, updated_at, {", ".join(COUNTS)})
            SELECT pipeline, source, partition, {GAP_AT}, {GAP_AT}, false, now(), {zeros}
            FROM ingest_progress WHERE pipeline = 'archive'""",
        "UPDATE ingest_counts SET inserted = inserted + 1 WHERE pipeline = 'changes'",
    )


def _repair(scene: Scene) -> None:
    scene.run(
        f"DELETE FROM ingest_progress WHERE start_offset = {GAP_AT}",
        "UPDATE ingest_counts SET inserted = inserted - 1 WHERE pipeline = 'changes'",
    )


def _take_leases(scene: Scene, seconds: float) -> None:
    """As another process would that thinks the first one dead, again and again."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        scene.run("UPDATE ingest_leases SET holder = 'a thief', expires_at = now()")
        time.sleep(1)


def _clean(scene: Scene) -> None:
    dsn = scene.database.dsn
    by = ("--sink", dsn, "--by", "the scene", "--reason", "it is over")
    commands.dead_letters("purge", "--table", "events", *by)
    commands.publish("--sink", dsn, "--to", f"kafka://{scene.broker.bootstrap}/changes")
