"""All operations of the API."""

from __future__ import annotations

from pipelines.console.api import console, dead_letter_groups, dead_letters, orders, runs
from pipelines.console.api.operation import Operation

OPERATIONS: tuple[Operation, ...] = (
    *dead_letter_groups.OPERATIONS,
    *dead_letters.OPERATIONS,
    *orders.OPERATIONS,
    *runs.OPERATIONS,
    *console.OPERATIONS,
)
