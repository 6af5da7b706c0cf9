"""An operation's function has a body only if the operation has one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pipelines.console.access.roles import Role, User
from pipelines.console.api.operation import Nothing, Operation
from pipelines.console.config import ConsoleConfig
from pipelines.console.view import View
from sinks.database.database import Database


@dataclass
class Body:
    number: int


def test_it_is_called_with_what_it_has(empty: Database) -> None:
    def given_arguments(*arguments: Any) -> int:
        return len(arguments)

    view = View(ConsoleConfig(empty), User("ann", Role.ADMIN, "password"))
    reading = Operation("GET", "/x", "x", "X", given_arguments, int)
    writing = Operation("POST", "/x", "x", "X", given_arguments, int, body=Body)
    assert reading.call(view, Nothing(), None) == 2
    assert writing.call(view, Nothing(), Body(1)) == 3
