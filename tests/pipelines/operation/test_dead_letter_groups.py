"""Groups of dead letters on the command line, and dead letters by their group."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sinks.database import leases
from sinks.database.engine import dispose_engines
from tests.io.sinks.console.test_groups import stored
from tests.io.sinks.jobs.queued_jobs import Queue, retryable
from tests.io.sinks.tested_database import Database
from tests.pipelines.commands import dead_letters


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    """Two dead letters of one group, and one of another."""
    database = Database("sqlite", f"sqlite:///{tmp_path}/a.db")
    Queue(database)
    messages = ("order 7 is gone", "order 8 is gone", "no name")
    stored(database, *(retryable(n, message=text) for n, text in enumerate(messages)))
    yield database.url
    leases.release_all()
    dispose_engines()


def answer(capsys: pytest.CaptureFixture[str], url: str, *argv: str) -> Any:
    capsys.readouterr()
    action, *more = argv
    assert dead_letters(action, "--sink", url, *more, "--json") == 0
    return json.loads(capsys.readouterr().out)


def test_groups_are_printed(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    first, second = answer(capsys, url, "groups")
    assert (first["message"], first["count"], first["count_is_exact"]) == ("no name", 1, True)
    assert (second["message"], second["count"]) == ("order N is gone", 2)
    assert dead_letters("groups", "--sink", url, "--limit", "1") == 0
    text = capsys.readouterr().out
    assert first["fingerprint"].replace("-", "")[:12] in text
    assert "1 group, and more: see --limit" in text


def test_dead_letters_of_a_group_are_listed_replayed_and_purged(
    url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    of_one, of_two = (group["fingerprint"] for group in answer(capsys, url, "groups"))
    by_group = ("--fingerprint", of_two[:13])
    listed = answer(capsys, url, "list", *by_group)
    assert {job["message"] for job in listed} == {"order 7 is gone", "order 8 is gone"}
    assert [group["count"] for group in answer(capsys, url, "stats", *by_group)] == [2]
    assert dead_letters("replay", "--sink", url, *by_group, "--reason", "it is back") == 0
    assert [group["fingerprint"] for group in answer(capsys, url, "groups")] == [of_one]
    assert dead_letters("purge", "--sink", url, "--fingerprint", of_one, "--reason", "never") == 0
    assert answer(capsys, url, "groups") == []
    newest, *_ = answer(capsys, url, "audit")
    assert newest["filter"]["fingerprint"] == of_one


def test_a_fingerprint_that_is_none_is_refused(
    url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert dead_letters("list", "--sink", url, "--fingerprint", "xyz") == 2
    assert "a fingerprint is 6 to 32 hexadecimal digits" in capsys.readouterr().err
    assert dead_letters("list", "--sink", url, "--fingerprint", "0" * 32) == 2
    assert "no group of dead letters" in capsys.readouterr().err
