"""Operations on long orders: list, one, cancel."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from msgspec import Meta

from pipelines.console.access.roles import Role
from pipelines.console.api.operation import Operation
from pipelines.console.pages.meant_records import without_texts
from pipelines.console.view import Absent, View
from sinks.bulk import long_orders
from sinks.bulk.long_orders import LongOrder

Number = Annotated[int, Meta(ge=0, le=2**63 - 1)]


@dataclass(frozen=True, slots=True)
class Listing:
    """A page of orders.

    Attributes:
        after: Only orders that are older than this one.
        limit: How many.
    """

    after: Number | None = None
    limit: Annotated[int, Meta(ge=1, le=500)] = 50


@dataclass(frozen=True, slots=True)
class One:
    """The number of an order."""

    id: Number


@dataclass(frozen=True, slots=True)
class Reason:
    """Why, for the audit trail."""

    reason: Annotated[str, Meta(min_length=1, max_length=1_000)]


@dataclass(frozen=True, slots=True)
class Order:
    """A long order.

    Attributes:
        which: Which records are meant.
        expected: How many there were when it was given.
        changed: How many it has changed so far.
        left_alone: How many it has met and left alone, by reason.
        worker: The process that carries it out, if one does.
    """

    id: int
    action: str
    which: Mapping[str, Any]
    actor: str
    reason: str
    state: str
    expected: int
    changed: int
    left_alone: Mapping[str, int]
    message: str | None
    created_at: datetime
    ended_at: datetime | None
    worker: str | None


@dataclass(frozen=True, slots=True)
class Orders:
    """Long orders, the newest first."""

    orders: tuple[Order, ...]


def listing(view: View, asked: Listing) -> Orders:
    """Long orders."""
    listed = long_orders.list_orders(view.database, limit=asked.limit, after=asked.after)
    return Orders(tuple(_order(view, one) for one in listed))


def one(view: View, which: One) -> Order:
    """A long order."""
    order = long_orders.get_order(view.database, which.id)
    if order is None:
        raise Absent(f"there is no order {which.id}")
    return _order(view, order)


def cancel(view: View, which: One, why: Reason) -> Order:
    """End a long order before its next chunk."""
    actor = view.user.name
    order = long_orders.cancel(view.database, which.id, actor=actor, reason=why.reason)
    return _order(view, order)


def _order(view: View, order: LongOrder) -> Order:
    return Order(
        id=order.id,
        action=order.action,
        which=without_texts(order.which) if view.hides_payloads else order.which,
        actor=order.actor,
        reason=order.reason,
        state=order.state,
        expected=order.expected,
        changed=order.changed,
        left_alone=order.left_alone,
        message=order.message,
        created_at=order.created_at,
        ended_at=order.ended_at,
        worker=order.worker,
    )


OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "GET", "/orders", "listOrders", "Long orders, newest first", listing, Orders, Listing
    ),
    Operation("GET", "/orders/{id}", "getOrder", "A long order", one, Order, One),
    Operation(
        *("POST", "/orders/{id}/cancel", "cancelOrder", "End an order before its next chunk"),
        cancel,
        Order,
        One,
        Reason,
        Role.OPERATOR,
    ),
)
