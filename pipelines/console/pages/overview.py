"""Every pipeline at a glance."""

from __future__ import annotations

from pipelines.console.pages.running.asking import has_tables
from pipelines.console.samples import samples_of
from pipelines.console.view import Answer, Page, View
from sinks.console.overview import overview as read


def overview(view: View) -> Answer:
    """Every pipeline with its state, its rate and what waits for somebody."""
    if not has_tables(view):
        return view.render("overview.html", seen=None)
    seen = read(view.database)
    samples = samples_of(view.database)
    rates = {row.name: samples.rates(row.name) for row in seen.pipelines}
    return view.render(
        "overview.html",
        seen=seen,
        rates=rates,
        since=samples.since,
        troubled=sum(row.state in ("failed", "lost") for row in seen.pipelines),
        held=sum(row.state in ("paused", "draining") for row in seen.pipelines),
        dead=sum(row.dead for row in seen.pipelines),
        retrying=sum(row.retrying for row in seen.pipelines),
    )


ROUTES: tuple[Page, ...] = (Page("/", overview, title="Overview"),)
