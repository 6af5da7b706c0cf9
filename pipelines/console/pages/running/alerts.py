"""The alerts: whose condition holds now, and which the database cannot judge."""

from __future__ import annotations

from pipelines.console.pages.running.asking import has_tables
from pipelines.console.view import Absent, Answer, Page, View
from sinks.console import alerts as reader


def alerts(view: View) -> Answer:
    """Every alert, those whose condition holds first."""
    return view.render("alerts.html", alerts=judged(view) if has_tables(view) else None)


def judged(view: View) -> reader.Alerts:
    """The alerts as of now.

    Raises:
        ConfigError: The tables have another version.
        Absent: There are none.
    """
    if not has_tables(view):
        raise Absent("nothing was ingested into this database yet")
    return reader.alerts(view.database)


ROUTES: tuple[Page, ...] = (Page("/alerts", alerts, title="Alerts"),)
