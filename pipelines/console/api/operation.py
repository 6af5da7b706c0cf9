"""An operation of the API: from this one description come its route, its checks and its documentation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pipelines.console.access.roles import Role
from pipelines.console.view import View


@dataclass(frozen=True, slots=True)
class Nothing:
    """No parameters."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation.

    Parameters, body and answer are dataclasses whose fields have types with bounds, such as
    ``Annotated[int, msgspec.Meta(ge=1, le=500)]``; what does not fit them is answered with 400
    and one line.

    Attributes:
        method: ``GET`` or ``POST``.
        path: Where, below ``/api``; names in braces are fields of ``parameters``.
        name: The ``operationId``.
        summary: What it does, in one line.
        function: Called with the view, the parameters, and the body if there is one; returns an
            instance of ``answer``. It runs in a thread, and raises what pages raise.
        answer: The dataclass of the answer.
        parameters: The dataclass of what stands in path and query.
        body: The dataclass of the JSON that is sent, for a ``POST``.
        role: The least role.
        acts: Whether a read-only console refuses it; by default every ``POST``.
    """

    method: str
    path: str
    name: str
    summary: str
    function: Callable[..., Any]
    answer: Any
    parameters: Any = Nothing
    body: Any = None
    role: Role = Role.VIEWER
    acts: bool | None = None

    def call(self, view: View, parameters: Any, body: Any) -> Any:
        """The answer of the function."""
        if self.body is None:
            return self.function(view, parameters)
        return self.function(view, parameters, body)
