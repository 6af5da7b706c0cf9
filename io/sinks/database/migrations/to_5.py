"""Version 5: what operators ask of pipelines, and a count of the records that were rewound.

Nothing of before is rewritten.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from sinks.database.columns import UtcDateTime
from sinks.database.migrations.migration import Migration, Step
from sinks.database.migrations.present import Present
from sinks.database.migrations.version_1 import NAME, TEXT

if TYPE_CHECKING:
    from alembic.operations import Operations

_COUNTED = ("ingest_progress", "ingest_counts", "ingest_forgotten", "ingest_workers")


def _rewound(op: Operations, present: Present) -> None:
    for table in _COUNTED:
        if not present.has(table, "rewound"):
            zero = sa.text("0")
            op.add_column(
                table, sa.Column("rewound", sa.BigInteger, nullable=False, server_default=zero)
            )


def _control(op: Operations, present: Present) -> None:
    if not present.has("ingest_control"):
        op.create_table(
            "ingest_control",
            *(sa.Column(name, NAME, primary_key=True) for name in ("pipeline", "source")),
            sa.Column("state", sa.String(16), nullable=False),
            *(sa.Column(name, sa.Double) for name in ("max_rate", "max_bytes_rate")),
            sa.Column("generation", sa.BigInteger, nullable=False),
            sa.Column("actor", NAME, nullable=False),
            sa.Column("reason", TEXT, nullable=False),
            sa.Column("changed_at", UtcDateTime, nullable=False),
            sa.Column("resumed_at", UtcDateTime),
            sa.CheckConstraint(
                "state IN ('running', 'paused', 'draining')", name="ingest_control_state"
            ),
        )


MIGRATION = Migration(
    version=5,
    summary="operators can pause, slow and rewind pipelines",
    steps=(Step(_rewound), Step(_control)),
)
