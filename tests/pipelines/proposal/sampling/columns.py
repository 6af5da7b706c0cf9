"""Columns of made-up samples."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pipelines.proposal.sampling.column import Column

ABSENT = object()
"""Stands for a field that a record does not have."""


def column(name: str, values: Sequence[Any], *, cells: bool = False) -> Column:
    """The column that a sample with these values gives, one for each record."""
    result = Column(name)
    for record, value in enumerate(values):
        if value is not ABSENT:
            result.add(value, record, cell=cells)
    return result


def cells(name: str, *texts: str | None) -> Column:
    """A column of CSV."""
    return column(name, texts, cells=True)
