"""Sources are labelled by the URIs that runs were given, and there are not too many labels."""

from __future__ import annotations

import pytest

from sinks.database.engine import transaction
from sinks.figures import labels
from sinks.figures.labels import Labels, labels_of
from tests.io.sinks.runs.test_runs import begun
from tests.io.sinks.tested_database import Database

TOPICS = "kafka://*"


def read(database: Database) -> Labels:
    with transaction(database.database, "test", write=False) as connection:
        return labels_of(connection, TOPICS)


def of(database: Database) -> list[tuple[str, str | None]]:
    return list(read(database).patterns)


def given(database: Database, run: str, *uris: str, pipeline: str = "") -> None:
    sources = [{"uri": f"./{u}", "pattern": u} for u in uris]
    begun(database, run, pipeline, options={"sources": sources})


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
    some = Labels([("file:///a/*.jsonl", "./a"), ("file:///*", "./"), (TOPICS, None)])
    assert some.of("file:///a/b/c.jsonl") == "./a"
    assert some.of("file:///a/b/c.csv") == "./"
    assert some.of("kafka://t") == "kafka://t"
    assert some.of("s3://b/k") == "other"
    assert Labels(some.patterns[:1]).of("file:///a/x.jsonlines") == "other"


def test_a_pipeline_keeps_its_label_however_often_others_run(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    given(database, "1", "rare*", pipeline="rare")
    for run in range(2, 5):
        given(database, str(run), "often*", pipeline="often")
    monkeypatch.setattr(labels, "_NEWEST", labels._NEWEST.limit(1))
    assert set(of(database)) >= {("rare*", "./rare*"), ("often*", "./often*")}


def test_what_a_pipeline_reads_is_its_own_unless_another_pattern_may_come_before(
    database: Database,
) -> None:
    given(database, "1", "file:///a/*", pipeline="one")
    given(database, "2", "file:///a/b/*", pipeline="two")
    given(database, "3", "file:///c/*", pipeline="three")
    given(database, "4", "kafka://*", pipeline="four")
    own = {name: pattern for name, (pattern, _) in read(database).own.items()}
    assert own == {"two": "file:///a/b/*", "three": "file:///c/*"}


def test_a_pattern_stands_for_the_sources_that_have_its_label() -> None:
    some = Labels([("file:///a/**.jsonl", "./a"), ("file:///*", "./"), (TOPICS, None)])
    for source in ("file:///a/b.jsonl", "file:///c", "kafka://t", "s3://b/k"):
        pattern = some.pattern_of(source)
        assert some.of(pattern) == some.of(source)
    assert some.pattern_of("file:///a/b.jsonl") == "file:///a/**.jsonl"
    assert some.pattern_of("kafka://t") == "kafka://t"
    assert some.pattern_of("s3://b/k") == "s3://b/k"
