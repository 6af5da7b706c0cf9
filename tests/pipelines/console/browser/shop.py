"""A shop whose pipelines a console shows: files, a stream, dead letters of several kinds, and actions by hand."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from sinks.bulk import edits
from sinks.bulk.long_orders import give, lease_of
from sinks.control import requests
from sinks.control.requests import WHOLE, Limits
from sinks.database.database import Database
from sinks.database.dialects import dialect_of
from sinks.database.engine import transaction
from sinks.database.tables import jobs, leases, orders
from sinks.jobs.actions import carry_out
from sinks.jobs.filter import JobFilter
from sinks.jobs.orders import REPLAYED_OFTEN, Order
from sinks.runs.runs import Run
from tests.io.sinks import tested_database
from tests.io.sinks.console.ledgers import add
from tests.pipelines.commands import arguments, ingest, ingested
from tests.pipelines.programs import running, wait_for_rows
from tests.pipelines.tables import query
from tests.services.kafka_mock import PARTITIONS, mock_cluster
from tests.services.kafka_produce import produce
from transforms.batch.job_states import REPLAY
from transforms.read.control import State

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

BUCKET = "shop"
CLICKS = 40_000
PER_SECOND = 120
LONG = 48_210
"""How many records a long order is about."""

SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["order_id", "customer", "placed_at", "amount", "currency"],
    "properties": {
        "order_id": {"type": "integer"},
        "customer": {"type": "integer"},
        "placed_at": {"type": "string", "format": "date-time"},
        "amount": {"type": "number", "minimum": 0},
        "currency": {"type": "string", "enum": ["EUR", "USD", "GBP"]},
        "items": {"type": "integer", "minimum": 1},
    },
}

RETURNS = SCHEMA | {"properties": SCHEMA["properties"] | {"amount": {"type": "number"}}}
"""The schema once the warehouse takes returns."""


@contextmanager
def shop(url: str, s3: S3Client, endpoint: str, folder: Path) -> Iterator[int]:
    """Fill a database; the stream of clicks goes on meanwhile.

    Yields:
        The number of a long order that is half done.
    """
    chance = random.Random(7)
    s3.create_bucket(Bucket=BUCKET)
    _orders(url, s3, endpoint, folder, chance)
    _customers(url, s3, endpoint, chance)
    _payments(url, s3, endpoint)
    _invoices(url, s3, endpoint)
    _telemetry(url)
    _by_hand(Database(url))
    _ingest_orders(url, endpoint, _schema(folder, RETURNS))
    with mock_cluster() as bootstrap:
        clicks = (
            (
                f"session-{number % 997}".encode(),
                json.dumps(
                    {"id": number, "page": chance.choice(PAGES), "ms": number % 900}
                ).encode(),
                number % PARTITIONS,
            )
            for number in range(CLICKS)
        )
        produce(bootstrap, "clicks", clicks)
        options = ("--streaming", "--max_rate", str(PER_SECOND))
        argv = arguments(f"kafka://{bootstrap}/clicks", url, *options, table="clicks")
        with running(argv) as process:
            wait_for_rows(process, url, 1, table="clicks")
            yield _long_order(Database(url))


PAGES = ("/", "/cart", "/search", "/shoes/trail-runner", "/shirts/linen", "/checkout")


def _order(number: int, day: int, chance: random.Random) -> dict[str, Any]:
    return {
        "order_id": number,
        "customer": 1_000 + number % 613,
        "placed_at": f"2026-11-{day}T{number % 24:02}:{number % 60:02}:00Z",
        "amount": round(chance.uniform(4, 480), 2),
        "currency": chance.choice(("EUR", "EUR", "USD", "GBP")),
        "items": chance.randint(1, 6),
    }


def _orders(url: str, s3: S3Client, endpoint: str, folder: Path, chance: random.Random) -> None:
    """Seven days of orders, a few of which break their schema in three ways, or are cut off."""
    number = 81_000
    for day in range(20, 27):
        lines = []
        for _ in range(400):
            number += 1
            order = _order(number, day, chance)
            if number % 131 == 0:
                order["amount"] = -order["amount"]
            elif number % 173 == 0:
                order["currency"] = "EURO"
            elif number % 389 == 0:
                order["items"] = 0
            text = json.dumps(order)
            lines.append(text[:-19] if number % 307 == 0 else text)
        key = f"orders/2026-11-{day}.jsonl"
        s3.put_object(Bucket=BUCKET, Key=key, Body="\n".join(lines).encode())
    _ingest_orders(url, endpoint, _schema(folder, SCHEMA))


def _ingest_orders(url: str, endpoint: str, schema: Path) -> None:
    options = ("--schema", str(schema), "--s3_endpoint_url", endpoint)
    ingested(f"s3://{BUCKET}/orders/*.jsonl", url, *options, table="orders", key="order_id")


def _schema(folder: Path, schema: dict[str, Any]) -> Path:
    path = folder / "order.schema.json"
    path.write_text(json.dumps(schema))
    return path


def _customers(url: str, s3: S3Client, endpoint: str, chance: random.Random) -> None:
    """A table that refuses what its constraints forbid."""
    query(
        url,
        "CREATE TABLE customers (customer_id bigint PRIMARY KEY, name text NOT NULL, "
        "email text NOT NULL CHECK (email LIKE '%@%'), city text)",
    )
    cities = ("Lyon", "Porto", "Gdańsk", "Graz", "Leeds")
    lines = ["customer_id,name,email,city"]
    for number in range(1_000, 1_613):
        email = "" if number % 97 == 0 else f"c{number}@example.com"
        if number % 151 == 0:
            email = f"c{number}.example.com"
        lines.append(f"{number},Customer {number},{email},{chance.choice(cities)}")
    s3.put_object(Bucket=BUCKET, Key="crm/customers.csv", Body="\n".join(lines).encode())
    ingested(
        f"s3://{BUCKET}/crm/customers.csv",
        url,
        *("--s3_endpoint_url", endpoint, "--max_attempts", "1"),
        table="customers",
        key="customer_id",
    )


def _payments(url: str, s3: S3Client, endpoint: str) -> None:
    """A pipeline that somebody has paused."""
    lines = [
        json.dumps({"payment": n, "order_id": 81_000 + n, "state": "settled"}) for n in range(900)
    ]
    s3.put_object(Bucket=BUCKET, Key="bank/payments.jsonl", Body="\n".join(lines).encode())
    ingested(
        f"s3://{BUCKET}/bank/payments.jsonl",
        url,
        *("--s3_endpoint_url", endpoint),
        table="payments",
        key="payment",
    )
    requests.ask(
        Database(url),
        "payments",
        [WHOLE],
        "paused",
        actor="ann",
        reason="the bank repeats yesterday's file; it sends a corrected one",
    )


def _telemetry(url: str) -> None:
    """Partitions of a topic, two of them with gaps."""
    source = "kafka://broker.example:9092/telemetry"
    rows = []
    for partition in range(8):
        end = 52_000 + 1_711 * partition
        ranges = [(0, end)]
        if partition == 2:
            ranges = [(0, 18_400), (21_950, end)]
        elif partition == 5:
            ranges = [(0, 9_800), (10_100, 30_000), (34_750, end)]
        rows += [("telemetry", source, str(partition), *one, False) for one in ranges]
    database = tested_database.Database("postgres", url)
    add(database, *rows)
    run = Run(
        "b7d0c1e2", database.config("telemetry"), "telemetry", "FlinkRunner", "1.0", streaming=True
    )
    run.begin()
    run.end("stopped")


def _invoices(url: str, s3: S3Client, endpoint: str) -> None:
    """A run that has failed: too many of its records are broken."""
    lines = [
        json.dumps({"invoice": n, "total": n * 3}) if n % 4 else f"INV;{n};{n * 3}"
        for n in range(200)
    ]
    s3.put_object(Bucket=BUCKET, Key="partner/invoices.jsonl", Body="\n".join(lines).encode())
    options = ("--s3_endpoint_url", endpoint, "--max_dead", "20")
    source = f"s3://{BUCKET}/partner/invoices.jsonl"
    assert ingest(source, url, *options, table="invoices", key="invoice") != 0


def _by_hand(database: Database) -> None:
    """Replays, edits, a pause and a limit, as operators do them."""
    negative = JobFilter(ids=_numbers(database, '%"amount": -%'))
    replay = Order.of(REPLAY, negative, every_state=True)
    carry_out(database, replay, actor="ben", reason="the warehouse takes returns now")
    (strange, *_) = _numbers(database, '%"EURO"%')
    raw = _raw(database, strange)
    edits.edit(
        *(database, strange, raw.replace(b'"EURO"', b'"EUR"')),
        expected_digest=hashlib.sha256(raw).hexdigest(),
        actor="ben",
        reason="a new till writes EURO",
        replay=True,
    )
    asked: tuple[tuple[State, str], ...] = (
        ("paused", "the warehouse moves"),
        ("running", "it has moved"),
    )
    for state, reason in asked:
        requests.ask(database, "orders", [WHOLE], state, actor="ben", reason=reason)
    limits = Limits(max_rate=500)
    requests.limit(database, "payments", [WHOLE], limits, actor="ann", reason="the bank is slow")


def _numbers(database: Database, text: str) -> tuple[int, ...]:
    """The dead letters of orders whose records are like ``text``."""
    conditions = (jobs.c.target == "orders", sa.func.convert_from(jobs.c.raw, "UTF8").like(text))
    query = sa.select(jobs.c.id).where(*conditions).order_by(jobs.c.id)
    with transaction(database, "choose records", write=False) as connection:
        return tuple(connection.execute(query).scalars())


def _raw(database: Database, number: int) -> bytes:
    with transaction(database, "read a record", write=False) as connection:
        raw = connection.execute(sa.select(jobs.c.raw).where(jobs.c.id == number)).scalar_one()
        return bytes(raw)


def _long_order(database: Database) -> int:
    """An order that a process carries out, and is half done."""
    order = Order.of(REPLAY, JobFilter(target="telemetry", stage="parse"))
    reason = "the parser takes the new firmware"
    number = give(database, order, actor="ann", reason=reason, expected=LONG)
    done: dict[str, Any] = {
        "newest": LONG,
        "position": LONG * 3 // 5,
        "changed": LONG * 3 // 5 - 12,
    }
    done |= {"left_alone": {REPLAYED_OFTEN: 12}}
    with transaction(database, "carry it out") as connection:
        now = dialect_of(connection).now(connection)
        done |= {"created_at": now - timedelta(seconds=71), "changed_at": now}
        lease = {"name": lease_of(number), "holder": "console-1:41"}
        connection.execute(sa.insert(leases).values(**lease, expires_at=now + timedelta(hours=1)))
        connection.execute(sa.update(orders).where(orders.c.id == number).values(**done))
    return number
