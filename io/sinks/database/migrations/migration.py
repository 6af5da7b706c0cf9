"""What a migration is made of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sinks.database.migrations.present import Present

if TYPE_CHECKING:
    from alembic.operations import Operations

Change = Callable[["Operations", Present], None]
"""Changes tables by operations. It changes what ``Present`` lacks: it may have been interrupted."""


@dataclass(frozen=True, slots=True)
class Step:
    """One part of a migration.

    Attributes:
        change: What it does.
        reads: The tables whose rows it reads, each with how many of them a slow machine reads in a
            second.
        beside: Whether it only builds indexes, which some databases do outside of a transaction
            while others write.
    """

    change: Change
    reads: tuple[tuple[str, int], ...] = ()
    beside: bool = False


@dataclass(frozen=True, slots=True)
class Migration:
    """How the tables of one version become those of the next.

    Attributes:
        version: The version that it leads to, from the one before.
        summary: What changes, for people.
        steps: In order. Those that are not ``beside`` the rest share a transaction.
    """

    version: int
    summary: str
    steps: tuple[Step, ...]
