"""What is known of a table."""

from __future__ import annotations

import pytest

from sinks.console import target as reader
from sinks.console.target import target
from tests.io.sinks.console.ledgers import add
from tests.io.sinks.tested_database import Database
from transforms.batch.counts import Counts

HOSTILE = '<i>"."\x1b'


def test_a_table_that_nobody_knows_is_none(database: Database) -> None:
    database.sink()
    assert target(database.database, "nothing") is None
    assert target(database.database, HOSTILE) is None


def test_its_pipelines_sources_and_columns(database: Database) -> None:
    database.run("CREATE TABLE events (id INTEGER NOT NULL PRIMARY KEY, note TEXT)")
    add(
        database,
        ("p", "s", "1", 0, 5, True),
        ("p", "s", "2", 0, 5, False),
        ("p", "s", "2", 7, 9, True),
        ("events", HOSTILE, "1", 0, 3, True),
    )
    database.run("UPDATE ingest_counts SET target = 'events'")
    database.run("UPDATE ingest_counts SET dead = 2, purged = 1 WHERE pipeline = 'events'")
    result = target(database.database, "events")
    assert result is not None
    assert (list(result.own), list(result.pipelines)) == (["events"], ["events", "p"])
    assert (result.counts.read, result.dead) == (15, 1)
    mine, other = result.sources
    assert (mine.source, mine.counts, mine.purged) == (
        HOSTILE,
        Counts(read=3, inserted=3, dead=2),
        1,
    )
    assert (other.source, other.counts.read) == ("s", 12)
    summary = other.summary
    assert (summary.partitions, summary.complete, summary.gaps) == (2, 1, 1)
    columns = [(column.name, column.nullable, column.key) for column in result.columns]
    assert columns == [("id", False, True), ("note", True, False)]
    # MariaDB says how wide an integer is shown.
    assert [column.type.removesuffix("(11)") for column in result.columns] == ["INTEGER", "TEXT"]


def test_a_name_that_is_no_table_has_no_columns(database: Database) -> None:
    for name in ("s3://bucket/x", "(none)", "."):
        add(database, (name, "s", "1", 0, 5, True))
        result = target(database.database, name)
        assert result is not None
        assert result.columns == []


def test_sources_are_bounded(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "MOST_SOURCES", 2)
    add(database, *(("p", f"s{number}", "1", 0, 5, True) for number in range(3)))
    result = target(database.database, "p")
    assert result is not None
    assert [row.source for row in result.sources] == ["s0", "s1"]
    assert result.more_sources
    assert result.counts.read == 15
