"""What operators ask of pipelines: a row and its entry in the audit trail, both or neither."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from sinks.control import requests
from sinks.control.requests import WHOLE, Limits, Requested
from sinks.jobs import audit_trail
from sinks.runs.runs import Run
from tests.io.sinks.jobs.stored_jobs import refuse_audit
from tests.io.sinks.tested_database import Database, make_batch
from transforms.errors import ConfigError, SinkFailed
from transforms.read.control import State

BY = {"actor": "ann", "reason": "disk full"}


def pause(database: Database, *sources: str, state: State = "paused") -> list[Requested]:
    return requests.ask(database.database, "events", sources or [WHOLE], state, **BY)


def rows(database: Database) -> dict[str, Requested]:
    return {row.source: row for row in requests.requested(database.database, "events")}


def test_a_pause_is_a_row_and_an_entry_that_say_who_and_why(database: Database) -> None:
    database.sink()
    (row,) = pause(database)
    assert rows(database) == {WHOLE: row}
    assert (row.state, row.actor, row.reason, row.resumed_at) == (
        "paused",
        "ann",
        "disk full",
        None,
    )
    (entry,) = audit_trail.entries(database.database)
    assert (entry.action, entry.actor, entry.reason) == ("pause", "ann", "disk full")
    assert (entry.filter, entry.count) == ({"pipeline": "events", "source": ""}, 0)
    assert entry.at >= row.changed_at


def test_a_resume_says_when_and_keeps_the_limits_and_the_generation(database: Database) -> None:
    database.sink()
    requests.limit(database.database, "events", [WHOLE], Limits(max_rate=5.0), **BY)
    pause(database)
    database.run("UPDATE ingest_control SET generation = 3")
    (row,) = pause(database, state="running")
    assert row.resumed_at == row.changed_at
    assert (row.holds, row.max_rate, row.generation) == (False, 5.0, 3)
    (paused,) = pause(database)
    assert paused.resumed_at == row.resumed_at


def test_sources_have_rows_of_their_own(database: Database) -> None:
    database.sink()
    pause(database, "kafka://a", "kafka://b")
    pause(database, "kafka://a", state="running")
    states = {source: row.state for source, row in rows(database).items()}
    assert states == {"kafka://a": "running", "kafka://b": "paused"}
    assert len(audit_trail.entries(database.database)) == 3


def test_a_limit_leaves_a_pause_as_it_was_asked_for(database: Database) -> None:
    database.sink()
    (paused,) = pause(database)
    limits = Limits(max_bytes_rate=1e6)
    requests.limit(database.database, "events", [WHOLE], limits, actor="bob", reason="month end")
    assert rows(database)[WHOLE] == replace(paused, max_bytes_rate=1e6)
    entry = audit_trail.entries(database.database)[0]
    assert (entry.action, entry.actor, entry.reason) == ("rate", "bob", "month end")
    assert entry.filter["max_bytes_rate"] == 1e6


def test_limits_are_set_one_by_one_and_forgotten_together(database: Database) -> None:
    database.sink()
    for limits in (Limits(max_rate=5.0), Limits(max_bytes_rate=6.0)):
        requests.limit(database.database, "events", [WHOLE], limits, **BY)
    assert (rows(database)[WHOLE].max_rate, rows(database)[WHOLE].max_bytes_rate) == (5.0, 6.0)
    requests.limit(database.database, "events", [WHOLE], Limits(none=True), **BY)
    assert (rows(database)[WHOLE].max_rate, rows(database)[WHOLE].max_bytes_rate) == (None, None)


def test_an_unknown_pipeline_is_refused_by_naming_those_that_there_are(database: Database) -> None:
    database.sink()
    with pytest.raises(ConfigError, match=r"no pipeline 'event'; there are: events$"):
        requests.ask(database.database, "event", [WHOLE], "paused", **BY)
    assert audit_trail.entries(database.database) == []


def test_there_is_no_row_without_its_entry(database: Database) -> None:
    database.sink()
    refuse_audit(database)
    with pytest.raises(SinkFailed, match="not today"):
        pause(database)
    assert rows(database) == {}


def test_operators_at_the_same_time_leave_one_row_and_an_entry_for_each(database: Database) -> None:
    database.sink()
    states: list[State] = ["paused", "running", "draining", "running"] * 3
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda state: pause(database, state=state), states))
    (row,) = rows(database).values()
    trail = audit_trail.entries(database.database)
    assert sorted(entry.action for entry in trail) == sorted(
        ["pause", "drain", *["resume"] * 2] * 3
    )
    if database.kind != "generic":  # which has no locks
        last = {"pause": "paused", "resume": "running", "drain": "draining"}[trail[0].action]
        assert row.state == last


def test_who_pauses_unless_somebody_has_changes_nothing_of_that_pause(database: Database) -> None:
    database.sink()
    asked = {"actor": "sluice", "reason": "too many"}
    assert requests.pause_unless_held(database.database, "events", **asked)
    before = rows(database)
    assert not requests.pause_unless_held(database.database, "events", actor="x", reason="y")
    assert rows(database) == before
    assert len(audit_trail.entries(database.database)) == 1


def test_a_pipeline_reads_what_its_runs_and_its_ledger_name(database: Database) -> None:
    sink = database.sink(key=["id"])
    sink.commit([make_batch([{"id": "1"}], source="kafka://orders")])
    uri = "kafka://localhost/orders"
    options = {"sources": [{"uri": uri, "pattern": "kafka://*"}]}
    Run("1", sink.config, "", "DirectRunner", "1", options).begin()
    read = requests.read_by(database.database, "events")
    assert (read.uris, read.names) == ([uri], frozenset({"kafka://orders"}))


def test_texts_that_a_database_cannot_hold_are_cleaned_and_cut(database: Database) -> None:
    database.sink()
    asked = {"actor": "a\x00" * 300, "reason": "r\x00" * 3_000}
    (row,) = requests.ask(database.database, "events", [WHOLE], "paused", **asked)
    assert (len(row.actor), len(row.reason)) == (255, 2_000)
    assert rows(database) == {WHOLE: row}


def test_it_is_said_in_one_line(database: Database) -> None:
    database.sink()
    (row,) = pause(database, "kafka://a")
    line = str(row)
    assert line.startswith("source kafka://a of pipeline events is paused since 2")
    assert line.endswith("Z by ann: disk full")
    limited = replace(row, max_rate=500.0, max_bytes_rate=1e6).limits_in_words
    assert limited.endswith("may read 500 records per second and 1e+06 bytes per second")
    assert row.limits_in_words.endswith("may read as fast as its options say")
