"""The operation that says what this console is."""

from __future__ import annotations

from dataclasses import dataclass

from pipelines.console.api.operation import Nothing, Operation
from pipelines.console.view import View
from sinks.database.tables import VERSION


@dataclass(frozen=True, slots=True)
class About:
    """This console and its user.

    Attributes:
        database: Which database, without user and password.
        tables: The version of the tables that it reads.
        user: Who asks.
        role: Their role.
        read_only: Whether every action is refused.
    """

    database: str
    tables: int
    user: str
    role: str
    read_only: bool


def about(view: View, _: Nothing) -> About:
    """What this console is, and who asks."""
    return About(
        str(view.database),
        VERSION,
        view.user.name,
        view.user.role.name.lower(),
        view.config.read_only,
    )


OPERATIONS: tuple[Operation, ...] = (
    Operation("GET", "/about", "about", "What this console is, and who asks", about, About),
)
