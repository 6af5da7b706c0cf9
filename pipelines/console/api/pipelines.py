"""Operations that look at pipelines: all of them, one table, its partitions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta

from pipelines.console.api.operation import Nothing, Operation
from pipelines.console.view import Absent, View
from sinks.console import coverage
from sinks.console import overview as overviews
from sinks.console import target as targets
from sinks.console.coverage import Partitions, Which
from sinks.console.overview import Overview
from sinks.console.target import Target

Name = Annotated[str, Meta(min_length=1, max_length=255)]


@dataclass(frozen=True, slots=True)
class Table:
    """The name of a table, as the ledger has it."""

    target: Name


@dataclass(frozen=True, slots=True)
class Part:
    """Which partitions, and where the page begins.

    Attributes:
        target: Of pipelines that write this table; without it, of all.
        pipeline: Of this pipeline.
        source: Of this source.
        gaps: Only those with a gap.
        after_pipeline: With the next two: the last partition of the page before.
        after_source: Its source.
        after_partition: Its name.
        limit: How many.
    """

    target: Name | None = None
    pipeline: Name | None = None
    source: str | None = None
    gaps: bool = False
    after_pipeline: str | None = None
    after_source: str | None = None
    after_partition: str | None = None
    limit: Annotated[int, Meta(ge=1, le=500)] = coverage.SHOWN


def overview(view: View, _: Nothing) -> Overview:
    """Every pipeline."""
    return overviews.overview(view.database)


def target(view: View, which: Table) -> Target:
    """What is known of a table."""
    seen = targets.target(view.database, which.target)
    if seen is None:
        raise Absent(f"no pipeline has written a table {which.target}")
    return seen


def partitions(view: View, part: Part) -> Partitions:
    """A page of partitions."""
    place = part.after_pipeline, part.after_source, part.after_partition
    pipeline, source, partition = place
    after = None
    if pipeline is not None and source is not None and partition is not None:
        after = pipeline, source, partition
    which = Which(part.target, part.pipeline, part.source, part.gaps)
    page = coverage.partitions(view.database, which, after=after, limit=part.limit)
    if page is None:
        raise Absent(f"no pipeline has written a table {part.target}")
    return page


OPERATIONS: tuple[Operation, ...] = (
    Operation("GET", "/overview", "overview", "Every pipeline", overview, Overview),
    Operation(
        *("GET", "/targets/{target:path}", "target", "One table", target, Target),
        parameters=Table,
    ),
    Operation(
        *("GET", "/partitions", "partitions", "The coverage of partitions", partitions, Partitions),
        parameters=Part,
    ),
)
