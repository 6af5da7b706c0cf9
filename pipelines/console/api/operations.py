"""All operations of the API."""

from __future__ import annotations

from pipelines.console.api import console
from pipelines.console.api.operation import Operation

OPERATIONS: tuple[Operation, ...] = (*console.OPERATIONS,)
