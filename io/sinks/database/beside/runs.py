"""Runs of pipelines, the processes that work for them, and what operators ask of them."""

from __future__ import annotations

import sqlalchemy as sa

from sinks.database.beside.ledger import COUNTS_OF_3
from sinks.database.columns import (
    NAME,
    TEXT,
    UtcDateTime,
    about,
    is_one_of,
    keys,
    late_count,
    metadata,
    names,
    numbers,
    times,
)

submissions = sa.Table(
    "ingest_submissions",
    metadata,
    sa.Column("job", sa.String(64), primary_key=True, doc="the id of the job in the cluster"),
    sa.Column("target", NAME, nullable=False, doc="the label of the pipeline's own table"),
    sa.Column("sources", sa.JSON, nullable=False, doc="the URIs of its sources"),
    *times(submitted_at="when it was handed to the cluster"),
    sa.Column(
        "pipeline",
        NAME,
        doc="the name of the pipeline; null if a ledger belonged to its table then",
    ),
    info=about("stream that was handed to a cluster", "`sluice ingest` on Flink"),
)

runs = sa.Table(
    "ingest_runs",
    metadata,
    sa.Column("id", sa.String(36), primary_key=True, doc="the id of the run"),
    sa.Column("pipeline", NAME, nullable=False, doc="the name of the pipeline"),
    sa.Column("target", NAME, nullable=False, doc="the label of the pipeline's own table"),
    sa.Column("runner", sa.String(32), nullable=False, doc="the runner that it runs on"),
    sa.Column("program", NAME, nullable=False, doc="user, host and process that started it"),
    sa.Column("version", sa.String(64), nullable=False, doc="the version of Sluice"),
    sa.Column("options", sa.JSON, nullable=False, doc="its options by name, without secrets"),
    sa.Column("streaming", sa.Boolean, nullable=False, doc="whether it goes on forever"),
    sa.Column("job", sa.String(64), doc="the id of its job in the cluster"),
    *times(started_at="when it began"),
    *times(ended_at="when it ended; null until then", nullable=True),
    sa.Column("outcome", sa.String(16), doc="how it ended; null until then"),
    sa.Column("message", TEXT, doc="what the error says that ended it"),
    sa.Column(
        "pipeline_version",
        sa.String(32),
        doc="a hash of the steps, the mapping and the options of the pipeline",
    ),
    sa.Index("ingest_runs_started", "started_at"),
    info=about("run of a pipeline", "the program, when it begins and when it ends"),
)

workers = sa.Table(
    "ingest_workers",
    metadata,
    sa.Column("name", NAME, primary_key=True, doc="the name of the process"),
    sa.Column("run", sa.String(36), nullable=False, doc="the run that it works for"),
    *times(started_at="when it began", heartbeat_at="when it was last heard"),
    *times(
        ended_at="when it ended; null until then", committed_at="its last commit", nullable=True
    ),
    *numbers(*COUNTS_OF_3),
    sa.Column(
        "figures",
        sa.JSON,
        nullable=False,
        doc="what only the process knows, such as how far a topic is ahead",
    ),
    late_count("rewound"),
    late_count("deleted"),
    sa.Index("ingest_workers_run", "run"),
    info=about("process that works for a run", "the process itself, every few seconds"),
)

control = sa.Table(
    "ingest_control",
    metadata,
    *keys("pipeline", source="the source that it is about; empty for all of them, and for retries"),
    sa.Column("state", sa.String(16), nullable=False, doc="running, paused or draining"),
    sa.Column(
        "max_rate",
        sa.Double,
        doc="records a second, of all its processes together; null for no limit",
    ),
    sa.Column(
        "max_bytes_rate",
        sa.Double,
        doc="bytes a second, of all its processes together; null for no limit",
    ),
    # A position that was noted under an earlier one is not to be trusted.
    *numbers(generation="how often offsets of the pipeline were forgotten by a rewind"),
    *names("actor"),
    sa.Column("reason", TEXT, nullable=False, doc="why"),
    *times(changed_at="when it was asked"),
    # Failures of before do not pause a stream again.
    sa.Column("resumed_at", UtcDateTime, doc="when it was last resumed"),
    sa.CheckConstraint(is_one_of(("running", "paused", "draining")), name="ingest_control_state"),
    info=about(
        "pipeline or source of which operators ask something",
        "`sluice pause`, `drain`, `resume`, `rate` and `rewind`, the console, `--max_dead`",
    ),
)
