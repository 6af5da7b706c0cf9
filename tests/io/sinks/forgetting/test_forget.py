"""Files are forgotten in bounded transactions, and nothing that was counted is lost."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from sinks.figures.figures import figures
from sinks.forgetting import choice as words
from sinks.forgetting import forget as forgetting
from sinks.forgetting.choice import Choice
from sinks.forgetting.forget import Forgotten, Order, forget, names, preview
from sinks.jobs import audit_trail
from sinks.ledger.ledger import SqlLedger
from tests.io.sinks.figures.samples import by_labels
from tests.io.sinks.forgetting.settled_files import NOW, settle
from tests.io.sinks.jobs.stored_jobs import prepared, refuse_audit, trail
from tests.io.sinks.runs.test_runs import begun
from tests.io.sinks.tested_database import Database
from transforms.errors import SinkFailed

TOPICS = "kafka://*"
ALL = Choice(lambda source: True, "file:///*", NOW - timedelta(days=30))
ORDER = Order({"source": "file:///*"}, "ann", "gone", TOPICS)
FILES = [f"file:///in/{letter}" for letter in "abc"]


def left(database: Database) -> list[str]:
    return [row[0] for row in database.rows("SELECT source FROM ingest_progress ORDER BY source")]


def totals(database: Database) -> dict[str, dict[tuple[str, ...], float]]:
    values = by_labels(figures(database.database, TOPICS))
    return {name: of_name for name, of_name in values.items() if name.endswith("_total")}


def test_a_preview_changes_nothing(database: Database) -> None:
    config = prepared(database)
    settle(config, *FILES)
    settle(config, "file:///in/young", at=NOW)
    expected = Forgotten(3, {words.YOUNG: 1}, [("events", source, "v1") for source in FILES])
    assert preview(config.database, ALL) == expected
    assert left(database) == [*FILES, "file:///in/young"]
    assert trail(config) == []


def test_what_is_forgotten_is_read_again_and_totals_stay(database: Database) -> None:
    config = prepared(database)
    sources = [{"uri": "./in/*", "pattern": "file:///in/*"}]
    begun(database, options={"sources": sources})
    settle(config, *FILES)
    settle(config, "file:///in/young", at=NOW)
    before = totals(database)
    done = forget(config.database, ALL, ORDER)
    assert (done.count, done.left_alone) == (3, {words.YOUNG: 1})
    assert left(database) == ["file:///in/young"]
    after = totals(database)
    assert after.pop("sluice_actions_total") == {("forget",): 3.0}
    before.pop("sluice_actions_total", None)
    assert after == before
    assert SqlLedger(config, "events").coverage([(FILES[0], "v1")]) == {}
    assert database.rows("SELECT source, read FROM ingest_forgotten") == [("file:///in/*", 6)]
    assert database.rows("SELECT count(*) FROM ingest_counts") == [(1,)]


def test_a_file_without_a_label_is_remembered_by_its_name(database: Database) -> None:
    config = prepared(database)
    settle(config, FILES[0])
    forget(config.database, ALL, ORDER)
    assert database.rows("SELECT source, read FROM ingest_forgotten") == [(FILES[0], 2)]


def test_each_transaction_is_bounded_and_has_its_entry(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(words, "PAGE", 2)
    config = prepared(database)
    settle(config, *FILES)
    settle(config, *FILES, pipeline="other")
    assert forget(config.database, ALL, ORDER).count == 6
    assert trail(config) == [("forget", 2)] * 3
    entry = audit_trail.entries(config.database)[0]
    assert (entry.actor, entry.reason, entry.filter) == ("ann", "gone", ORDER.which)


def test_none_is_forgotten_without_its_entry(database: Database) -> None:
    config = prepared(database)
    settle(config, FILES[0])
    refuse_audit(database)
    with pytest.raises(SinkFailed, match="not today"):
        forget(config.database, ALL, ORDER)
    assert left(database) == FILES[:1]
    assert database.rows("SELECT count(*) FROM ingest_forgotten") == [(0,)]


def test_what_has_changed_since_it_was_judged_stays(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = prepared(database)
    settle(config, *FILES[:2])
    pages = forgetting._pages

    def replayed_meanwhile(*arguments: object) -> Iterator[list[words.Place]]:
        for places in pages(*arguments):  # type: ignore[arg-type]
            database.run(
                "UPDATE ingest_counts SET retrying = 1, inserted = 1 "
                f"WHERE source = '{FILES[1]}' AND pipeline = 'events'"
            )
            yield places

    monkeypatch.setattr(forgetting, "_pages", replayed_meanwhile)
    done = forget(config.database, ALL, ORDER)
    assert (done.count, done.left_alone) == (1, {words.CHANGED: 1})
    assert left(database) == [FILES[1]]


def test_pipelines_are_known_by_their_ledgers_too(database: Database) -> None:
    config = prepared(database)
    settle(config, FILES[0], pipeline="older")
    assert names(config.database) == ["events", "older"]
