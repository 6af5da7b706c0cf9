"""What a user of the console may do."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class Role(enum.IntEnum):
    """Each role may do what those before it may."""

    VIEWER = 1
    """Reads."""
    OPERATOR = 2
    """Replays, edits and replays, cancels, pauses and resumes."""
    ADMIN = 3
    """Purges, and sets rates."""


ROLES = {role.name.lower(): role for role in Role}
"""By the name that files, flags and headers have."""


@dataclass(frozen=True, slots=True)
class User:
    """Who asks.

    Attributes:
        name: As the audit trail has it.
        role: What they may do.
        by: How they logged in: ``loopback``, ``password``, ``token`` or ``proxy``.
        asked: Whether this request carries a credential that a page of another site cannot add by itself.
    """

    name: str
    role: Role
    by: str
    asked: bool = False
