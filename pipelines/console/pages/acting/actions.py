"""Replay, cancel and purge: first a confirmation, then the action at once or as a long order."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from pipelines.console.access.roles import Role
from pipelines.console.pages.acting.selection import Selection, action_named, selection
from pipelines.console.pages.dead_letters import LIST
from pipelines.console.pages.job_filters import number_of
from pipelines.console.rendering.links import link
from pipelines.console.view import Absent, Answer, Forbidden, Page, View
from sinks.bulk import long_orders
from sinks.console.acting import Extent, afterwards, entries_since, extent, newest_entry
from sinks.console.failed_records import page
from sinks.database.database import Database
from sinks.jobs.actions import carry_out
from sinks.jobs.chunks import CHUNK
from sinks.jobs.filter import JobFilter
from sinks.jobs.orders import HEAD_ONLY, NO_BYTES, REPLAYED_OFTEN, Order
from transforms.batch.job_states import CANCEL, EXECUTING, PURGE, REPLAY, Action
from transforms.errors import ConfigError

AT_ONCE = 10_000
"""More records than these become a long order."""

SECONDS = 2.0
"""How long an action looks for its records before it becomes a long order."""

SAMPLE = 10

ROLES: Mapping[str, Role] = {
    REPLAY.name: Role.OPERATOR,
    CANCEL.name: Role.OPERATOR,
    PURGE.name: Role.ADMIN,
}

REASONS = {
    NO_BYTES: "have no bytes to parse: an object could not be read",
    HEAD_ONLY: "are too large, so that only their heads are kept",
    REPLAYED_OFTEN: "were replayed too often already",
    EXECUTING: "are being tried at this moment",
}


def confirm(view: View) -> Answer:
    """What an action would change, before it is done."""
    action = action_named(view.query.get("action"))
    if not view.may(ROLES[action.name]):
        raise Forbidden(f"you may not {action.name} records in this console")
    chosen = selection(view, action, view.query, view.query)
    meant = extent(view.database, chosen.order, most=AT_ONCE)
    return view.render(
        "confirm.html",
        action=action.name,
        selection=chosen,
        extent=meant,
        at_once=AT_ONCE,
        left_alone=[(REASONS.get(name, name), n) for name, n in meant.left_alone.items()],
        sample=_sample(view, chosen, meant),
    )


def outcome(view: View) -> Answer:
    """What became of the records of an action that was done at once."""
    numbers = [number_of(part, "entries") for part in view.query.get("entries", "").split(",")]
    became = afterwards(view.database, [number for number in numbers if number is not None])
    if became is None:
        raise Absent("the audit trail has no such entries")
    return view.render("outcome.html", outcome=became)


def act(
    database: Database, order: Order, *, actor: str, reason: str
) -> tuple[int, tuple[int, ...], int | None]:
    """Do what is ordered, at once or as a long order.

    Returns:
        How many records were changed, the entries of the audit trail about them, and the number of
        the long order if there is one.

    Raises:
        ConfigError: There is nothing to do.
        SinkUnavailable: The database cannot be reached.
    """
    meant = extent(database, order, most=AT_ONCE, seconds=SECONDS)
    if meant.ids is None:
        number = long_orders.give(
            database, order, actor=actor, reason=reason, expected=meant.count.number
        )
        return 0, (), number
    if not meant.ids:
        raise ConfigError(f"there is nothing to {order.action.name}: no record matches")
    newest = newest_entry(database)
    ids = sorted(meant.ids)
    changed = 0
    for start in range(0, len(ids), CHUNK):
        part = replace(order.which, ids=tuple(ids[start : start + CHUNK]))
        done = carry_out(database, replace(order, which=part), actor=actor, reason=reason)
        changed += done.count
    return changed, entries_since(database, order.action.name, actor, reason, newest), None


def _acting(action: Action) -> Callable[[View], Answer]:
    def answer(view: View) -> Answer:
        reason = view.reason()
        chosen = selection(view, action, view.form, view.form)
        changed, entries, number = act(
            view.database, chosen.order, actor=view.user.name, reason=reason
        )
        if number is not None:
            return view.redirect(f"/orders/{number}", f"Order {number} is given.")
        said = f"{action.name.capitalize()}: {changed:,} records."
        if not entries:
            return view.redirect(LIST, said)
        return view.redirect(link(LIST + "/outcome", entries=",".join(map(str, entries))), said)

    return answer


def _sample(view: View, chosen: Selection, meant: Extent) -> Any:
    """Some of the records that would be changed."""
    if meant.ids is not None:
        ids = meant.ids[:SAMPLE]
        return (
            page(view.database, JobFilter(ids=ids, state="all"), limit=SAMPLE).records
            if ids
            else ()
        )
    state = chosen.order.states[0]
    which = replace(chosen.order.which, state=state)
    return page(view.database, which, limit=SAMPLE).records


ROUTES: tuple[Page, ...] = (
    Page(LIST + "/confirm", confirm),
    Page(LIST + "/outcome", outcome),
    *(
        Page(f"{LIST}/{name}", _acting(action_named(name)), method="POST", role=role)
        for name, role in ROLES.items()
    ),
)
