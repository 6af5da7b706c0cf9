"""Controls: pause, drain and resume a pipeline or one of its sources, and limit how fast it reads."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from pipelines.console.access.roles import Role
from pipelines.console.pages.running.asking import check_text, has_tables, texts
from pipelines.console.rendering.links import link
from pipelines.console.view import Absent, Answer, Page, View
from pipelines.control.named_sources import named_sources
from sinks.control import listing, requests
from sinks.control.requests import WHOLE, Limits, Requested
from transforms.errors import ConfigError
from transforms.read.control import State

STATES: dict[str, State] = {"pause": "paused", "drain": "draining", "resume": "running"}
"""The actions, and what each asks for."""

DONE = {"pause": "is paused", "drain": "is draining", "resume": "is resumed"}
MOST_SOURCES = 200
"""How many sources a page offers."""

MOST = 1e12
"""The highest rate that can be asked for."""


def control(view: View) -> Answer:
    """All pipelines with what is asked of them; or one, with the forms that change it."""
    chosen = texts(view.query, "pipeline", "after")
    name = chosen.get("pipeline")
    listed = steered(view, name, chosen.get("after"))
    if name is None:
        later = None if listed.after is None else link("/control", after=listed.after)
        return view.render("control.html", page=listed, later=later)
    if not listed.pipelines:
        raise Absent("there is no pipeline of this name")
    read = requests.read_by(view.database, name)
    sources = list(dict.fromkeys([*read.uris, *sorted(read.names)]))
    return view.render(
        "control_one.html",
        pipeline=listed.pipelines[0],
        complete=listed.complete,
        sources=sources[:MOST_SOURCES],
        actions=list(STATES) if view.may(Role.OPERATOR) else [],
        may_limit=view.may(Role.ADMIN),
    )


def steered(
    view: View, name: str | None, after: str | None, limit: int = listing.SHOWN
) -> listing.SteeredPage:
    """A page of pipelines; empty where the database has no tables yet."""
    if not has_tables(view):
        return listing.SteeredPage((), None, complete=True)
    return listing.page(view.database, name, after=after, limit=limit)


def ask(view: View, action: str, pipeline: str, source: str, reason: str) -> Sequence[Requested]:
    """Ask for a state, in the name of the user.

    Raises:
        ConfigError: There is no such pipeline or source.
        SinkUnavailable: The database cannot be reached.
    """
    sources = _sources(view, pipeline, source)
    return requests.ask(
        *(view.database, pipeline, sources, STATES[action]), actor=view.user.name, reason=reason
    )


def limit(
    view: View, limits: Limits, pipeline: str, source: str, reason: str
) -> Sequence[Requested]:
    """Ask for limits, in the name of the user.

    Raises:
        ConfigError: There is no such pipeline or source, or no limit is given.
        SinkUnavailable: The database cannot be reached.
    """
    if limits == Limits():
        raise ConfigError("give a rate, or say that there is no limit")
    if limits.none and limits != Limits(none=True):
        raise ConfigError("give rates, or say that there is no limit, not both")
    sources = _sources(view, pipeline, source)
    return requests.limit(
        view.database, pipeline, sources, limits, actor=view.user.name, reason=reason
    )


def _sources(view: View, pipeline: str, source: str) -> list[str]:
    check_text("pipeline", pipeline)
    check_text("source", source)
    if not has_tables(view):
        raise ConfigError("nothing was ingested into this database yet")
    read = requests.read_by(view.database, pipeline)
    return named_sources(source, pipeline, read) if source else [WHOLE]


def _asking(action: str) -> Callable[[View], Answer]:
    def answer(view: View) -> Answer:
        reason = view.reason()
        pipeline, source = view.form.get("pipeline", ""), view.form.get("source", "").strip()
        ask(view, action, pipeline, source, reason)
        what = f"Source {source}" if source else f"Pipeline {pipeline}"
        return view.redirect(link("/control", pipeline=pipeline), f"{what} {DONE[action]}.")

    return answer


def _limiting(view: View) -> Answer:
    reason = view.reason()
    pipeline, source = view.form.get("pipeline", ""), view.form.get("source", "").strip()
    limits = Limits(
        _rate(view, "max_rate"), _rate(view, "max_bytes_rate"), bool(view.form.get("none"))
    )
    rows = limit(view, limits, pipeline, source, reason)
    said = "; ".join(row.limits_in_words for row in rows)
    return view.redirect(link("/control", pipeline=pipeline), f"Now {said}.")


def _rate(view: View, name: str) -> float | None:
    text = view.form.get(name, "").strip()
    if not text:
        return None
    try:
        rate = float(text)
    except ValueError:
        rate = math.nan
    if not 0 < rate <= MOST:
        raise ConfigError(f"{name} must be a number above 0, got {text!r:.100}")
    return rate


ROUTES: tuple[Page, ...] = (
    Page("/control", control, title="Control"),
    *(
        Page(f"/control/{action}", _asking(action), method="POST", role=Role.OPERATOR)
        for action in STATES
    ),
    Page("/control/rate", _limiting, method="POST", role=Role.ADMIN),
)
