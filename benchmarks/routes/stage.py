"""The services of one proof, the topic in them, and the runs over it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from benchmarks.commands import audit, ingest_command
from benchmarks.kafka.services import Services, services
from benchmarks.routes.event_types import EVENT_TYPES, Destinations, write_routes
from benchmarks.routes.expected import (
    Expected,
    dead_differences,
    differences,
    expected,
    sum_differences,
)
from benchmarks.routes.lake import Lake, state_differences
from benchmarks.routes.records import Plan, records
from benchmarks.routes.tables import (
    counts,
    counts_differ_from_ledger,
    dead_letters,
    deadlocks,
    new_database,
    table_contents,
)
from tests.services.minio import PASSWORD, USER, Minio, running

BUCKET = "lake"
LEASE_PATIENCE_SECONDS = 90.0
SHOWN = 2_000
"""Characters of what a failed command has printed."""
RETRIES = (
    "--max_attempts",
    "10",
    "--backoff_base",
    "0.5",
    "--backoff_cap",
    "2",
    "--job_lease",
    "5",
)
"""A line whose order comes late is tried for some seconds at least; its order comes within one."""


@dataclass(frozen=True, slots=True)
class Run:
    """One outcome: a database, and a prefix of objects.

    Attributes:
        name: The name of the pipeline, of its database and of its prefix.
        url: The database.
        lake: The prefix; None without objects.
        tables: Whether there are routes to the tables.
        routes: The routes file.
    """

    name: str
    url: str
    lake: Lake | None
    tables: bool
    routes: Path

    def arguments(self, source: str) -> list[str]:
        """The flags of ``pipelines.ingest``, other than those of the runner."""
        return ["--source", source, "--sink", self.url, *self.routing()]

    def routing(self) -> list[str]:
        """Those that say where records go from there."""
        endpoint = () if self.lake is None else ("--s3_endpoint_url", self.lake.endpoint)
        routes = str(self.routes)
        return ["--pipeline", self.name, "--routes", routes, *endpoint, *RETRIES]

    def command(self, source: str, summary: Path) -> list[str]:
        """The command line of a run on DirectRunner."""
        return ingest_command(self.arguments(source), summary)


@dataclass(frozen=True, slots=True)
class Stage:
    """Running services, and what is on them.

    Attributes:
        servers: The broker and Postgres.
        minio: The S3 service; None if no objects are written.
    """

    servers: Services
    minio: Minio | None

    def fill(self, topic: str, plan: Plan) -> None:
        """Produce all records of ``plan`` to a new topic, each to its partition and in order."""
        self.servers.broker.create_topic(topic, plan.partitions)
        messages = ((None, record.raw, record.partition) for record in records(plan))
        sent = self.servers.broker.produce(topic, messages)
        print(f"{sent:,} records in {topic}, {plan.partitions} partitions", flush=True)

    def lake(self, prefix: str, endpoint: str = "") -> Lake:
        """A prefix of the bucket, which a run may reach at another endpoint than the service's."""
        assert self.minio is not None
        client = self.minio.client()
        return Lake(client, endpoint or self.minio.url, BUCKET, prefix, (USER, PASSWORD))

    def run(self, name: str, destinations: str = "both", **more: Any) -> Run:
        """A run with a database, a prefix and a routes file of its own.

        Args:
            name: Its name.
            destinations: ``tables``, ``objects`` or ``both``.
            more: Of ``Destinations``.
        """
        url = new_database(self.servers.dsn, name)
        lake = None if destinations == "tables" else self.lake(name)
        tables = destinations != "objects"
        whole = Destinations(tables=tables, objects=lake.uri if lake else "", **more)
        return Run(name, url, lake, tables, write_routes(self.servers.root / name, whole))


@contextmanager
def stage(name: str, *, objects: bool = True) -> Iterator[Stage]:
    """Start the services, and end them afterwards. Credentials are in the environment meanwhile."""
    with services(name) as servers:
        if not objects:
            yield Stage(servers, None)
            return
        program = shutil.which("minio")
        if program is None:
            raise SystemExit("no minio on the PATH: go install github.com/minio/minio@latest")
        with running(program) as minio, credentials():
            minio.client().create_bucket(Bucket=BUCKET)
            yield Stage(servers, minio)


