"""All operations of the API."""

from __future__ import annotations

from pipelines.console.api import (
    console,
    control,
    dead_letter_groups,
    dead_letters,
    orders,
    pipelines,
    runs,
    waiting,
)
from pipelines.console.api.operation import Operation

OPERATIONS: tuple[Operation, ...] = (
    *pipelines.OPERATIONS,
    *dead_letter_groups.OPERATIONS,
    *dead_letters.OPERATIONS,
    *orders.OPERATIONS,
    *waiting.OPERATIONS,
    *runs.OPERATIONS,
    *control.OPERATIONS,
    *console.OPERATIONS,
)
