"""The name, kind, labels and meaning of every metric; docs/metrics.md says the same, and a test compares."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["counter", "gauge", "histogram"]

_PIPELINE = ("pipeline", "target")


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric.

    Attributes:
        name: With its unit; a counter ends in ``_total``.
        kind: What Prometheus calls its type.
        labels: The names of its labels.
        meaning: In one line.
    """

    name: str
    kind: Kind
    labels: tuple[str, ...]
    meaning: str


FROM_DATABASE = (
    Metric("sluice_records_read_total", "counter", (*_PIPELINE, "source"), "records read"),
    Metric(
        "sluice_records_expanded_total",
        "counter",
        (*_PIPELINE, "source"),
        "records beyond the first of their message, or of those that a step made of one",
    ),
    Metric(
        "sluice_records_total",
        "counter",
        (*_PIPELINE, "source", "outcome"),
        "records by what became of them",
    ),
    Metric(
        "sluice_dead_letters_total",
        "counter",
        (*_PIPELINE, "source"),
        "records that became dead letters, each time they did",
    ),
    Metric(
        "sluice_records",
        "gauge",
        (*_PIPELINE, "source", "state"),
        "records that are dead letters, or wait for another attempt, now",
    ),
    Metric(
        "sluice_job_oldest_due_seconds",
        "gauge",
        ("target",),
        "how long the job that is due for the longest has been due",
    ),
    Metric(
        "sluice_last_commit_timestamp_seconds", "gauge", _PIPELINE, "when a process last committed"
    ),
    Metric("sluice_workers", "gauge", _PIPELINE, "processes that were heard within a minute"),
    Metric("sluice_runs", "gauge", (*_PIPELINE, "state"), "runs that have not ended"),
    Metric(
        "sluice_source_lag_records",
        "gauge",
        (*_PIPELINE, "source"),
        "offsets of a topic that can be read and have not been",
    ),
    Metric(
        "sluice_outage_seconds",
        "gauge",
        (*_PIPELINE, "service"),
        "how long a service has been away by now",
    ),
    Metric(
        "sluice_outage_budget_seconds",
        "gauge",
        _PIPELINE,
        "how long a run waits for a service before it fails",
    ),
    Metric(
        "sluice_paused",
        "gauge",
        (*_PIPELINE, "source"),
        "1 while an operator holds the pipeline or, with a source, that source; otherwise 0",
    ),
    Metric(
        "sluice_rate_limit",
        "gauge",
        (*_PIPELINE, "source", "unit"),
        "records or bytes per second that the pipeline or, with a source, that source may be read at",
    ),
    Metric("sluice_outbox_pending", "gauge", ("target",), "changes that are not published"),
    Metric("sluice_outbox_oldest_seconds", "gauge", ("target",), "age of the oldest of them"),
    Metric(
        "sluice_actions_total", "counter", ("action",), "jobs and objects that were changed by hand"
    ),
    Metric("sluice_exporter_up", "gauge", (), "whether the last reading of the database succeeded"),
    Metric(
        "sluice_exporter_duration_seconds", "gauge", ("loop",), "how long the last reading took"
    ),
)
"""What the exporter reads every few seconds, and says of itself."""

FROM_AUDIT = (
    Metric("sluice_audit_timestamp_seconds", "gauge", (), "when an audit last succeeded"),
    Metric("sluice_ledger_gaps", "gauge", ("pipeline", "source"), "partitions that have a gap"),
    Metric(
        "sluice_conservation_violations",
        "gauge",
        ("pipeline", "source"),
        "partitions whose records, jobs or tables do not add up",
    ),
    Metric(
        "sluice_partitions", "gauge", ("pipeline", "source", "state"), "partitions in the ledger"
    ),
    Metric("sluice_jobs", "gauge", (*_PIPELINE, "state"), "jobs, counted one by one"),
    Metric(
        "sluice_dead_letter_oldest_seconds", "gauge", _PIPELINE, "age of the oldest dead letter"
    ),
    Metric(
        "sluice_retention_overdue_seconds",
        "gauge",
        (*_PIPELINE, "state"),
        "how long the oldest job is kept beyond --retain",
    ),
)
"""What the exporter reads every few minutes."""

