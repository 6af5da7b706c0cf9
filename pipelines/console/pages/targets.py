"""One table: who writes it, what became of its records, and which partitions are covered."""

from __future__ import annotations

from pipelines.console.pages.segments import segments
from pipelines.console.rendering.links import link
from pipelines.console.view import Absent, Answer, Page, View
from sinks.console.coverage import MOST_RANGES, Which, partitions
from sinks.console.target import target as read
from sinks.runs import history
from sinks.runs.history import WantedRuns
from transforms.batch.counts import COUNTS
from transforms.errors import ConfigError

RUNS = 5
ALWAYS = frozenset({"read", "inserted", "duplicates", "dead", "retrying"})
"""The counts that are shown; others are where there are any."""


def target(view: View) -> Answer:
    """What is known of a table."""
    name = view.path["target"]
    seen = read(view.database, name)
    if seen is None:
        raise Absent(f"no pipeline has written a table {name}")
    return view.render(
        "target.html",
        target=seen,
        counted=[name for name in COUNTS if name in ALWAYS or getattr(seen.counts, name)],
        runs=history.page(view.database, WantedRuns(target=name), limit=RUNS).runs,
    )


def coverage(view: View) -> Answer:
    """A page of partitions of the pipelines that write a table."""
    name = view.path["target"]
    chosen = {
        key: text for key in ("pipeline", "source", "gaps") if (text := view.query.get(key, ""))
    }
    which = Which(name, chosen.get("pipeline"), chosen.get("source"), gaps="gaps" in chosen)
    page = partitions(view.database, which, after=_place(view))
    if page is None:
        raise Absent(f"no pipeline has written a table {name}")
    address = link("/targets/{}/partitions", name)
    following = None
    if page.after is not None:
        following = link(address, **chosen, after=list(page.after))
    return view.render(
        "partitions.html",
        name=name,
        address=address,
        page=page,
        drawn=[segments(row) for row in page.rows],
        chosen=chosen,
        most=MOST_RANGES,
        following=following,
    )


def _place(view: View) -> tuple[str, str, str] | None:
    """Where the page begins: pipeline, source and partition, each a parameter ``after``."""
    names = view.query.getlist("after")
    if not names:
        return None
    if len(names) != 3:
        raise ConfigError("after must be a place that a page of this list has linked to")
    pipeline, source, partition = names
    return pipeline, source, partition


ROUTES: tuple[Page, ...] = (
    Page("/targets/{target:path}/partitions", coverage),
    Page("/targets/{target:path}", target),
)
