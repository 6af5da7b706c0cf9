"""Dead letters are told by fingerprint, the most frequent ones first."""

from __future__ import annotations

from datetime import timedelta

import pytest

from sinks.doctor import dead_letters
from sinks.doctor.dead_letters import Group, grouped, verdicts
from sinks.doctor.scope import Question
from tests.io.sinks.doctor.examined import NOW, said, wrong
from tests.io.sinks.jobs.stored_jobs import prepared, store
from tests.io.sinks.tested_database import Database
from transforms.failure_fingerprint import fingerprint
from transforms.parse.hidden.preview import WITHHELD


def group(message: str, number: int, days: int = 1, job: int = 1) -> Group:
    at = NOW - timedelta(days=days)
    return Group(fingerprint("write", "data", "22P02", message), number, at, at, job)


def test_those_of_one_fingerprint_are_one() -> None:
    one, other = grouped([group("a", 2), group("n 1", 2, 5, 7), group("n 2", 3, 2, 4)])
    assert (one.number, one.job, one.kind.message) == (5, 7, "n N")
    assert (one.first, one.last) == (NOW - timedelta(days=5), NOW - timedelta(days=2))
    assert other.number == 2


def test_the_most_frequent_are_shown_and_the_rest_is_counted() -> None:
    groups = grouped(group(letter, 10) for letter in "abcdefgh")
    items = list(verdicts(groups, 100, NOW))
    assert len(items) == dead_letters.SHOWN + 1
    assert items[-1].figures == {"count": 50}
    assert [item.level for item in verdicts([], 0, NOW)] == ["ok"]
    assert [item.figures for item in verdicts([], 7, NOW)] == [{"count": 7}]
    assert len(list(verdicts(groups[:1], 10, NOW))) == 1


def test_dead_letters_of_a_database_are_told(database: Database) -> None:
    config = prepared(database)
    assert [item.level for item in said(database, dead_letters.check)] == ["ok"]
    kinds = [{"message": f'bad value "{n}" in column "n"'} for n in range(3)]
    store(
        config,
        *kinds,
        {"stage": "parse", "sqlstate": None, "message": "odd"},
        {"state": "retryable"},
    )
    first, second = wrong(database, dead_letters.check)
    assert first.figures["count"] == 3
    assert first.figures["message"] == 'bad value "…" in column "n"'
    assert first.figures["sample"] == 3
    assert "dead-letters show --id 3" in first.todo
    assert (second.where, second.figures["sqlstate"]) == ("parse", "")
    assert wrong(database, dead_letters.check, Question("other")) == []


def test_what_is_older_than_the_sample_is_counted_by_the_ledger(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dead_letters, "SAMPLE", 2)
    store(prepared(database), *({"message": "m"} for _ in range(5)))
    first, rest = wrong(database, dead_letters.check)
    assert (first.figures["count"], rest.figures["count"]) == (2, 3)


def test_messages_that_may_quote_hidden_fields_are_not_shown(database: Database) -> None:
    store(prepared(database), {"message": "no such mailbox as ann"})
    hidden = """{"paths": [["email"]], "versions": []}"""
    database.run(
        "DELETE FROM ingest_pipelines",
        f"INSERT INTO ingest_pipelines (name, target, hidden) VALUES ('p', 'events', '{hidden}')",
    )
    (item,) = wrong(database, dead_letters.check)
    assert item.figures["message"] == WITHHELD
    assert "ann" not in item.what
