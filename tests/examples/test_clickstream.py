"""The example of one stream into several tables runs as printed."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tests.examples.shell import section, shell
from tests.pages.shell import kcat
from tests.pipelines.tables import query
from tests.services.kafka_mock import mock_cluster

pytestmark = pytest.mark.slow

TABLES = ("page_views", "clicks", "purchases", "scrolls")


def rows(url: str, *tables: str) -> dict[str, list[str]]:
    """The ids in each table."""
    return {
        table: [key for (key,) in query(url, f"SELECT id FROM {table} ORDER BY id")]
        for table in tables
    }


def dead(url: str) -> Counter[str]:
    """How many dead letters there are of each category."""
    statement = "SELECT category FROM ingest_jobs WHERE state = 'discarded'"
    return Counter(category for (category,) in query(url, statement))


def test_each_type_has_its_table_and_an_unknown_one_gets_its_own_later(tmp_path: Path) -> None:
    with shell("clickstream", tmp_path) as (player, page):
        player.play(section(page))
        assert rows(player.database, *TABLES) == {
            "page_views": ["a1"],
            "clicks": ["a2", "a7"],
            "purchases": ["a3", "a3", "a6"],
            "scrolls": ["a5"],
        }
        assert dead(player.database) == {"mapping": 2, "malformed": 1}


def test_the_same_stream_from_a_topic(tmp_path: Path, postgres_url: str) -> None:
    with mock_cluster() as broker:
        here = {"postgresql://loader@localhost/web": postgres_url, "broker:9092": broker}
        with shell("clickstream", tmp_path, here, {"kcat": kcat}) as (player, page):
            player.play(section(page, "With Kafka and Postgres"))
    assert rows(postgres_url, *TABLES[:3]) == {
        "page_views": ["a1"],
        "clicks": ["a2", "a7"],
        "purchases": ["a3", "a3", "a6"],
    }
    assert dead(postgres_url) == {"mapping": 2, "malformed": 1, "no_route": 1}
