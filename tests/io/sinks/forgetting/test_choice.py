"""Which partitions may be forgotten, and which have to stay."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa

from sinks.database.engine import transaction
from sinks.database.tables import intents, objects
from sinks.forgetting import choice as words
from sinks.forgetting.choice import Choice, again, judged, kept, page, place_of
from tests.io.sinks.forgetting.settled_files import NOW, OLD, settle
from tests.io.sinks.jobs.stored_jobs import prepared, store
from tests.io.sinks.tested_database import Database

MONTH = NOW - timedelta(days=30)
FILES = "file:///in/*"


def meant(**more: object) -> Choice:
    chosen = {"owns": lambda source: source.startswith("file:///in/"), "before": MONTH, **more}
    return Choice(pattern=FILES, **chosen)  # type: ignore[arg-type]


def verdicts(database: Database, choice: Choice | None = None) -> dict[str, str]:
    choice = choice or meant()
    with transaction(database.database, "test", write=False) as connection:
        rows = page(connection, choice, None)
        reasons = judged(connection, rows, choice, kept(connection, choice))
    return {
        source.removeprefix("file:///in/"): reason for (_, source, _), reason in reasons.items()
    }


def test_a_file_that_was_read_to_its_end_long_ago_may_go(database: Database) -> None:
    config = prepared(database)
    settle(config, "file:///in/a", "file:///in/b", "file:///elsewhere/c")
    settle(config, "file:///in/young", at=NOW - timedelta(days=1))
    assert verdicts(database) == {"a": "", "b": "", "young": words.YOUNG}


def test_what_was_not_read_to_its_end_stays(database: Database) -> None:
    config = prepared(database)
    settle(config, "file:///in/endless", final=False)
    settle(config, "file:///in/late", start=4)
    settle(config, "file:///in/holes")
    settle(config, "file:///in/holes", start=9)
    assert set(verdicts(database).values()) == {words.OPEN}
    assert len(verdicts(database)) == 3


@pytest.mark.parametrize(
    ("numbers", "reason"),
    [
        ({"inserted": 1, "retrying": 1}, words.RETRYING),
        ({"inserted": 1, "dead": 1}, words.DEAD),
        ({"inserted": 1, "dead": 1, "purged": 1}, ""),
    ],
)
def test_what_has_unresolved_records_stays(
    database: Database, numbers: dict[str, int], reason: str
) -> None:
    settle(prepared(database), "file:///in/a", **numbers)  # type: ignore[arg-type]  # no names
    assert verdicts(database) == {"a": reason}


def test_what_has_jobs_stays_whatever_the_counts_say(database: Database) -> None:
    config = prepared(database)
    store(config, {"state": "completed"}, source="file:///in/a", partition="v1")
    settle(config, "file:///in/b")
    assert verdicts(database, meant(before=NOW)) == {"a": words.JOBS, "b": ""}


def test_what_is_or_will_be_in_objects_stays(database: Database) -> None:
    config = prepared(database)
    settle(config, "file:///in/url", target="s3://lake/t")
    settle(config, "file:///in/routed", target="t")
    settle(config, "file:///in/none", target="t", duplicates=2)
    settle(config, "file:///in/open")
    place = {"pipeline": "events", "source": "file:///in/open", "partition": "v1"}
    offsets = {"start_offset": 0, "end_offset": 2}
    with transaction(config.database, "test") as connection:
        of_intent = {"id": "i", "fence": 1, "objects": [], "created_at": OLD, "updated_at": OLD}
        connection.execute(sa.insert(intents), {**place, **offsets, **of_intent})
        connection.execute(
            sa.insert(objects),
            {
                **dict.fromkeys(("pipeline", "source", "partition"), ""),
                "sink": "s3://lake",
                "target": "t",
                "name": "t/1",
                "rows": 2,
                "bytes": 9,
                "etag": "e",
                "state": "settled",
                "pending": False,
                **offsets,
                "created_at": OLD,
                "changed_at": OLD,
            },
        )
    assert verdicts(database) == {
        "none": "",
        "open": words.INTENTS,
        "routed": words.OBJECTS,
        "url": words.OBJECTS,
    }


def test_what_is_still_there_stays(database: Database) -> None:
    settle(prepared(database), "file:///in/a", "file:///in/b")
    there = meant(present=lambda source: source.endswith("b"))
    assert verdicts(database, there) == {"a": "", "b": words.PRESENT}


def test_a_pipeline_narrows(database: Database) -> None:
    config = prepared(database)
    settle(config, "file:///in/a")
    settle(config, "file:///in/b", pipeline="other")
    assert verdicts(database, meant(pipeline="other")) == {"b": ""}


def test_pages_follow_each_other(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(words, "PAGE", 2)
    config = prepared(database)
    settle(config, *(f"file:///in/{letter}" for letter in "abc"))
    settle(config, "file:///in/a", pipeline="z", partition="v2")
    pages, after = [], None
    with transaction(database.database, "test", write=False) as connection:
        while rows := page(connection, meant(), after):
            pages.append([place_of(row) for row in rows])
            after = pages[-1][-1]
        assert [len(one) for one in pages] == [2, 2]
        assert pages[1][1] == ("z", "file:///in/a", "v2")
        assert [place_of(row) for row in again(connection, pages[1])] == pages[1]
