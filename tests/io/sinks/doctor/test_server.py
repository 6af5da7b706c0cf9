"""The clock, the connections and the cleaning of the server."""

from __future__ import annotations

from datetime import timedelta

import pytest

from sinks.database.catalogue.figures import Server
from sinks.doctor import server
from tests.io.sinks.doctor.examined import NOW, said, wrong
from tests.io.sinks.figures.test_activity import beaten
from tests.io.sinks.runs.test_runs import begun
from tests.io.sinks.tested_database import Database

NONE = timedelta(0)


@pytest.mark.parametrize(
    ("skew", "doubt", "level"),
    [(0, 0, "ok"), (4, 0, "ok"), (-8, 0, "warning"), (8, 4, "ok"), (70, 1, "error"), (-70, 0, "error")],
)  # fmt: skip
def test_a_clock_that_is_off_is_told(skew: float, doubt: float, level: str) -> None:
    item = server.clock(timedelta(seconds=skew), timedelta(seconds=doubt))
    assert item.level == level
    if level != "ok":
        assert ("ahead of" if skew > 0 else "behind") in item.what


@pytest.mark.parametrize(
    ("used", "most", "level"),
    [(10, 100, "ok"), (80, 100, "warning"), (96, 100, "error"), (None, None, "skipped")],
)
def test_few_connections_that_are_left_are_told(
    used: int | None, most: int | None, level: str
) -> None:
    of = Server("X", "1", connections=used, most_connections=most)
    assert server.connections(of).level == level


@pytest.mark.parametrize(("on", "level"), [(True, "ok"), (False, "error"), (None, "skipped")])
def test_a_server_that_does_not_clean_is_told(on: bool | None, level: str) -> None:
    assert server.vacuum(Server("X", "1", vacuums=on)).level == level


@pytest.mark.parametrize(
    ("age", "level"), [(10, "ok"), (60, "warning"), (80, "error"), (None, "skipped")]
)
def test_an_old_transaction_is_told(age: int | None, level: str) -> None:
    of = Server("X", "1", transactions=age, most_transactions=100)
    assert server.wraparound(of).level == level


def test_a_heartbeat_from_the_future_is_told(database: Database) -> None:
    begun(database)
    beaten(database, "1")
    assert wrong(database, server.check) == []
    database.run("UPDATE ingest_workers SET heartbeat_at = '2099-01-01 00:00:00'")
    (item,) = wrong(database, server.check)
    assert (item.check, item.where) == ("clock", "ingest_workers")
    assert server.future(NOW + timedelta(seconds=4), NOW) is None


def test_a_healthy_server_is_asked_everything(database: Database) -> None:
    database.sink(key=["id"])
    levels = {item.check: item.level for item in said(database, server.check)}
    names = ("clock", "connections", "autovacuum", "wraparound")
    usual = "ok" if database.kind == "postgres" else "skipped"
    expected = dict.fromkeys(names, usual)
    if database.kind == "mariadb":
        expected |= {"clock": "ok", "connections": "ok"}
    assert levels == expected
