"""A long order's jobs as JSON, so that what is read back is the same order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import msgspec

from sinks.jobs.filter import JobFilter
from sinks.jobs.orders import Order
from transforms.batch.job_states import ACTIONS
from transforms.errors import ConfigError
from transforms.steps.pipeline_identity import PipelineIdentity

_FIELDS = {"filter", "states", "max_replays", "limit", "adopter", "unmapped"}
_FILTERS = {field.name for field in fields(JobFilter)}


def written(order: Order) -> dict[str, Any]:
    """``order`` without its action, as ``read`` takes it.

    Defaults are written too, because a later version may have others.
    """
    which: dict[str, Any] = msgspec.to_builtins(order.which)
    return {
        "filter": {name: value for name, value in which.items() if value is not None},
        "states": list(order.states),
        "max_replays": order.max_replays,
        "limit": order.limit,
        "adopter": None if order.adopter is None else msgspec.to_builtins(order.adopter),
        "unmapped": order.unmapped,
    }


def read(action: str, which: Mapping[str, Any]) -> Order:
    """The order that ``written`` has written.

    Raises:
        ConfigError: It was not written by this version: a filter that is not understood would
            otherwise change more jobs than were meant.
    """
    try:
        filters = dict(which["filter"])
        unknown = sorted({*(which.keys() - _FIELDS), *(filters.keys() - _FILTERS)})
        if unknown:
            raise ConfigError(f"the order has fields that are not known here: {', '.join(unknown)}")
        adopter = which["adopter"]
        return Order(
            ACTIONS[action],
            msgspec.convert(filters, JobFilter),
            tuple(which["states"]),
            which["max_replays"],
            which["limit"],
            None if adopter is None else msgspec.convert(adopter, PipelineIdentity),
            which["unmapped"],
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ConfigError(f"the order cannot be read: {type(error).__name__}: {error}") from error
