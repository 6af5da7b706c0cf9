"""One figure: a name, labels and a number."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Sample:
    """A figure at the time when it was read.

    Attributes:
        name: As in docs/metrics.md.
        value: A count, seconds, or seconds since 1970.
        labels: What it is a figure of, by the name of the label.
    """

    name: str
    value: float
    labels: Mapping[str, str]
