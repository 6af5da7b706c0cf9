"""Operations that steer pipelines: what is asked of them, pause, drain, resume, rate."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta

from pipelines.console.access.roles import Role
from pipelines.console.api.operation import Nothing, Operation
from pipelines.console.pages.running import control
from pipelines.console.pages.running.asking import check_text
from pipelines.console.view import View
from sinks.control.listing import SteeredPage
from sinks.control.requests import Limits, Requested

Text = Annotated[str, Meta(min_length=1, max_length=1_000)]
Source = Annotated[str, Meta(max_length=1_000)]
Rate = Annotated[float, Meta(gt=0, le=control.MOST)]


@dataclass(frozen=True, slots=True)
class ControlAsked:
    """Which pipelines.

    Attributes:
        pipeline: Only this one.
        after: Those whose names come after this one.
    """

    pipeline: Text | None = None
    after: Text | None = None
    limit: Annotated[int, Meta(ge=1, le=500)] = 50


@dataclass(frozen=True, slots=True)
class Steering:
    """What is to be steered, and why.

    Attributes:
        source: One of its sources; empty for the whole pipeline.
        reason: For the audit trail.
    """

    pipeline: Text
    reason: Text
    source: Source = ""


@dataclass(frozen=True, slots=True)
class Limiting:
    """A limit on how fast a pipeline or one of its sources reads, and why.

    Attributes:
        source: One of its sources; empty for the whole pipeline.
        max_rate: Records per second; null leaves it as it is.
        max_bytes_rate: Bytes per second, as ``max_rate``.
        none: Forget both limits; without a rate.
        reason: For the audit trail.
    """

    pipeline: Text
    reason: Text
    source: Source = ""
    max_rate: Rate | None = None
    max_bytes_rate: Rate | None = None
    none: bool = False


@dataclass(frozen=True, slots=True)
class Steered:
    """What is asked now of what was steered."""

    requests: Sequence[Requested]


def list_control(view: View, asked: ControlAsked) -> SteeredPage:
    """Pipelines and what is asked of them."""
    for name, text in (("pipeline", asked.pipeline), ("after", asked.after)):
        check_text(name, text or "")
    return control.steered(view, asked.pipeline, asked.after, asked.limit)


def limit(view: View, _: Nothing, wanted: Limiting) -> Steered:
    """Ask for limits."""
    limits = Limits(wanted.max_rate, wanted.max_bytes_rate, wanted.none)
    return Steered(control.limit(view, limits, wanted.pipeline, wanted.source, wanted.reason))


def _asking(action: str) -> Callable[[View, Nothing, Steering], Steered]:
    def ask(view: View, _: Nothing, wanted: Steering) -> Steered:
        return Steered(control.ask(view, action, wanted.pipeline, wanted.source, wanted.reason))

    return ask


def _steering(action: str, summary: str) -> Operation:
    return Operation(
        "POST",
        f"/control/{action}",
        f"{action}Pipeline",
        summary,
        _asking(action),
        Steered,
        body=Steering,
        role=Role.OPERATOR,
    )


OPERATIONS: tuple[Operation, ...] = (
    Operation(
        *("GET", "/control", "listControl", "Pipelines by name, and what is asked of them"),
        list_control,
        SteeredPage,
        ControlAsked,
    ),
    _steering("pause", "Read nothing more of a pipeline or a source"),
    _steering("drain", "Read nothing more, and settle what was read"),
    _steering("resume", "Go on with a pipeline or a source"),
    Operation(
        *("POST", "/control/rate", "limitPipeline", "Limit how fast a pipeline or a source reads"),
        limit,
        Steered,
        body=Limiting,
        role=Role.ADMIN,
    ),
)
