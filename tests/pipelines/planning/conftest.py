"""Rehearsals have time, however loaded the machine is."""

from __future__ import annotations

import pytest

from sinks.database.backends.rehearsing_postgres import RehearsingPostgres
from sinks.database.backends.rehearsing_sqlite import RehearsingSqlite


@pytest.fixture(autouse=True)
def long_rehearsals(monkeypatch: pytest.MonkeyPatch) -> None:
    for rehearsing in (RehearsingPostgres, RehearsingSqlite):
        monkeypatch.setattr(rehearsing, "seconds", 600)
