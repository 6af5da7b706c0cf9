"""An error that may be the table's is a row's only if others take effect."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from sinks.database.engine import dispose_engines, transaction
from sinks.table.evidence import MOST_DOUBTS, Evidence
from tests.io.sinks.table.events_target import EVENTS
from tests.io.sinks.tested_database import Database

ERROR = ValueError("a function failed")


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[sa.Connection]:
    database = Database("sqlite", f"sqlite:///{tmp_path}/test.db")
    with transaction(database.database, "test") as connection:
        yield connection
    dispose_engines()


def test_doubts_are_the_rows_if_others_took_effect(connection: sa.Connection) -> None:
    for before in (True, False):
        evidence = Evidence.of(connection, EVENTS)
        if before:
            evidence.passed(1)
        evidence.doubt(ERROR)
        if not before:
            evidence.passed(1)
        evidence.check()


def test_a_first_row_that_fails_alone_is_not_to_blame(connection: sa.Connection) -> None:
    evidence = Evidence.of(connection, EVENTS)
    evidence.doubt(ERROR)
    with pytest.raises(ValueError, match="function"):
        evidence.check()


def test_rows_that_change_nothing_excuse_few_doubts_only(connection: sa.Connection) -> None:
    evidence = Evidence.of(connection, EVENTS)
    evidence.passed(0)
    for _ in range(MOST_DOUBTS):
        evidence.doubt(ERROR)
    evidence.check()
    with pytest.raises(ValueError, match="function"):
        evidence.doubt(ERROR)


def test_earlier_commits_excuse_lone_rows_until_too_many_fail(connection: sa.Connection) -> None:
    before = Evidence.of(connection, EVENTS)
    before.passed(5)
    before.note()
    for _ in range(MOST_DOUBTS):
        lone = Evidence.of(connection, EVENTS)
        lone.doubt(ERROR)
        lone.check()
        lone.note()
    last = Evidence.of(connection, EVENTS)
    last.doubt(ERROR)
    with pytest.raises(ValueError, match="function"):
        last.check()
    again = Evidence.of(connection, EVENTS)
    again.passed(1)
    again.note()
    lone = Evidence.of(connection, EVENTS)
    lone.doubt(ERROR)
    lone.check()


def test_what_is_known_of_a_table_says_nothing_of_another_database(
    connection: sa.Connection, tmp_path: Path
) -> None:
    before = Evidence.of(connection, EVENTS)
    before.passed(5)
    before.note()
    other = Database("sqlite", f"sqlite:///{tmp_path}/other.db")
    with transaction(other.database, "test") as elsewhere:
        assert Evidence.of(elsewhere, EVENTS).spare == 0
