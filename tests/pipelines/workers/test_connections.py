"""More workers than the database has connections for are refused, or warned of."""

from __future__ import annotations

import logging
from dataclasses import replace

import pytest

from pipelines.workers import connections
from sinks.database.backends.postgres import Postgres
from sinks.database.catalogue.figures import Server
from sinks.database.database import Database
from transforms.errors import ConfigError


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> list[Server]:
    """What the database says of itself, for the test to change."""
    said = [Server("PostgreSQL", "16", connections=10, most_connections=100)]
    monkeypatch.setattr(Postgres, "server", lambda self, connection: said[0])
    return said


@pytest.fixture
def database(postgres_url: str) -> Database:
    return Database(postgres_url)


def test_enough_for_all_is_not_worth_a_word(
    server: list[Server], database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        connections.check(database, 8)
    assert caplog.messages == []


def test_fewer_than_they_open_are_warned_of(
    server: list[Server], database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        connections.check(database, 64)
    (line,) = caplog.messages
    opened = 64 * (Postgres().in_flight + connections.BESIDE_COMMITS)
    assert f"--workers 64: the workers open up to {opened} connections" in line
    assert "of 100 (max_connections) 90 are free" in line


def test_less_than_one_for_each_is_refused(server: list[Server], database: Database) -> None:
    server[0] = replace(server[0], connections=97)
    with pytest.raises(ConfigError, match=r"give at most --workers 1$"):
        connections.check(database, 4)


def test_the_server_itself_says_how_many_it_has(database: Database) -> None:
    with pytest.raises(ConfigError, match=r"of \d+ \(max_connections\) \d+ are free"):
        connections.check(database, 100_000)
