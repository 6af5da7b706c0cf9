"""Which pipelines and sources are held, as figures."""

from __future__ import annotations

from sinks.control import requests
from sinks.control.requests import WHOLE
from sinks.figures import asked
from tests.io.sinks.figures.samples import read
from tests.io.sinks.tested_database import Database


def test_each_row_is_a_figure_that_says_whether_it_holds(database: Database) -> None:
    database.sink()
    assert read(database, asked.asked) == {}
    by = {"actor": "ann", "reason": "r"}
    requests.ask(database.database, "events", [WHOLE], "draining", **by)
    requests.ask(database.database, "events", ["kafka://a"], "running", **by)
    assert read(database, asked.asked) == {
        "sluice_paused": {
            ("events", "events", ""): 1.0,
            ("events", "events", "kafka://a"): 0.0,
        }
    }
