"""Long orders on the command line: given, listed, carried out, cancelled."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sinks.bulk.long_orders import lease_of
from sinks.database import leases
from sinks.database.engine import dispose_engines
from sinks.table.config import SqlConfig
from tests.io.sinks.jobs.stored_jobs import (
    DEAD,
    counted,
    prepared,
    refuse_audit,
    store,
    stored,
    trail,
)
from tests.io.sinks.tested_database import Database
from tests.pipelines.commands import dead_letters


@pytest.fixture
def sqlite_database(tmp_path: Path) -> Iterator[Database]:
    yield Database("sqlite", f"sqlite:///{tmp_path}/a.db")
    leases.release_all()
    dispose_engines()


@pytest.fixture
def config(sqlite_database: Database) -> SqlConfig:
    """A database with three dead letters."""
    config = prepared(sqlite_database)
    store(config, *[DEAD] * 3)
    return config


def answer(capsys: pytest.CaptureFixture[str], config: SqlConfig, *argv: str, code: int = 0) -> Any:
    """What ``--json`` prints."""
    capsys.readouterr()
    action, *more = argv
    assert dead_letters(action, "--sink", config.database.url, *more, "--json") == code
    return json.loads(capsys.readouterr().out)


def said(capsys: pytest.CaptureFixture[str], config: SqlConfig, *argv: str, code: int = 0) -> str:
    """What is printed, on both streams."""
    capsys.readouterr()
    action, *more = argv
    assert dead_letters(action, "--sink", config.database.url, *more) == code
    return "".join(capsys.readouterr())


def give(capsys: pytest.CaptureFixture[str], config: SqlConfig, action: str = "replay") -> int:
    flags = ("--reason", "repaired", "--by", "ann", "--background")
    (order,) = answer(capsys, config, action, *flags)
    number: int = order["id"]
    return number


def test_an_order_is_given_and_carried_out_later(
    config: SqlConfig, capsys: pytest.CaptureFixture[str]
) -> None:
    number = give(capsys, config)
    assert set(stored(config, "state")) == {"discarded"}
    (order,) = answer(capsys, config, "orders", "--id", str(number))
    assert (order["state"], order["expected"], order["changed"]) == ("available", 3, 0)
    assert (order["by"], order["reason"], order["ended_at"]) == ("ann", "repaired", None)
    (order,) = answer(capsys, config, "orders", "--work")
    assert (order["state"], order["changed"]) == ("completed", 3)
    assert counted(config) == (0, 3)
    assert answer(capsys, config, "orders", "--work") == []


def test_every_action_can_be_given(config: SqlConfig, capsys: pytest.CaptureFixture[str]) -> None:
    numbers = [give(capsys, config, action) for action in ("replay", "cancel", "purge")]
    assert "order 4 is about 3 jobs" in said(
        *(capsys, config, "adopt", "--pipeline", "people", "--no_steps"),
        *("--reason", "r", "--background"),
    )
    listed = answer(capsys, config, "orders", "--limit", "9")
    assert [order["id"] for order in listed] == [4, *reversed(numbers)]
    assert [order["action"] for order in listed] == ["adopt", "purge", "cancel", "replay"]
    assert "3 of 3" in said(capsys, config, "orders", "--work", "--id", str(numbers[0]))
    assert stored(config, "state") == ["available"] * 3


def test_an_order_is_cancelled(config: SqlConfig, capsys: pytest.CaptureFixture[str]) -> None:
    number = give(capsys, config)
    flags = ("--cancel", str(number), "--reason", "a mistake", "--by", "bob")
    (order,) = answer(capsys, config, "orders", *flags)
    assert (order["state"], order["message"]) == ("cancelled", "cancelled by bob: a mistake")
    assert answer(capsys, config, "orders", "--work") == []
    assert trail(config) == [("order", 0), ("cancel_order", 0)]
    assert "has ended already" in said(capsys, config, "orders", *flags, code=2)


def test_an_order_that_the_database_refuses_is_a_failure(
    config: SqlConfig, sqlite_database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    give(capsys, config)
    refuse_audit(sqlite_database)
    (order,) = answer(capsys, config, "orders", "--work", code=1)
    assert order["state"] == "discarded"
    assert "not today" in order["message"]


def test_an_order_of_another_process_is_said_to_be_its(
    config: SqlConfig, capsys: pytest.CaptureFixture[str]
) -> None:
    number = give(capsys, config)
    assert leases.hold(config.database, lease_of(number), 60)
    leases.held_leases.clear()  # as if another process had it
    (order,) = answer(capsys, config, "orders")
    assert (order["state"], order["worker"] is None) == ("executing", False)
    assert answer(capsys, config, "orders", "--work") == []
    line = said(capsys, config, "orders", "--work", "--id", str(number), code=2)
    assert "another process carries order 1 out" in line


@pytest.mark.parametrize(
    ("flags", "line"),
    [
        (("orders", "--id", "7"), "there is no order 7"),
        (("orders", "--work", "--id", "7"), "there is no order 7"),
        (("orders", "--cancel", "7"), "--cancel needs --reason"),
        (("orders", "--cancel", "7", "--work", "--reason", "r"), "neither --work nor --id"),
        (("orders", "--reason", "r"), "are for --cancel"),
        (("replay", "--background"), "needs --reason"),
        (("replay", "--background", "--dry_run"), "exclude each other"),
    ],
)
def test_what_makes_no_sense_is_one_line(
    config: SqlConfig, capsys: pytest.CaptureFixture[str], flags: tuple[str, ...], line: str
) -> None:
    out = said(capsys, config, *flags, code=2)
    assert line in out
    assert len(out.splitlines()) == 1


def test_without_orders_it_says_so(config: SqlConfig, capsys: pytest.CaptureFixture[str]) -> None:
    assert "no order was given yet" in said(capsys, config, "orders")
    assert "no order that waits" in said(capsys, config, "orders", "--work")


def test_an_order_that_cannot_be_read_is_shown_and_left(
    config: SqlConfig, sqlite_database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    give(capsys, config)
    sqlite_database.run("""UPDATE ingest_orders SET which = '{"moon": "full"}'""")
    assert "moon" in said(capsys, config, "orders")
    assert "the order" in said(capsys, config, "orders", "--work", code=2)
    assert set(stored(config, "state")) == {"discarded"}
