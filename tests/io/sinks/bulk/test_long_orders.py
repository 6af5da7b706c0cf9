"""Long orders as they are given, listed and cancelled."""

from __future__ import annotations

import pytest

from sinks.bulk import long_orders
from sinks.bulk.long_orders import cancel, get_order, give, list_orders, waiting
from sinks.database import leases
from sinks.jobs import audit_trail
from sinks.jobs.filter import JobFilter
from sinks.jobs.orders import Order
from tests.io.sinks.bulk.orders import given, row_of
from tests.io.sinks.jobs.stored_jobs import DEAD, WHO, prepared, refuse_audit, store, stored
from tests.io.sinks.tested_database import Database
from transforms.batch.job_states import PURGE, REPLAY
from transforms.errors import ConfigError, SinkFailed


def test_an_order_says_what_it_is_about(database: Database) -> None:
    config = prepared(database)
    store(config, DEAD, {"stage": "parse"}, DEAD, {"state": "completed"})
    asked = Order.of(REPLAY, JobFilter(stage="write"))
    number = give(config.database, asked, actor=WHO["actor"], reason=WHO["reason"])
    order = row_of(config, number)
    assert order.order == asked
    assert (order.state, order.expected, order.newest, order.changed) == ("available", 2, 4, 0)
    assert (order.actor, order.reason) == (WHO["actor"], WHO["reason"])
    assert (order.left_alone, order.rate, order.ended_at, order.worker) == ({}, None, None, None)
    assert stored(config, "state").count("available") == 0
    (entry,) = audit_trail.entries(config.database)
    assert (entry.action, entry.filter["order"], entry.filter["stage"], entry.count) == (
        *("order", number, "write"),
        0,
    )


def test_its_limit_bounds_what_is_expected(database: Database) -> None:
    config = prepared(database)
    store(config, *[DEAD] * 5)
    assert row_of(config, given(config, REPLAY, limit=3)).expected == 3
    assert row_of(config, given(config, REPLAY, limit=9)).expected == 5
    order = Order.of(REPLAY, JobFilter())
    guessed = give(config.database, order, actor="ann", reason="all", expected=1_000_000)
    assert row_of(config, guessed).expected == 1_000_000


def test_the_newest_come_first_in_pages(database: Database) -> None:
    config = prepared(database)
    store(config, DEAD)
    numbers = [given(config, REPLAY) for _ in range(5)]
    first = [order.id for order in list_orders(config.database, limit=2)]
    assert first == [numbers[4], numbers[3]]
    rest = [order.id for order in list_orders(config.database, limit=9, after=first[-1])]
    assert rest == [numbers[2], numbers[1], numbers[0]]
    assert waiting(config.database) == numbers
    assert get_order(config.database, 999) is None


def test_it_is_executing_while_a_process_has_its_lease(database: Database) -> None:
    config = prepared(database)
    store(config, DEAD)
    number, other = given(config, REPLAY), given(config, PURGE)
    assert leases.hold(config.database, long_orders.lease_of(number), 60)
    held = row_of(config, number)
    assert held.state == "executing"
    assert held.worker is not None
    assert held.worker.startswith(leases.process_name())
    assert waiting(config.database) == [other]
    leases.release(config.database, long_orders.lease_of(number))
    assert row_of(config, number).state == "available"
    assert waiting(config.database) == [number, other]


def test_an_order_is_cancelled_once(database: Database) -> None:
    config = prepared(database)
    store(config, DEAD)
    number = given(config, REPLAY)
    ended = cancel(config.database, number, actor="bob", reason="a mistake")
    assert (ended.state, ended.has_ended) == ("cancelled", True)
    assert ended.message == "cancelled by bob: a mistake"
    assert waiting(config.database) == []
    entry, _ = audit_trail.entries(config.database)
    assert (entry.action, entry.actor, entry.filter) == ("cancel_order", "bob", {"order": number})
    with pytest.raises(ConfigError, match=f"order {number} has ended already: cancelled"):
        cancel(config.database, number, actor="bob", reason="again")
    with pytest.raises(ConfigError, match="no order 999"):
        cancel(config.database, 999, actor="bob", reason="a mistake")


def test_neither_is_done_without_a_reason_or_its_trail(database: Database) -> None:
    config = prepared(database)
    store(config, DEAD)
    number = given(config, REPLAY)
    for reason in ("", " \n"):
        with pytest.raises(ConfigError, match="needs a reason"):
            give(config.database, Order.of(REPLAY, JobFilter()), actor="ann", reason=reason)
        with pytest.raises(ConfigError, match="needs a reason"):
            cancel(config.database, number, actor="ann", reason=reason)
    refuse_audit(database)
    with pytest.raises(SinkFailed, match="not today"):
        given(config, REPLAY)
    with pytest.raises(SinkFailed, match="not today"):
        cancel(config.database, number, **WHO)
    assert waiting(config.database) == [number]


@pytest.mark.without_tables
def test_a_database_without_tables_has_no_orders(database: Database) -> None:
    empty = database.database
    assert (list_orders(empty), waiting(empty), get_order(empty, 1)) == ([], [], None)
    with pytest.raises(ConfigError, match="no order 1"):
        cancel(empty, 1, **WHO)
    with pytest.raises(ConfigError, match="no dead letters"):
        give(empty, Order.of(REPLAY, JobFilter()), actor="ann", reason="all")
