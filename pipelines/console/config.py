"""What the console is started with."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pipelines.console.access.roles import Role
from sinks.database.database import Database

STATEMENT_SECONDS = 5
"""How long a statement of a page may take."""


@dataclass(frozen=True, slots=True)
class ConsoleConfig:
    """The options of the console.

    Attributes:
        database: Which database it shows.
        listen: Host and port; port 0 is any that is free.
        token_file: Lines ``name:role:token``.
        users: Lines ``name:role:bcrypt-hash``.
        user_header: The header by which a proxy names the user.
        role_header: The header by which it names the role.
        role: The role of those that the proxy names without a role.
        read_only: Whether every action is refused.
        hide_payloads: Whether viewers see neither bytes, keys, headers nor quoted values.
        refresh: After how many seconds a page asks for itself again.
        head_seconds: How long a client may take to send the head of a request.
        body_seconds: How long it may take to send the body.
    """

    database: Database
    listen: tuple[str, int] = ("127.0.0.1", 8400)
    token_file: Path | None = None
    users: Path | None = None
    user_header: str | None = None
    role_header: str | None = None
    role: Role = Role.VIEWER
    read_only: bool = False
    hide_payloads: bool = False
    refresh: float = 5.0
    head_seconds: float = 15.0
    body_seconds: float = 30.0
