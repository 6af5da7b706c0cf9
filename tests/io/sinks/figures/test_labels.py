"""Sources are labelled by the URIs that runs were given, and there are not too many labels."""

from __future__ import annotations

import pytest

from sinks.database.engine import transaction
from sinks.figures import labels
from sinks.figures.labels import label_of, patterns_of
from tests.io.sinks.runs.test_runs import begun
from tests.io.sinks.tested_database import Database

TOPICS = "kafka://*"


def of(database: Database) -> list[tuple[str, str | None]]:
    with transaction(database.database, "test", write=False) as connection:
        return list(patterns_of(connection, TOPICS))


def given(database: Database, run: str, *uris: str) -> None:
    begun(database, run, options={"sources": [{"uri": f"./{u}", "pattern": u} for u in uris]})


def test_the_longer_pattern_comes_first(database: Database) -> None:
    given(database, "1", "file:///a/*", "file:///a/b/*")
    given(database, "2", "file:///a/*")
    expected = [("file:///a/b/*", "./file:///a/b/*"), ("file:///a/*", "./file:///a/*")]
    assert of(database) == [*expected, (TOPICS, None)]


def test_there_are_at_most_so_many_those_of_the_newest_runs(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(labels, "MOST_SOURCES", 2)
    given(database, "1", "old*")
    given(database, "2", "new*", "newer*")
    assert {pattern for pattern, _ in of(database)} == {"new*", "newer*", TOPICS}


def test_a_name_has_the_label_of_the_first_pattern_that_matches() -> None:
    patterns = [("file:///a/*.jsonl", "./a"), ("file:///*", "./"), (TOPICS, None)]
    assert label_of("file:///a/b/c.jsonl", patterns) == "./a"
    assert label_of("file:///a/b/c.csv", patterns) == "./"
    assert label_of("kafka://t", patterns) == "kafka://t"
    assert label_of("s3://b/k", patterns) == "other"
    assert label_of("file:///a/x.jsonlines", patterns[:1]) == "other"
