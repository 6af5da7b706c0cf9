"""Long orders: all of them, and how far each has come."""

from __future__ import annotations

from pipelines.console.access.roles import Role
from pipelines.console.pages.acting.actions import REASONS
from pipelines.console.pages.job_filters import number_of
from pipelines.console.pages.meant_records import facts, without_texts
from pipelines.console.rendering.links import link
from pipelines.console.view import Absent, Answer, Page, View
from sinks.bulk import long_orders

SHOWN = 50
UNTOLD = frozenset({"max_replays", "unmapped"})
"""What an order has, and a page need not say."""


def orders(view: View) -> Answer:
    """Long orders, the newest first."""
    after = number_of(view.query.get("after"), "after")
    listed = long_orders.list_orders(view.database, limit=SHOWN + 1, after=after)
    more = listed[SHOWN - 1].id if len(listed) > SHOWN else None
    return view.render(
        "orders.html",
        orders=listed[:SHOWN],
        older=None if more is None else link("/orders", after=more),
    )


def order(view: View) -> Answer:
    """One long order, which shows its progress until it has ended."""
    number = int(view.path["id"])
    one = long_orders.get_order(view.database, number)
    if one is None:
        raise Absent(f"there is no order {number}")
    part = 1.0 if one.state == "completed" else min(1.0, one.position / max(1, one.newest))
    which = without_texts(one.which) if view.hides_payloads else one.which
    which = {
        **which.get("filter", {}),
        **{name: of for name, of in which.items() if name != "filter"},
    }
    return view.render(
        "order.html",
        order=one,
        which=[fact for fact in facts(which) if fact[0] not in UNTOLD],
        left_alone=[(REASONS.get(name, name), n) for name, n in one.left_alone.items()],
        part=part,
        may_cancel=view.may(Role.OPERATOR),
    )


def cancel(view: View) -> Answer:
    """End an order before its next chunk."""
    number = int(view.path["id"])
    reason = view.reason()
    ended = long_orders.cancel(view.database, number, actor=view.user.name, reason=reason)
    return view.redirect(
        f"/orders/{number}", f"Order {number} is cancelled; {ended.changed:,} records were changed."
    )


ROUTES: tuple[Page, ...] = (
    Page("/orders", orders, title="Orders"),
    Page("/orders/{id:int}", order),
    Page("/orders/{id:int}/cancel", cancel, method="POST", role=Role.OPERATOR),
)
