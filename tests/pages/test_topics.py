"""The pages about topics: their commands run with a broker and a Postgres of the tests."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from confluent_kafka import Consumer, TopicPartition

from tests.code_blocks import fenced
from tests.io.clients.registry.servers import Answer, Asked, serving
from tests.pages.page import page
from tests.pipelines.commands import ingested
from tests.pipelines.tables import count_rows, query
from tests.services.kafka_mock import PARTITIONS, mock_cluster
from tests.services.kafka_produce import produce

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def broker() -> Iterator[str]:
    with mock_cluster() as broker:
        yield broker


@pytest.fixture
def tables_are_there() -> bool:
    return True


def fill(broker: str, topic: str, *values: object) -> None:
    """Append JSON messages to the first partition of a topic; None has no value."""
    messages = [
        (b'{"id": 2}', None if value is None else json.dumps(value).encode(), 0) for value in values
    ]
    produce(broker, topic, messages)


def rows(url: str, count: int, table: str) -> Callable[[object], bool]:
    """Whether a table has a number of rows."""
    return lambda _: count_rows(url, table) == count


def committed(broker: str, group: str, topic: str) -> int:
    """The offset of the first partition that a group has committed."""
    consumer = Consumer({"bootstrap.servers": broker, "group.id": group})
    try:
        (place,) = consumer.committed([TopicPartition(topic, 0)], timeout=30)
        return int(place.offset)
    finally:
        consumer.close()


def messages_in(broker: str, topic: str) -> int:
    consumer = Consumer({"bootstrap.servers": broker, "group.id": "test"})
    try:
        ends = [
            consumer.get_watermark_offsets(TopicPartition(topic, number), timeout=30)[1]
            for number in range(PARTITIONS)
        ]
        return sum(ends)
    finally:
        consumer.close()


def test_readme_sends_a_stream_to_several_tables(
    broker: str, postgres_url: str, tmp_path: Path
) -> None:
    fill(
        broker,
        "shop",
        {"type": "line", "order_id": 1, "number": 1},
        {"type": "order", "id": 1, "updated_at": "2026-01-01T00:00:00Z"},
        {"type": "refund", "id": 7},
        {"type": "voucher", "id": 8},
        {"type": "else", "id": 9},
    )
    query(
        postgres_url,
        "CREATE SCHEMA app",
        "CREATE TABLE app.orders (id bigint PRIMARY KEY, type text, updated_at timestamptz)",
        "CREATE TABLE app.order_lines (order_id bigint REFERENCES app.orders, number bigint, type text, "
        "PRIMARY KEY (order_id, number))",
        "CREATE TABLE app.refund (id bigint PRIMARY KEY, type text)",
        "CREATE TABLE app.voucher (id bigint PRIMARY KEY, type text)",
    )
    (routes,) = [text for text in fenced("README.md", "yaml") if "routes:" in text]
    (tmp_path / "shop.routes.yaml").write_text(routes)
    with page("README.md", tmp_path, broker=broker) as opened:
        opened.shell.patch.setenv("SINK", postgres_url)
        opened.runs("sluice ingest")
    tables = ("app.orders", "app.order_lines", "app.refund", "app.voucher")
    assert [count_rows(postgres_url, table) for table in tables] == [1] * 4
    dead = "SELECT category FROM ingest_jobs WHERE state = 'discarded'"
    assert query(postgres_url, dead) == [("no_route",)]
    assert committed(broker, "sluice", "shop") == 5


def test_routes(broker: str, postgres_url: str, tmp_path: Path) -> None:
    records = [text for text in fenced("docs/routes.md", "text")[0].splitlines() if text[0] == "{"]
    fill(broker, "several", *map(json.loads, records))
    query(
        postgres_url,
        "CREATE SCHEMA app",
        "CREATE TABLE app.customers (id bigint PRIMARY KEY, name text, type text)",
        "CREATE TABLE app.orders (id bigint PRIMARY KEY, customer_id bigint)",
    )
    (tmp_path / "routes.yaml").write_text(fenced("docs/routes.md", "yaml")[0])
    (tmp_path / "order.json").write_text('{"properties": {"id": {"type": "integer"}}}')
    with page("docs/routes.md", tmp_path, broker=broker, postgres=postgres_url) as opened:
        opened.runs("sluice ingest")
    assert query(postgres_url, "SELECT id, name FROM app.customers") == [(7, "Ann")]
    assert query(postgres_url, "SELECT id, customer_id FROM app.orders") == [(1, 7)]
    dead = "SELECT category FROM ingest_jobs WHERE state = 'discarded' ORDER BY id"
    assert {category for (category,) in query(postgres_url, dead)} == {"schema", "no_route"}


def test_change_events(broker: str, postgres_url: str, tmp_path: Path) -> None:
    def change(op: str, position: int, **row: object) -> object:
        before, after = (row, None) if op == "d" else (None, row)
        source = {"connector": "postgresql", "lsn": position, "ts_ms": position}
        return {"op": op, "before": before, "after": after, "source": source, "ts_ms": position}

    fill(
        broker,
        "shop.public.orders",
        change("c", 1, id=1, total=5),
        change("u", 3, id=1, total=7),
        change("u", 2, id=1, total=6),
        change("c", 4, id=2, total=8),
        change("d", 5, id=2),
        change("c", 6, id=3, total=9),
    )
    query(postgres_url, "CREATE TABLE orders (id bigint PRIMARY KEY, total bigint)")
    with page("docs/change-events.md", tmp_path, broker=broker, postgres=postgres_url) as opened:
        newest = "SELECT id, total FROM orders ORDER BY id"
        opened.runs(
            "sluice ingest", until=lambda _: query(postgres_url, newest) == [(1, 7), (3, 9)]
        )
    gone = "SELECT count(*) FROM ingest_positions WHERE deleted"
    assert query(postgres_url, gone) == [(1,)]


def test_kafka_and_the_outbox(broker: str, postgres_url: str, tmp_path: Path) -> None:
    fill(broker, "events", {"event_id": 1}, {"event_id": 2})
    with page("docs/kafka.md", tmp_path, broker=broker, postgres=postgres_url) as opened:
        opened.runs("sluice ingest")
    assert count_rows(postgres_url) == 2
    assert committed(broker, "sluice", "events") == 2
    fill(broker, "events", {"event_id": 2}, {"event_id": 3})
    with page("docs/outbox.md", tmp_path, broker=broker, postgres=postgres_url) as opened:
        opened.runs("sluice ingest")
        assert count_rows(postgres_url, "ingest_outbox") == 1
        produce(broker, "events-changed", [(None, b"{}")])  # so that the topic is there
        published = "SELECT count(*) FROM ingest_outbox WHERE published_at IS NOT NULL"
        opened.runs("sluice outbox", until=lambda _: query(postgres_url, published) == [(1,)])
    assert messages_in(broker, "events-changed") == 2


def test_a_registry(broker: str, postgres_url: str, tmp_path: Path) -> None:
    """It answers those only who log in."""
    fields = [{"name": "order_id", "type": "long"}, {"name": "sku", "type": "string"}]
    schema = json.dumps({"type": "record", "name": "Order", "fields": fields})
    login = f"Basic {b64encode(b'reader:secret').decode()}"

    def answer(asked: Asked) -> Answer:
        if asked.headers.get("authorization") != login:
            return 401, {"error_code": 401}
        return 200, {"schema": schema} if "/schemas/ids/7" in asked.path else []

    produce(broker, "avro-orders", [(None, b"\0\0\0\0\x07\x02\x06tea")])
    query(postgres_url, "CREATE TABLE orders (order_id bigint PRIMARY KEY, sku text)")
    with (
        serving(answer) as registry,
        page(
            *("docs/registry.md", tmp_path),
            broker=broker,
            postgres=postgres_url,
            registry=registry.url,
        ) as opened,
    ):
        opened.shell.patch.setenv("REGISTRY_PASSWORD", "secret")
        opened.runs("python -m pipelines.ingest")
    assert query(postgres_url, "SELECT order_id, sku FROM orders") == [(1, "tea")]


def test_control_and_rewind(broker: str, postgres_url: str, tmp_path: Path) -> None:
    """A pipeline is held, slowed down, goes on, and reads offsets again."""
    topic = f"kafka://{broker}/steered"
    messages = [(None, b'{"id": %d, "tenant_id": "a"}' % number, 3) for number in range(10)]
    produce(broker, "steered", messages)
    assert ingested(topic, postgres_url, "--pipeline", "orders", table="orders")["inserted"] == 10
    asked = "SELECT source, state, max_rate FROM ingest_control ORDER BY source"

    with page("docs/control.md", tmp_path, broker=broker, postgres=postgres_url) as opened:
        for command, state in (("pause", "paused"), ("drain", "draining"), ("resume", "running")):
            opened.runs(f"sluice {command}")
            assert query(postgres_url, asked) == [("", state, None)]
        opened.runs("sluice rate")
        assert query(postgres_url, asked) == [("", "running", 500.0)]
        produce(broker, "steered", [(None, b'{"id": 10, "tenant_id": "a"}', 3)])
        opened.runs("sluice ingest")
        assert count_rows(postgres_url, "orders") == 11
        opened.runs("sluice rate")
        opened.runs("sluice rate")
        assert [(state, rate) for _, state, rate in query(postgres_url, asked)] == [
            ("running", 500.0),
            ("running", 100.0),
        ]
        opened.runs("sluice rate")
        assert query(postgres_url, asked)[0] == ("", "running", None)
        opened.runs("sluice ingest", until=rows(postgres_url, 11, "tenants"))

    with page("docs/rewind.md", tmp_path, broker=broker, database=postgres_url) as opened:
        opened.runs("sluice pause")
        settled = "SELECT count(*) FROM ingest_audit WHERE action = 'rewind'"
        opened.runs("sluice rewind")
        assert query(postgres_url, settled) == [(0,)]
        opened.runs("sluice rewind")
        assert query(postgres_url, settled) == [(1,)]
        opened.runs("sluice resume")
    again = ingested(topic, postgres_url, "--pipeline", "orders", table="orders")
    assert (again["read"], again["duplicates"]) == (9, 9)
