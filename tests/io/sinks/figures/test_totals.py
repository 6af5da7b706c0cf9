"""Totals never fall, whatever is done to jobs and to the ledger."""

from __future__ import annotations

from functools import partial
from itertools import pairwise

from sinks.figures.labels import Labels
from sinks.figures.totals import totals
from sinks.jobs.actions import carry_out
from sinks.jobs.filter import JobFilter
from sinks.jobs.orders import Order
from tests.io.sinks.figures.samples import Values, read
from tests.io.sinks.tested_database import Database, make_batch, make_failure
from transforms.batch.job_states import ACTIONS

EVENTS = ("events", "events", "./a*")
PATTERNS = [("file:///a*", "./a*"), ("kafka://*", None)]
OWN = Labels(PATTERNS, {"events": PATTERNS[0]})


def of(database: Database, labels: Labels = OWN) -> Values:
    """The totals, which are the same whether or not a pipeline's own pattern is known."""
    values = read(database, partial(totals, labels=labels))
    assert values == read(database, partial(totals, labels=Labels(PATTERNS)))
    return values


def test_each_outcome_is_counted_by_the_uri_that_was_given(database: Database) -> None:
    sink = database.sink(key=["id"])
    sink.commit([make_batch([{"id": "1"}, {"id": "1"}], failures=[make_failure(2)])])
    sink.commit([make_batch([{"id": "2"}], source="file:///ab", filtered=1)])
    values = of(database)
    assert values["sluice_records_read_total"] == {EVENTS: 5}
    outcomes = {"inserted": 2, "updated": 0, "deleted": 0, "duplicates": 1, "filtered": 1}
    assert values["sluice_records_total"] == {(*EVENTS, k): n for k, n in outcomes.items()}
    assert values["sluice_dead_letters_total"] == {EVENTS: 1}
    assert values["sluice_records"] == {(*EVENTS, "dead"): 1, (*EVENTS, "retrying"): 0}


def test_topics_are_labels_themselves_and_what_matches_nothing_is_together(
    database: Database,
) -> None:
    sink = database.sink(key=["id"])
    for number, source in enumerate(("kafka://t", "kafka://u", "s3://b/1", "s3://b/2")):
        sink.commit([make_batch([{"id": str(number)}], source=source)])
    read_total = of(database)["sluice_records_read_total"]
    assert {key[2]: value for key, value in read_total.items()} == {
        "kafka://t": 1,
        "kafka://u": 1,
        "other": 2,
    }


def test_no_total_falls_when_jobs_are_replayed_and_purged_and_the_ledger_is_deleted(
    database: Database,
) -> None:
    sink = database.sink(key=["id"])
    failures = [make_failure(1), make_failure(2)]
    batch = make_batch([{"id": "1"}], failures=failures)
    sink.commit([batch])
    seen = [of(database)]
    for action in ("replay", "purge"):
        order = Order.of(ACTIONS[action], JobFilter(), limit=1)
        carry_out(database.database, order, actor="test", reason="test")
        seen.append(of(database))
    database.run("DELETE FROM ingest_progress")
    seen.append(of(database))
    sink.commit([batch])
    seen.append(of(database))
    for before, after in pairwise(seen):
        for name in filter(lambda name: name.endswith("_total"), before):
            assert all(after[name][key] >= value for key, value in before[name].items()), name
    assert seen[-1]["sluice_records_read_total"] == {EVENTS: 6}
