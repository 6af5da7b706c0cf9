"""All migrations, the oldest first."""

from __future__ import annotations

from sinks.database.migrations import to_1, to_2
from sinks.database.migrations.migration import Migration

MIGRATIONS: tuple[Migration, ...] = (to_1.MIGRATION, to_2.MIGRATION)
