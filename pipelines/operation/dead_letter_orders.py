"""Long orders of ``pipelines.dead_letters``: given, listed, carried out and cancelled."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from rich.console import Console

from pipelines import command
from pipelines.operation import dead_letter_output as output
from pipelines.operation.dead_letter_filters import actor_of
from pipelines.terminal import shown
from sinks.bulk import long_orders
from sinks.bulk.carry_out import carry_out
from sinks.bulk.long_orders import LongOrder
from sinks.database.database import Database
from sinks.database.migrations import migrate
from sinks.jobs.orders import Order
from transforms.errors import ConfigError


def give(flags: Any, database: Database, order: Order, reason: str) -> int:
    """Store ``order`` instead of carrying it out now, and print its number; returns the exit code."""
    number = long_orders.give(database, order, actor=actor_of(flags), reason=reason)
    stored = _order(database, number)
    if flags.json:
        output.print_json([as_json(stored)])
        return command.OK
    console = command.console()
    line = (
        f"order {number} is about {stored.expected:,} jobs; a console carries it out, or "
        f"`sluice dead-letters orders --work --id {number}`"
    )
    console.print(line, highlight=False, soft_wrap=True)
    return command.OK


def look(flags: Any, database: Database) -> int:
    """List orders, carry them out, or cancel one; returns the exit code.

    Raises:
        ConfigError: Flags contradict each other, or there is no such order.
        SluiceError: The database cannot be reached, or refuses.
    """
    reason = (flags.reason or "").strip()
    if flags.cancel is not None:
        if flags.work or flags.id is not None:
            raise ConfigError("--cancel takes neither --work nor --id")
        if not reason:
            raise ConfigError("--cancel needs --reason TEXT, for the audit trail")
        migrate.prepare(database, create=False)
        cancelled = long_orders.cancel(database, flags.cancel, actor=actor_of(flags), reason=reason)
        return _print(flags, [cancelled])
    if reason or flags.by:
        raise ConfigError("--reason and --by are for --cancel")
    if flags.work:
        migrate.prepare(database, create=False)
        return _work(flags, database)
    if flags.id is not None:
        return _print(flags, [_order(database, flags.id)])
    return _print(flags, long_orders.list_orders(database, limit=flags.limit))


def _work(flags: Any, database: Database) -> int:
    """Carry out one order, or all that wait; returns the exit code."""
    chosen = [] if flags.id is None else [_order(database, flags.id).id]
    numbers = chosen or long_orders.waiting(database)
    for number in numbers:
        if not carry_out(database, number) and flags.id is not None:
            raise ConfigError(
                f"another process carries order {number} out: {_worker(database, number)}"
            )
    ended = [_order(database, number) for number in numbers]
    _print(flags, ended)
    return command.FAILED if any(order.state == "discarded" for order in ended) else command.OK


def _worker(database: Database, number: int) -> str:
    return _order(database, number).worker or "it has just ended"


def _order(database: Database, number: int) -> LongOrder:
    order = long_orders.get_order(database, number)
    if order is None:
        raise ConfigError(f"there is no order {number} in this database")
    return order


def _print(flags: Any, orders: Sequence[LongOrder]) -> int:
    if flags.json:
        output.print_json([as_json(order) for order in orders])
        return command.OK
    console = command.console()
    if not orders:
        console.print("there is no order that waits" if flags.work else "no order was given yet")
        return command.OK
    _show(console, orders)
    return command.OK


def _show(console: Console, orders: Sequence[LongOrder]) -> None:
    columns = ("id", "given", "action", "state", "changed", "by", "reason", "which", "message")
    table = output.folding(*columns)
    for order in orders:
        table.add_row(
            str(order.id),
            order.created_at.isoformat(timespec="seconds"),
            order.action,
            order.state,
            _progress(order),
            shown(order.actor),
            shown(order.reason),
            shown(json.dumps(order.which.get("filter", order.which), ensure_ascii=False)),
            shown(order.message or ""),
        )
    console.print(table)


def _progress(order: LongOrder) -> str:
    """How far an order has come, and what it left alone."""
    done = f"{order.changed:,} of {order.expected:,}"
    left = ", ".join(f"{number:,} {reason}" for reason, number in order.left_alone.items())
    return f"{done} (left alone: {left})" if left else done


def as_json(order: LongOrder) -> dict[str, Any]:
    """One order, with times in ISO 8601."""
    return {
        "id": order.id,
        "action": order.action,
        "which": dict(order.which),
        "state": order.state,
        "expected": order.expected,
        "changed": order.changed,
        "left_alone": dict(order.left_alone),
        "rate": order.rate,
        "by": order.actor,
        "reason": order.reason,
        "message": order.message,
        "worker": order.worker,
        "created_at": order.created_at.isoformat(),
        "changed_at": order.changed_at.isoformat(),
        "ended_at": None if order.ended_at is None else order.ended_at.isoformat(),
    }