@contextmanager
def credentials() -> Iterator[None]:
    """Let this process, and those that it starts, use the S3 service."""
    ours = {
        "AWS_ACCESS_KEY_ID": USER,
        "AWS_SECRET_ACCESS_KEY": PASSWORD,
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    before = {name: os.environ.get(name) for name in ours}
    os.environ.update(ours)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def truth(plan: Plan, destinations: str) -> Expected:
    """What must become of the records of ``plan``."""
    tables, objects = destinations != "objects", destinations != "tables"
    return expected(records(plan), tables=tables, objects=objects)


def compared(run: Run, must_be: Expected) -> list[str]:
    """How the outcome of a run differs from what must be, in lines for people."""
    lines: list[str] = []
    with psycopg.connect(run.url) as connection:
        for kind in EVENT_TYPES if run.tables else ():
            rows = table_contents(connection, kind, whole=False)
            lines += differences(kind.label, rows, must_be.tables[kind.name])
        objects = "" if run.lake is None else run.lake.url
        lines += dead_differences(dead_letters(connection, objects), must_be.dead)
        lines += counts_differ_from_ledger(connection)
        lines += sum_differences(counts(connection, objects), must_be)
        if run.lake is not None:
            lines += _objects_compared(run.lake, connection, must_be)
    lines += _audits(run, must_be)
    if count := deadlocks(run.url):
        lines.append(f"the server has detected {count} deadlocks")
    return [f"{run.name}: {line}" for line in lines]


def _objects_compared(
    lake: Lake, connection: psycopg.Connection, must_be: Expected
) -> Iterator[str]:
    manifest = lake.manifest()
    yield from lake.dangling(manifest)
    yield from state_differences(connection, manifest)
    by_duckdb = lake.contents_of_duckdb(manifest)
    for kind in EVENT_TYPES:
        right = must_be.objects[kind.name]
        read = lake.contents(manifest, kind)
        yield from differences(f"objects of {kind.name} (pyarrow)", read, right)
        if by_duckdb is not None:
            yield from differences(f"objects of {kind.name} (DuckDB)", by_duckdb[kind.name], right)


def same(one: Run, other: Run) -> list[str]:
    """How all columns of the tables of two runs differ, those of the origin included."""
    lines = []
    with psycopg.connect(one.url) as first, psycopg.connect(other.url) as second:
        for kind in EVENT_TYPES if one.tables else ():
            right = table_contents(first, kind, whole=True)
            rows = table_contents(second, kind, whole=True)
            lines += differences(f"{kind.label} of {other.name}, not as {one.name}", rows, right)
    return lines


def _audits(run: Run, must_be: Expected) -> Iterator[str]:
    """What the audits say against the run."""
    try:
        if run.lake is not None:
            audit_objects(run)
        yield from _audited(run.url, must_be.ends)
    except AssertionError as error:
        yield str(error)[-SHOWN:]


def _audited(url: str, ends: Mapping[int, int]) -> Iterator[str]:
    """What the audit says against a database that must have read everything before ``ends``."""
    ranges: dict[int, Any] = {}
    for partition in audit(url):
        if "ranges" not in partition:
            continue  # a dataset of objects
        number = int(partition["partition"].partition("@")[0])
        ranges[number] = partition["ranges"]
        if not (partition["ok"] and partition["conserved"] and not partition["gaps"]):
            yield f"audit: {partition}"
    right = {number: [[0, end]] for number, end in ends.items() if end}
    if ranges != right:
        yield f"audit: the ranges are {ranges}, not {right}"


def audit_objects(run: Run) -> None:
    """Let ``sluice audit`` compare database, manifest and objects; fails unless it exits with 0."""
    assert run.lake is not None
    command = [sys.executable, "-m", "pipelines.audit", "--sink", run.url, "--objects"]
    _checked([*command, "--s3_endpoint_url", run.lake.endpoint])


def compact(run: Run, *more: str) -> None:
    """Let ``sluice compact`` merge objects; fails unless it exits with 0 in time.

    One that was killed is taken for alive until its lease ends, and until then the next is refused.
    """
    deadline = time.monotonic() + LEASE_PATIENCE_SECONDS
    while True:
        try:
            return _checked(compact_command(run, *more))
        except AssertionError:
            if time.monotonic() > deadline:
                raise
            time.sleep(1)


def compact_command(run: Run, *more: str) -> list[str]:
    """The command line of ``sluice compact``."""
    assert run.lake is not None
    program = str(Path(sys.executable).with_name("sluice"))
    return [
        *(program, "compact", "--sink", run.lake.url, "--state", run.url),
        *("--s3_endpoint_url", run.lake.endpoint, *more),
    ]


def _checked(command: Sequence[str]) -> None:
    done = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    assert done.returncode == 0, f"{command[:3]} ended with {done.returncode}: {done.stdout}"


def conclude(lines: Sequence[str]) -> None:
    """Print the differences and exit with 1, if there are any."""
    if lines:
        raise SystemExit("\n".join(["DIFFERENCES", *lines]))
