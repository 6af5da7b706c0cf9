"""How fast pipelines may be read, as figures."""

from __future__ import annotations

from sinks.control import requests
from sinks.control.requests import WHOLE, Limits
from sinks.figures.limits import limits
from sinks.runs.runs import Run
from tests.io.sinks.figures.samples import read
from tests.io.sinks.tested_database import Database

BY = {"actor": "ann", "reason": "r"}
EVENTS = ("events", "events")


def begun(database: Database, run: str, **options: float) -> Run:
    entry = Run(run, database.config(), "", "DirectRunner", "1", options)
    entry.begin()
    return entry


def test_an_operators_limit_takes_the_place_of_the_options(database: Database) -> None:
    database.sink()
    begun(database, "0")
    begun(database, "1", max_rate=50.5, max_bytes_rate=1_000)
    requests.limit(database.database, "events", [WHOLE], Limits(max_rate=7.0), **BY)
    requests.limit(database.database, "events", ["kafka://a"], Limits(max_bytes_rate=9.0), **BY)
    assert read(database, limits) == {
        "sluice_rate_limit": {
            (*EVENTS, "", "records"): 7.0,
            (*EVENTS, "", "bytes"): 1_000.0,
            (*EVENTS, "kafka://a", "bytes"): 9.0,
        }
    }


def test_a_run_that_has_ended_limits_nothing(database: Database) -> None:
    database.sink()
    begun(database, "1", max_rate=50).end("completed")
    assert read(database, limits) == {}
