"""The outbox: changes that wait, by table and one by one, and those published last."""

from __future__ import annotations

from pipelines.console.pages.job_filters import number_of
from pipelines.console.pages.running.asking import has_tables, texts
from pipelines.console.rendering.links import link
from pipelines.console.view import Absent, Answer, Page, View
from sinks.console import outbox as reader


def outbox(view: View) -> Answer:
    """Changes, the one that waits longest first. Neither keys nor what changed are read."""
    chosen = texts(view.query, "target")
    after = number_of(view.query.get("after"), "after")
    if not has_tables(view):
        return view.render("outbox.html", outbox=None, chosen=chosen, later=None)
    listed = reader.outbox(view.database, chosen.get("target"), after=after)
    later = None if listed.after is None else link("/outbox", **chosen, after=listed.after)
    return view.render("outbox.html", outbox=listed, chosen=chosen, later=later)


def listing(view: View, target: str | None, after: int | None, limit: int) -> reader.Outbox:
    """A page of the outbox.

    Raises:
        Absent: The database has no tables yet.
    """
    if not has_tables(view):
        raise Absent("nothing was ingested into this database yet")
    return reader.outbox(view.database, target, after=after, limit=limit)


ROUTES: tuple[Page, ...] = (Page("/outbox", outbox, title="Outbox"),)
