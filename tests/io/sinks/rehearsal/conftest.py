"""The databases in which writes can be rehearsed."""

from __future__ import annotations

import pytest

from sinks.database.backends.rehearsing_postgres import RehearsingPostgres
from sinks.database.backends.rehearsing_sqlite import RehearsingSqlite
from tests.io.sinks.tested_database import Database

POSTGRES = pytest.param("postgres", marks=pytest.mark.integration)


@pytest.fixture(params=["sqlite_database", POSTGRES])
def database(request: pytest.FixtureRequest) -> Database:
    tested: Database = request.getfixturevalue(request.param)
    return tested


@pytest.fixture(autouse=True)
def long_rehearsals(monkeypatch: pytest.MonkeyPatch) -> None:
    """A loaded machine ends none, where its time is not what is tested."""
    for rehearsing in (RehearsingPostgres, RehearsingSqlite):
        monkeypatch.setattr(rehearsing, "seconds", 600)
