"""All migrations, the oldest first."""

from __future__ import annotations

from sinks.database.migrations import to_1, to_2, to_3, to_4, to_5, to_6, to_7
from sinks.database.migrations.migration import Migration

MIGRATIONS: tuple[Migration, ...] = (
    to_1.MIGRATION,
    to_2.MIGRATION,
    to_3.MIGRATION,
    to_4.MIGRATION,
    to_5.MIGRATION,
    to_6.MIGRATION,
    to_7.MIGRATION,
)
