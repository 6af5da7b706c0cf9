"""Notice programs that are at work, before their tables change."""

from __future__ import annotations

import sqlalchemy as sa

from sinks.database.dialects import dialect_of
from sinks.database.migrations.present import Present
from sinks.database.migrations.version import MIGRATE
from sinks.database.tables import leases, progress
from transforms.errors import ConfigError

QUIET_SECONDS = 60
"""How long the ledger has to be at rest."""

_GO_ON = f"{MIGRATE} goes on all the same with --force"


def refuse(connection: sa.Connection) -> None:
    """Refuse to go on while a program holds a lease, or if the ledger was written just now.

    Args:
        connection: To a database with tables of any version.

    Raises:
        ConfigError: A program is at work, or may be.
    """
    present, at = Present(connection), dialect_of(connection).now(connection)
    if present.has(leases.name):
        alive = sa.select(leases).where(leases.c.expires_at > at).order_by(leases.c.expires_at)
        for lease in connection.execute(alive.limit(1)):
            seconds = (lease.expires_at - at).total_seconds()
            raise ConfigError(
                f"the tables cannot be migrated while a program is at work: {lease.holder} holds the "
                f"lease {lease.name} for another {seconds:.0f} s; end it and try again, or {_GO_ON}"
            )
    if present.has(progress.name):
        written = connection.scalar(sa.select(sa.func.max(progress.c.updated_at)))
        seconds = QUIET_SECONDS if written is None else (at - written).total_seconds()
        if seconds < QUIET_SECONDS:
            raise ConfigError(
                f"the tables cannot be migrated while a program may be at work: the ledger was "
                f"written {max(0, seconds):.0f} s ago; end what writes it and try again in "
                f"{QUIET_SECONDS - seconds:.0f} s, or {_GO_ON}"
            )
