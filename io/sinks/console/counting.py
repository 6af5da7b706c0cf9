"""Counts that are exact as long as that is cheap."""

from __future__ import annotations

from dataclasses import dataclass

EXACT = 10_000
"""Up to this number counts are exact."""


@dataclass(frozen=True, slots=True)
class Count:
    """A number of rows.

    Attributes:
        number: How many, or about how many.
        exact: Whether that is certain.
    """

    number: int
    exact: bool = True
