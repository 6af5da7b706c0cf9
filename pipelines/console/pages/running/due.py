"""Retries by when they are due, and what is being tried now."""

from __future__ import annotations

from pipelines.console.pages.job_filters import number_of
from pipelines.console.pages.running.asking import cursor, has_tables, place_of, texts
from pipelines.console.rendering.links import link
from pipelines.console.view import Absent, Answer, Page, View
from sinks.console import due as reader


def due(view: View) -> Answer:
    """Jobs that wait, the one that is due first first; their sums by table; and claims."""
    chosen = texts(view.query, "target")
    after = position(view.query.get("after"))
    if not has_tables(view):
        return view.render("due.html", due=None, chosen=chosen, later=None)
    listed = reader.due(view.database, chosen.get("target"), after=after)
    later = None if listed.after is None else link("/due", **chosen, after=cursor(listed.after))
    return view.render("due.html", due=listed, chosen=chosen, later=later)


def listing(view: View, target: str | None, after: str | None, limit: int) -> reader.Due:
    """A page of the queue.

    Raises:
        Absent: The database has no tables yet.
        ConfigError: The position cannot be read.
    """
    place = position(after)
    if not has_tables(view):
        raise Absent("nothing was ingested into this database yet")
    return reader.due(view.database, target, after=place, limit=limit)


def position(text: str | None) -> reader.Place | None:
    """The position in the queue that ``cursor`` has written.

    Raises:
        ConfigError: It has not.
    """
    place = place_of("after", text)
    if place is None:
        return None
    return place[0], number_of(place[1], "after") or 0


ROUTES: tuple[Page, ...] = (Page("/due", due, title="Retries due"),)
