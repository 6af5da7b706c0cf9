"""Every pipeline at a glance."""

from __future__ import annotations

from pipelines.console.samples import samples_of
from pipelines.console.view import Answer, Page, View
from sinks.console.overview import overview as read
from transforms.errors import ConfigError

BADGES = {
    "running": "good",
    "lost": "bad",
    "failed": "bad",
    "paused": "warn",
    "draining": "warn",
}
"""How a state is coloured; its name says the same."""


def overview(view: View) -> Answer:
    """Every pipeline with its state, its rate and what waits for somebody."""
    try:
        seen = read(view.database)
    except ConfigError as error:
        return view.render("overview.html", seen=None, problem=str(error))
    samples = samples_of(view.database)
    rates = {row.name: samples.rates(row.name) for row in seen.pipelines}
    return view.render(
        "overview.html",
        seen=seen,
        rates=rates,
        badges=BADGES,
        since=samples.since,
        dead=sum(row.dead for row in seen.pipelines),
        retrying=sum(row.retrying for row in seen.pipelines),
    )


ROUTES: tuple[Page, ...] = (Page("/", overview, title="Overview"),)
