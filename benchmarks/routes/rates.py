"""Measure ten tables against one, and Parquet objects against Postgres, in interleaved pairs.

    python -m benchmarks.routes.rates [--records 1000000] [--rounds 5] [--pairs tables objects]

All records have the same shape and ten types. ``tables`` writes them to one table, and by ten routes to
ten tables of the same shape. ``objects`` writes them to one table, and as Parquet to S3, both with the
JSON Schema that gives the columns of Parquet their types. Every run starts with an empty database and an
empty prefix, and must count one row for each record.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import psycopg

from benchmarks.commands import ingest_command
from benchmarks.peers.process import Usage, measured
from benchmarks.routes.stage import BUCKET, Stage, stage
from benchmarks.routes.tables import database_url, ledger_sums
from examples.events import events
from tests.services.kafka_broker import Produced

PATIENCE = 1_800.0
"""Seconds after which a run is killed."""

TOPIC = "uniform"
TYPES = tuple(f"type{number}" for number in range(10))
COLUMNS = """(event_id uuid PRIMARY KEY, user_id bigint, type text, occurred_at timestamptz,
amount numeric, currency text, props jsonb)"""
SCHEMA = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "required": ["event_id", "user_id", "type", "occurred_at"],
    "additionalProperties": False,
    "properties": {
        "event_id": {"type": "string", "format": "uuid"},
        "user_id": {"type": "integer"},
        "type": {"type": "string"},
        "occurred_at": {"type": "string", "format": "date-time"},
        "amount": {"type": "number"},
        "currency": {"type": "string"},
        "props": {"type": "object"},
    },
}
TABLES_BAR, OBJECTS_BAR = 0.7, 1.5
"""The least ratio of the rates: ten tables to one, and objects to Postgres."""


@dataclass(frozen=True, slots=True)
class Way:
    """One way to write the topic.

    Attributes:
        name: For people.
        arguments: The flags for a new database, and for the number of the run.
    """

    name: str
    arguments: Callable[[str, int], Sequence[str]]


def main() -> None:
    """Fill the topic, and measure the pairs."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--pairs", nargs="+", choices=("tables", "objects"), default=["tables", "objects"]
    )
    arguments = parser.parse_args()
    below: list[str] = []
    with stage("routes-rates", objects="objects" in arguments.pairs) as services:
        services.servers.broker.create_topic(TOPIC, 4)
        services.servers.broker.produce(TOPIC, messages(arguments.records))
        for name in arguments.pairs:
            base, other, bar = pair(services, name)
            ratio = compare(services, base, other, arguments.records, arguments.rounds)
            if ratio < bar:
                below.append(f"{other.name}: the ratio {ratio:.2f} is below {bar}")
    if below:
        raise SystemExit("\n".join(below))


def messages(records: int) -> Iterator[Produced]:
    """Good events whose types take turns."""
    for number, line in enumerate(events(records)):
        value = json.loads(line.raw)
        value["type"] = TYPES[number % len(TYPES)]
        yield line.key.encode(), json.dumps(value, separators=(",", ":")).encode()


def pair(services: Stage, name: str) -> tuple[Way, Way, float]:
    """The two ways of a pair, and the bar of their ratio."""
    root = services.servers.root
    if name == "tables":
        routes = root / "uniform.json"
        routes.write_text(json.dumps({"routes": [route(kind) for kind in TYPES]}))
        one = Way(
            "one table", lambda url, _: ["--sink", url, "--table", "events", "--key", "event_id"]
        )
        ten = Way(
            "ten tables",
            lambda url, _: ["--sink", url, "--pipeline", "ten", "--routes", str(routes)],
        )
        return one, ten, TABLES_BAR
    schema = root / "uniform.schema.json"
    schema.write_text(json.dumps(SCHEMA))
    checked = ["--schema", str(schema)]
    assert services.minio is not None
    endpoint = ["--s3_endpoint_url", services.minio.url]
    postgres = Way(
        "Postgres",
        lambda url, _: ["--sink", url, "--table", "events", "--key", "event_id", *checked],
    )
    parquet = Way(
        "Parquet on S3",
        lambda url, number: [
            *("--sink", f"s3://{BUCKET}/rates-{number}?format=parquet", "--state", url),
            *("--table", "events", *checked, *endpoint),
        ],
    )
    return postgres, parquet, OBJECTS_BAR


def route(kind: str) -> dict[str, object]:
    """The route of one type to its table."""
    when = {"field": "type", "is": kind}
    return {"table": kind, "when": when, "key": ["event_id"]}


@dataclass(frozen=True, slots=True)
class Run:
    """One run: the seconds of its summary, and what the whole process took."""

    seconds: float
    usage: Usage


def compare(services: Stage, base: Way, other: Way, records: int, rounds: int) -> float:
    """Run and print the rounds; returns the median ratio of rates."""
    runs: dict[str, list[Run]] = {base.name: [], other.name: []}
    numbers = count()
    for round_ in range(rounds):
        for way in (base, other) if round_ % 2 == 0 else (other, base):
            runs[way.name].append(one_run(services, way, next(numbers), records))
        slow, fast = runs[base.name][-1], runs[other.name][-1]
        print(
            f"round {round_ + 1}: {base.name} {records / slow.seconds:,.0f}/s, "
            f"{other.name} {records / fast.seconds:,.0f}/s, ratio {slow.seconds / fast.seconds:.2f} "
            f"(whole process {slow.usage.seconds / fast.usage.seconds:.2f}), "
            f"peak {fast.usage.peak_mib:.0f} MiB "
            f"({base.name} {slow.usage.peak_mib:.0f})",
            flush=True,
        )
    pairs = list(zip(runs[base.name], runs[other.name], strict=True))
    for name, those in runs.items():
        rates = sorted(records / run.seconds for run in those)
        print(
            f"{name}: {statistics.median(rates):,.0f} records/s ({rates[0]:,.0f}–{rates[-1]:,.0f}), "
            f"peak {max(run.usage.peak_mib for run in those):.0f} MiB"
        )
    ratios = sorted(slow.seconds / fast.seconds for slow, fast in pairs)
    median = statistics.median(ratios)
    print(f"ratio of rates, median of rounds: {median:.2f} ({ratios[0]:.2f}–{ratios[-1]:.2f})")
    return median


def one_run(services: Stage, way: Way, number: int, records: int) -> Run:
    """Measure one run over the whole topic."""
    url = new_database(services.servers.dsn, f"rates_{number}")
    summary: Path = services.servers.root / "summary.json"
    source = services.servers.uri(TOPIC, "?until=latest")
    usage = measured(
        ingest_command(["--source", source, *way.arguments(url, number)], summary),
        services.servers.root / "log",
        folder=Path.cwd(),
        environment=os.environ,
        patience=PATIENCE,
    )
    run = Run(json.loads(summary.read_text())["seconds"], usage)
    with psycopg.connect(url) as connection:
        sums = ledger_sums(connection)
    assert (sums["read"], sums["inserted"]) == (records, records), sums
    with psycopg.connect(services.servers.dsn, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE rates_{number} WITH (FORCE)".encode())
    return run


def new_database(dsn: str, name: str) -> str:
    """Make a database with empty tables of the one shape; returns its URL."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
        connection.execute("CHECKPOINT")
    url = database_url(dsn, name)
    with psycopg.connect(url, autocommit=True) as connection:
        for table in ("events", *TYPES):
            connection.execute(f"CREATE TABLE {table} {COLUMNS}".encode())
    return url


if __name__ == "__main__":
    main()
