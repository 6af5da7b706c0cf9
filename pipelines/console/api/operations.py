"""All operations of the API."""

from __future__ import annotations

from pipelines.console.api import console, dead_letter_groups, dead_letters, orders, pipelines
from pipelines.console.api.operation import Operation

OPERATIONS: tuple[Operation, ...] = (
    *pipelines.OPERATIONS,
    *dead_letter_groups.OPERATIONS,
    *dead_letters.OPERATIONS,
    *orders.OPERATIONS,
    *console.OPERATIONS,
)
