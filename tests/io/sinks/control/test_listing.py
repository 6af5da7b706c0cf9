"""Pipelines by name, with what is asked of them."""

from __future__ import annotations

import pytest

from sinks.control import listing
from sinks.control.listing import SteeredPage, page
from sinks.control.requests import ask
from tests.io.sinks.console.ledgers import add
from tests.io.sinks.tested_database import Database


def test_pages_have_each_pipeline_once_with_its_rows(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(database, *((name, "s", "0", 0, 5, False) for name in "edcba"))
    by = {"actor": "ann", "reason": "why"}
    ask(database.database, "b", ["", "s"], "paused", **by)
    ask(database.database, "e", ["s"], "draining", **by)
    pages: list[SteeredPage] = []
    while not pages or pages[-1].after is not None:
        after = pages[-1].after if pages else None
        pages.append(page(database.database, after=after, limit=2))
    found = [one for shown in pages for one in shown.pipelines]
    assert [one.name for one in found] == list("abcde")
    asked = {one.name: [(row.source, row.state) for row in one.requests] for one in found}
    assert asked == {
        "a": [],
        "c": [],
        "d": [],
        "b": [("", "paused"), ("s", "paused")],
        "e": [("s", "draining")],
    }
    assert all(shown.complete for shown in pages)
    (one,) = page(database.database, "e").pipelines
    assert (one.target, len(one.requests)) == ("e", 1)
    assert page(database.database, "x").pipelines == []
    monkeypatch.setattr(listing, "MOST_ROWS", 1)
    assert not page(database.database, "b").complete
