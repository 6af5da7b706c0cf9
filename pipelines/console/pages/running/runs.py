"""Runs: which go on, which have ended and how, and one of them with its processes."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from pipelines.console.pages.running.asking import (
    HIDDEN,
    cursor,
    has_tables,
    one_of,
    place_of,
    since_of,
    texts,
)
from pipelines.console.rendering.links import link
from pipelines.console.view import Absent, Answer, Page, View
from pipelines.pipeline_file.version_line import version_line
from sinks.runs.history import RunRow, RunsPage, WantedRuns, page, run_called
from transforms.errors import ConfigError

STATES = ("open", "completed", "stopped", "failed", "paused")
"""``open``: it has not ended; whether it is lost, its processes say."""

MOST_WORKERS = 200


def runs(view: View) -> Answer:
    """Runs, the newest first."""
    chosen = texts(view.query, "pipeline", "target", "state", "since")
    before = place_of("before", view.query.get("before"))
    wanted = WantedRuns(
        pipeline=chosen.get("pipeline"),
        target=chosen.get("target"),
        outcome=one_of("state", chosen.get("state"), STATES),
        since=since_of(chosen),
    )
    listed = listing(view, wanted, before)
    older = None if listed.before is None else link("/runs", **chosen, before=cursor(listed.before))
    return view.render("runs.html", runs=listed.runs, chosen=chosen, states=STATES, older=older)


def run(view: View) -> Answer:
    """One run: its options, its processes, and what they have settled."""
    shown = one(view, str(view.path["run"]))
    file = version_line(shown.options)
    return view.render("run.html", run=shown, file=file, most_workers=MOST_WORKERS)


def listing(
    view: View, wanted: WantedRuns, before: tuple[datetime, str] | None, limit: int = 50
) -> RunsPage:
    """A page of runs, as this user may see them."""
    if not has_tables(view):
        return RunsPage((), None)
    listed = page(view.database, wanted, before=before, limit=limit)
    return replace(listed, runs=[_seen(view, row) for row in listed.runs])


def one(view: View, name: str) -> RunRow:
    """The run with this id, or whose id begins so.

    Raises:
        Absent: There is none, or there are several.
    """
    try:
        row = run_called(view.database, name) if has_tables(view) else None
    except ConfigError:
        row = None
    if row is None:
        raise Absent("there is no such run, or several begin so")
    return _seen(view, row)


def _seen(view: View, row: RunRow) -> RunRow:
    """A run; the error that ended it may quote a record."""
    hides = view.hides_payloads and row.message is not None
    return replace(row, message=HIDDEN) if hides else row


ROUTES: tuple[Page, ...] = (
    Page("/runs", runs, title="Runs"),
    Page("/runs/{run}", run),
)
