"""Changes that nobody publishes are told."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from sinks.database.tables import outbox as outbox_table
from sinks.doctor import outbox
from sinks.doctor.scope import Question
from tests.io.sinks.doctor.examined import NOW, insert, said, wrong
from tests.io.sinks.jobs.stored_jobs import prepared
from tests.io.sinks.tested_database import Database


@pytest.mark.parametrize(
    ("age", "level"),
    [
        (timedelta(minutes=14), "ok"),
        (timedelta(minutes=16), "warning"),
        (timedelta(hours=25), "error"),
    ],
)
def test_the_older_the_worse(age: timedelta, level: str) -> None:
    item = outbox.pending("t", 5, NOW - age, NOW)
    assert (item.level, item.figures["pending"]) == (level, 5)


def test_old_changes_of_a_database_are_told(database: Database) -> None:
    prepared(database)
    assert [item.level for item in said(database, outbox.check)] == ["ok"]
    now = datetime.now(UTC)
    base = {
        "target": "events",
        "key": "{}",
        "shard": 0,
        "operation": "insert",
        "payload": b"{}",
        "source": "s",
        "partition": "p",
        "offset": 0,
        "published_at": None,
    }
    ages = (timedelta(hours=2), timedelta(0))
    insert(database, outbox_table, *({**base, "created_at": now - age} for age in ages))
    insert(database, outbox_table, {**base, "created_at": now, "published_at": now})
    (item,) = wrong(database, outbox.check)
    assert (item.level, item.where, item.figures["pending"]) == ("warning", "events", 2)
    assert wrong(database, outbox.check, Question("other")) == []
