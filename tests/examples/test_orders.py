"""The example of orders that come before their customers runs as printed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.examples.shell import section, shell
from tests.pages.shell import kcat
from tests.pipelines.tables import query
from tests.services.kafka_mock import mock_cluster

pytestmark = pytest.mark.slow

DEAD = "SELECT target, category, attempt FROM ingest_jobs WHERE state = 'discarded' ORDER BY id"


def test_orders_wait_for_their_customers_and_one_is_repaired(tmp_path: Path) -> None:
    with shell("orders", tmp_path) as (player, page):
        player.play(section(page))
        orders = query(player.database, "SELECT id, customer_id FROM orders ORDER BY id")
        assert orders == [(101, 1), (102, 2), (104, 4), (105, 4)]
        assert query(player.database, "SELECT id FROM customers ORDER BY id") == [(1,), (2,), (4,)]
        assert query(player.database, DEAD) == [
            ("orders", "constraint", 1),
            ("customers", "malformed", 1),
        ]


def test_a_topic_of_orders_waits_for_a_topic_of_customers(
    tmp_path: Path, postgres_url: str
) -> None:
    with mock_cluster() as broker:
        here = {"postgresql://loader@localhost/shop": postgres_url, "broker:9092": broker}
        with shell("orders", tmp_path, here, {"kcat": kcat}) as (player, page):
            player.play(section(page, "With Kafka and Postgres"))
    assert query(postgres_url, "SELECT id FROM orders ORDER BY id") == [(101,), (102,), (105,)]
    dead = sorted(category for _, category, _ in query(postgres_url, DEAD))
    assert dead == ["constraint", "foreign_key", "malformed"]
