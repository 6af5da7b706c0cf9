"""The example of a table that is mirrored runs as printed."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from tests.examples.shell import section, shell
from tests.pages.shell import kcat
from tests.pipelines.tables import query
from tests.services.kafka_mock import mock_cluster

pytestmark = pytest.mark.slow

ACCOUNTS = "SELECT id, owner, balance FROM accounts ORDER BY id"
DEAD = "SELECT category FROM ingest_jobs WHERE state = 'discarded' ORDER BY category"


def test_the_newest_change_of_each_key_wins(tmp_path: Path) -> None:
    with shell("mirror", tmp_path) as (player, page):
        player.play(section(page))
        assert query(player.database, ACCOUNTS) == [
            (1, "Ann", 14.5),
            (3, "Cy Young", 31),
            (5, "Eve", 5.25),
        ]
        assert query(player.database, DEAD) == [("malformed",), ("truncate",)]


def test_a_tombstone_deletes_and_nothing_older_comes_back(
    tmp_path: Path, postgres_url: str
) -> None:
    with mock_cluster() as broker:
        here = {"postgresql://loader@localhost/mirror": postgres_url, "broker:9092": broker}
        with shell("mirror", tmp_path, here, {"kcat": kcat}) as (player, page):
            player.play(section(page, "With Kafka and Postgres"))
    assert query(postgres_url, ACCOUNTS) == [
        (1, "Ann", Decimal("14.50")),
        (3, "Cy", Decimal("30.00")),
    ]
    gone = "SELECT count(*) FROM ingest_positions WHERE deleted"
    assert query(postgres_url, gone) == [(2,)]
