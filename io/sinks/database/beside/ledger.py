"""The ledger: which pipelines there are, what is settled of their sources, and what became of it."""

from __future__ import annotations

import sqlalchemy as sa

from sinks.database.columns import (
    NAME,
    TEXT,
    UtcDateTime,
    about,
    keys,
    late_count,
    metadata,
    numbers,
    times,
)
from transforms.batch.counts import COUNTS

COUNTS_OF_3 = tuple(name for name in COUNTS if name not in ("rewound", "deleted"))
"""The counts that version 3 had."""

_FIRST_COUNTS = tuple(name for name in COUNTS_OF_3 if name != "expanded")


versions = sa.Table(
    "ingest_schema",
    metadata,
    sa.Column(
        "version",
        sa.Integer,
        primary_key=True,
        autoincrement=False,
        doc="the version of these tables; there is one row",
    ),
    *times(migrated_at="when the tables came to this version"),
    info=about("database, with the version of these tables", "the first run, and migrations"),
)

pipelines = sa.Table(
    "ingest_pipelines",
    metadata,
    sa.Column("name", NAME, primary_key=True, doc="the name of the pipeline"),
    sa.Column(
        "target",
        NAME,
        nullable=False,
        doc="the label of the table that it writes; `(none)` if routes name all tables",
    ),
    sa.Column(
        "prepared_at",
        UtcDateTime,
        doc="when a program of this name last started; null if none has since version 1, where a ledger "
        "belonged to its table",
    ),
    sa.Column(
        "hidden",
        TEXT,
        doc="every path in a record that a mapping of it has ever hidden, as JSON; null for none",
    ),
    info=about("pipeline: its name and the table that it writes", "its program, when it prepares"),
)

progress = sa.Table(
    "ingest_progress",
    metadata,
    *keys("pipeline", "source", "partition"),
    sa.Column(
        "start_offset",
        sa.BigInteger,
        primary_key=True,
        autoincrement=False,
        doc="the first offset of the range",
    ),
    sa.Column(
        "end_offset", sa.BigInteger, nullable=False, doc="the offset behind the last of the range"
    ),
    sa.Column(
        "final", sa.Boolean, nullable=False, doc="whether the partition ends where the range ends"
    ),
    *numbers(*_FIRST_COUNTS),
    *times(updated_at="when a commit last changed the row"),
    late_count("expanded"),
    sa.Column(
        "content",
        sa.String(100),
        doc="length and checksum of the bytes of the range, by which a file that was renamed is told; null if "
        "not known",
    ),
    sa.Column(
        "run",
        sa.String(36),
        doc="the run that wrote the row last; null if it was before version 3",
    ),
    late_count("rewound"),
    late_count("deleted"),
    sa.CheckConstraint("end_offset >= start_offset", name="ingest_progress_range"),
    # A file that was renamed is looked for by the name of its partition.
    sa.Index("ingest_progress_partition", "pipeline", "partition"),
    info=about(
        "settled range of a partition, as one pipeline read it, with its counts", "every commit"
    ),
)

counts = sa.Table(
    "ingest_counts",
    metadata,
    *keys("pipeline", "target", "source", "partition"),
    *numbers(*_FIRST_COUNTS),
    *numbers(purged="dead letters that were deleted by hand"),
    late_count("expanded"),
    sa.Column(
        "dead_letters",
        sa.BigInteger,
        nullable=False,
        server_default=sa.text("0"),
        doc="all dead letters that there ever were, also those that were replayed since",
    ),
    late_count("rewound"),
    late_count("deleted"),
    info=about("partition and target table: what its records became there", "every commit"),
)

forgotten = sa.Table(
    "ingest_forgotten",
    metadata,
    *keys("pipeline", "target", "source"),
    *numbers(
        *COUNTS_OF_3,
        purged="dead letters that were deleted by hand",
        dead_letters="all dead letters that there ever were",
    ),
    late_count("rewound"),
    late_count("deleted"),
    info=about(
        "pipeline, target table and source: what was counted for partitions that the ledger does not have "
        "any more",
        "`sluice ledger forget`; a commit, where a ledger was deleted by hand",
    ),
)

targets = sa.Table(
    "ingest_targets",
    metadata,
    sa.Column("target", NAME, primary_key=True, doc="the label of the target table"),
    sa.Column(
        "layout",
        sa.String(16),
        nullable=False,
        doc="`record` if its column `payload` holds whole records, otherwise `fields`",
    ),
    sa.Column(
        "columns",
        TEXT,
        nullable=False,
        doc="the columns and their types as JSON, if Sluice created the table; otherwise empty",
    ),
    *times(since="when it was first written"),
    sa.CheckConstraint("layout IN ('fields', 'record')", name="ingest_targets_layout"),
    info=about(
        "target table: whether its `payload` holds whole records",
        "the first run, when it prepares",
    ),
)
