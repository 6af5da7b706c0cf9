"""What the audit says in figures."""

from __future__ import annotations

from sinks.figures.audited import audited
from tests.io.sinks.figures.samples import Values, by_labels
from tests.io.sinks.runs.test_runs import begun
from tests.io.sinks.tested_database import Database, make_batch, make_failure

OTHER = ("events", "other")
EVENTS = ("events", "events")


def of(database: Database) -> Values:
    return by_labels(audited(database.database, "kafka://*"))


def test_partitions_are_open_or_complete(database: Database) -> None:
    sink = database.sink(key=["id"])
    sink.commit([make_batch([{"id": "1"}]), make_batch([{"id": "2"}], source="s3://b", final=True)])
    values = of(database)
    assert values["sluice_partitions"] == {(*OTHER, "complete"): 1, (*OTHER, "open"): 1}
    assert values["sluice_ledger_gaps"] == {OTHER: 0}
    assert values["sluice_conservation_violations"] == {OTHER: 0}


def test_a_gap_and_a_lost_job_are_seen(database: Database) -> None:
    sink = database.sink(key=["id"])
    sink.commit([make_batch([{"id": "1"}]), make_batch([{"id": "2"}], 5)])
    sink.commit([make_batch([], 6, failures=[make_failure(6)])])
    assert of(database)["sluice_ledger_gaps"] == {OTHER: 1}
    assert of(database)["sluice_conservation_violations"] == {OTHER: 0}
    database.run("DELETE FROM ingest_jobs")
    assert of(database)["sluice_conservation_violations"] == {OTHER: 1}


def test_jobs_are_counted_by_state_with_the_age_of_the_oldest_dead_letter(
    database: Database,
) -> None:
    sink = database.sink(key=["id"])
    failures = [make_failure(0), make_failure(1), make_failure(2, transient=True)]
    sink.commit([make_batch([], failures=failures)])
    database.run("UPDATE ingest_jobs SET discarded_at = '2020-01-01 00:00:00' WHERE id = 1")
    values = of(database)
    numbers = {key[2]: number for key, number in values["sluice_jobs"].items() if number}
    assert numbers == {"discarded": 2, "retryable": 1}
    assert len(values["sluice_jobs"]) == 8, "states without jobs are 0"
    assert values["sluice_dead_letter_oldest_seconds"][EVENTS] > 86_400


def test_jobs_that_are_kept_longer_than_the_last_run_said_are_overdue(database: Database) -> None:
    sink = database.sink(key=["id"])
    sink.commit([make_batch([], failures=[make_failure(0)])])
    begun(database, options={"retain": ["discarded=1d", "completed=1d"]})
    overdue = of(database)["sluice_retention_overdue_seconds"]
    assert overdue == {(*EVENTS, "discarded"): 0, (*EVENTS, "completed"): 0}
    database.run("UPDATE ingest_jobs SET discarded_at = '2020-01-01 00:00:00'")
    overdue = of(database)["sluice_retention_overdue_seconds"]
    assert overdue[*EVENTS, "discarded"] > 86_400


def test_the_last_run_speaks_for_every_table_of_its_pipeline(database: Database) -> None:
    sink = database.sink(key=["id"])
    sink.commit([make_batch([], failures=[make_failure(0)])])
    begun(database, options={"retain": ["discarded=1d"]})
    database.run(
        "UPDATE ingest_jobs SET target = 'orders', read_by = 'events', "
        "discarded_at = '2020-01-01 00:00:00'"
    )
    overdue = of(database)["sluice_retention_overdue_seconds"]
    assert overdue[*EVENTS, "discarded"] == 0
    assert overdue["events", "orders", "discarded"] > 86_400


def test_a_table_whose_counts_do_not_have_its_jobs_is_seen(database: Database) -> None:
    sink = database.sink(key=["id"])
    sink.commit([make_batch([], failures=[make_failure(0), make_failure(1)])])
    database.run(
        "INSERT INTO ingest_counts (pipeline, target, source, partition, read, inserted, updated, "
        "duplicates, filtered, dead, retrying, purged) SELECT pipeline, 'orders', source, partition, "
        "1, 0, 0, 0, 0, 1, 0, 0 FROM ingest_counts",
        "UPDATE ingest_counts SET read = 1, dead = 1 WHERE target = 'events'",
    )
    assert of(database)["sluice_conservation_violations"] == {OTHER: 1}, "both jobs are of events"
    database.run("UPDATE ingest_jobs SET target = 'orders', read_by = 'events' WHERE id = 1")
    assert of(database)["sluice_conservation_violations"] == {OTHER: 0}