FROM_PROCESS = (
    Metric(
        "sluice_stage_seconds_total",
        "counter",
        (*_PIPELINE, "stage"),
        "seconds of the thread that carries the bundles, by what it does",
    ),
    Metric(
        "sluice_writer_busy_seconds_total",
        "counter",
        _PIPELINE,
        "seconds of all transactions, several of which may be side by side",
    ),
    Metric(
        "sluice_commits_in_flight",
        "gauge",
        _PIPELINE,
        "transactions of the last bundle that were side by side",
    ),
    Metric(
        "sluice_columns_changed_total",
        "counter",
        (*_PIPELINE, "table", "change"),
        "columns that tables got for new fields, or whose type takes more now",
    ),
    Metric(
        "sluice_deadlocks_total",
        "counter",
        _PIPELINE,
        "transactions that the database has rolled back because they waited for each other",
    ),
    Metric("sluice_writer_queue_records", "gauge", _PIPELINE, "records that wait for the writer"),
    Metric(
        "sluice_writer_queue_capacity_records",
        "gauge",
        _PIPELINE,
        "how many records may wait before the source is held back",
    ),
    Metric(
        "sluice_commit_duration_seconds",
        "histogram",
        (*_PIPELINE, "result"),
        "duration of a transaction",
    ),
    Metric("sluice_commit_records", "histogram", _PIPELINE, "records in a transaction"),
    Metric(
        "sluice_freshness_seconds",
        "histogram",
        (*_PIPELINE, "source"),
        "from the event time of a record to its commit",
    ),
    Metric("sluice_bytes_read_total", "counter", (*_PIPELINE, "source"), "bytes of records read"),
    Metric(
        "sluice_source_lag_records",
        "gauge",
        (*_PIPELINE, "source"),
        "offsets of a topic that can be read and have not been",
    ),
    Metric(
        "sluice_record_failures_total",
        "counter",
        (*_PIPELINE, "stage", "category"),
        "failures, at every attempt",
    ),
    Metric(
        "sluice_table_records_total",
        "counter",
        (*_PIPELINE, "table", "outcome"),
        "records that routes have sent to each table, by what became of them",
    ),
    Metric(
        "sluice_job_attempts_total",
        "counter",
        (*_PIPELINE, "result"),
        "further attempts at records that had failed",
    ),
    Metric(
        "sluice_job_wait_seconds",
        "histogram",
        _PIPELINE,
        "how long the longest waiting job of a claim had been due",
    ),
    Metric(
        "sluice_outage_seconds_total",
        "counter",
        (*_PIPELINE, "service"),
        "seconds spent waiting for a service",
    ),
    Metric(
        "sluice_outage_seconds",
        "gauge",
        (*_PIPELINE, "service"),
        "how long a service has been away by now",
    ),
    Metric(
        "sluice_step_busy_seconds_total",
        "counter",
        (*_PIPELINE, "step"),
        "seconds that the calls of a step took, all of them together",
    ),
    Metric("sluice_step_calls_total", "counter", (*_PIPELINE, "step", "result"), "calls of a step"),
    Metric(
        "sluice_step_concurrency",
        "gauge",
        (*_PIPELINE, "step"),
        "how many calls of a step may be made at once",
    ),
    Metric(
        "sluice_step_queue_records",
        "gauge",
        (*_PIPELINE, "step"),
        "records of a batch that wait for their call",
    ),
    Metric(
        "sluice_step_hung_calls",
        "gauge",
        (*_PIPELINE, "step"),
        "calls that have timed out and still not returned",
    ),
    Metric(
        "sluice_paused",
        "gauge",
        (*_PIPELINE, "source"),
        "1 while an operator holds the pipeline or, with a source, that source; otherwise 0",
    ),
    Metric(
        "sluice_rate_share",
        "gauge",
        (*_PIPELINE, "source", "unit"),
        "records or bytes per second that are this process's share of a limit",
    ),
    Metric(
        "sluice_rate_wait_seconds_total",
        "counter",
        (*_PIPELINE, "source"),
        "seconds that readers have waited because of a limit",
    ),
    Metric("sluice_leases", "gauge", _PIPELINE, "leases that this process holds"),
    Metric(
        "sluice_leases_lost_total", "counter", _PIPELINE, "leases that another process has taken"
    ),
    Metric("sluice_connections", "gauge", (*_PIPELINE, "state"), "connections to the database"),
    Metric("sluice_build_info", "gauge", ("version", "beam", "runner"), "1"),
)
"""What a process that runs a pipeline shows of itself."""
