"""Versions that do not fit are told."""

from __future__ import annotations

from datetime import date

import pytest

from sinks.database.catalogue.figures import Server
from sinks.database.tables import VERSION
from sinks.doctor import versions
from sinks.doctor.scope import Question
from tests.io.sinks.doctor.examined import ago, said, wrong
from tests.io.sinks.figures.test_activity import beaten
from tests.io.sinks.runs.test_runs import begun
from tests.io.sinks.tested_database import Database

TODAY = date(2026, 5, 1)


@pytest.mark.parametrize(
    ("version", "level", "todo"),
    [(VERSION, "ok", ""), (VERSION - 1, "error", "migrate"), (VERSION + 1, "error", "install")],
)
def test_tables_of_another_version_are_an_error(version: int, level: str, todo: str) -> None:
    item = versions.tables(version)
    assert item.level == level
    assert todo in item.todo


@pytest.mark.parametrize(
    ("of", "level", "part"),
    [
        (Server("PostgreSQL", "17.2", supported_until=date(2029, 11, 8)), "ok", "17.2"),
        (
            Server("PostgreSQL", "14.9", supported_until=date(2026, 6, 1)),
            "warning",
            "will no longer",
        ),
        (Server("PostgreSQL", "13.9", supported_until=date(2025, 11, 13)), "warning", "no longer"),
        (Server("PostgreSQL", "11.2", too_old=True), "error", "11.2"),
        (Server("MariaDB", "11.4"), "ok", "MariaDB 11.4"),
    ],
)
def test_an_old_database_is_told(of: Server, level: str, part: str) -> None:
    item = versions.server(of, TODAY)
    assert (item.level, part in item.what) == (level, True)


def test_programs_of_several_versions_are_told(database: Database) -> None:
    begun(database, "1")
    beaten(database, "1")
    assert [item.level for item in said(database, versions.check)][1:] == ["ok"]
    (item,) = wrong(database, versions.check, Question(program="9.9"))
    assert "1.2.3 (1)" in item.what
    begun(database, "2")
    beaten(database, "2")
    database.run("UPDATE ingest_runs SET version = '2.0' WHERE id = '2'")
    (item,) = wrong(database, versions.check)
    assert item.figures["versions"] == {"1.2.3": 1, "2.0": 1}
    database.run(f"UPDATE ingest_workers SET heartbeat_at = {ago(days=1)} WHERE run = '1'")
    assert wrong(database, versions.check, Question(program="2.0")) == []
